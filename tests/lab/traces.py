"""What a lab has in the system: the things that must be gone when it is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from netlab.backend import lab_of
from netlab.state import RUN_FOLDER

NAMESPACES = Path("/run/netns")


def namespaces_of(lab: str) -> list[str]:
    names = os.listdir(NAMESPACES) if NAMESPACES.is_dir() else []
    return sorted(name for name in names if lab_of(name) == lab)


def files_of(lab: str) -> list[str]:
    return sorted(path.name for path in RUN_FOLDER.glob(f"{lab}*"))


def traces_of(lab: str) -> list[str]:
    return namespaces_of(lab) + files_of(lab)


def wait_until(condition: Callable[[], bool], *, timeout: float = 5.0) -> bool:
    deadline = time.monotonic() + timeout
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)
    return condition()
