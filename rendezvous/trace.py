"""The trace: one JSON object a line for each thing that the server saw or did, for the lab and for bug hunts.

No secret is in it: messages appear by type, datagrams by size.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, TextIO

import msgspec


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
    """Writes to a file, line by line, so that a killed server's trace is complete."""

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("w", encoding="utf-8", buffering=1)

    def __call__(self, event: str, **fields: str | float) -> None:
        """Writes one line: ``event`` and the fields."""
        self._file.write(msgspec.json.encode({"event": event, **fields}).decode() + "\n")

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
