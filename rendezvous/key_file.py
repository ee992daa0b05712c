"""Reads the secret that two servers share."""

from __future__ import annotations

import stat
from pathlib import Path

from rendezvous.errors import UnusableKey

MIN_KEY_SIZE = 22
"""Characters: 128 bits in base64."""

MAX_KEY_SIZE = 1024
"""Bytes of the file; nobody means a larger one."""


def read_key(path: Path) -> bytes:
    """The file's text without the white space around it.

    Raises:
        UnusableKey: there is none, it is short, or others may read it.
    """
    try:
        with path.open("rb") as file:
            mode = path.stat().st_mode
            text = file.read(MAX_KEY_SIZE + 1).strip()
    except OSError as exc:
        raise UnusableKey(path=path, reason=(exc.strerror or "cannot be read").lower()) from exc
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise UnusableKey(path=path, reason="everybody may read it: chmod o= it")
    if not MIN_KEY_SIZE <= len(text) <= MAX_KEY_SIZE:
        got = f"it has {len(text)} bytes, {MIN_KEY_SIZE} to {MAX_KEY_SIZE} are needed"
        raise UnusableKey(path=path, reason=f"{got}: try `openssl rand -base64 32`")
    return text
