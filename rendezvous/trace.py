"""The trace: one JSON object a line for each thing that the server saw or did, for the lab and for bug hunts.

No secret is in it: messages appear by type, datagrams by size.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Protocol

import msgspec

logger = logging.getLogger(__name__)


class Trace(Protocol):
    """Takes events. Values are numbers and strings."""

    def __call__(self, event: str, **fields: str | float) -> None:
        """Records one event, named in the past tense."""

    def close(self) -> None:
        """Ends the trace."""


class NoTrace:
    """Records nothing."""

    def __call__(self, event: str, **fields: str | float) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing."""


class FileTrace:
    """Writes to a file, line by line, so that a killed server's trace is complete.

    A trace that cannot be written (a full disk) is given up with one warning: it never stops the server.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)

    def __call__(self, event: str, **fields: str | float) -> None:
        """Writes one line: the time in seconds on the monotonic clock, ``event`` and the fields."""
        if self._file.closed:
            return
        line = msgspec.json.encode({"time": time.monotonic(), "event": event, **fields}) + b"\n"
        try:
            self._file.write(line)
        except OSError as exc:
            logger.warning("x the trace ends here: %s", exc)
            self._file.close()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
