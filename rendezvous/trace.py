"""The trace: one JSON object a line for each thing that the server saw or did, for the lab and for bug hunts.

No secret is in it: messages appear by type, datagrams by size.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Protocol

import msgspec

from natcore.address import TransportAddress

logger = logging.getLogger(__name__)


class Trace(Protocol):
    """Takes events. Addresses become text in the trace, so that without one no datagram pays for it."""

    def __call__(self, event: str, **fields: str | float | TransportAddress) -> None:
        """Records one event, named in the past tense."""

    def close(self) -> None:
        """Ends the trace."""


class NoTrace:
    """Records nothing."""

    def __call__(self, event: str, **fields: str | float | TransportAddress) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing."""


class FileTrace:
    """Writes to a file, line by line, so that a killed server's trace is complete.

    A trace that cannot be written (a full disk) is given up with one warning: it never stops the server.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)

    def __call__(self, event: str, **fields: str | float | TransportAddress) -> None:
        """Writes one line: the time in seconds on the monotonic clock, ``event`` and the fields."""
        if self._file.closed:
            return
        texts = {key: str(value) for key, value in fields.items() if isinstance(value, TransportAddress)}
        line = msgspec.json.encode({"time": time.monotonic(), "event": event, **fields, **texts}) + b"\n"
        try:
            self._file.write(line)
        except OSError as exc:
            logger.warning("x the trace ends here: %s", exc)
            self._file.close()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()
