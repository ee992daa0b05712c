"""Full disks, told from all that looks like something else because of them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

_LEAST = 4096
"""Bytes: a block. With less, what was written last may have been cut off."""


def is_full(error: BaseException) -> bool:
    """Whether an error is that of a full disk, or of a full quota."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def has_room(folder: Path) -> bool:
    """Whether anything can be written there."""
    space = os.statvfs(folder)
    return space.f_bavail * space.f_frsize >= _LEAST
