"""A record of what a node did: one JSON object a line, for ``--trace FILE`` and for the lab's artefacts.

Payloads never appear in it.
"""

from __future__ import annotations

import logging
from typing import IO

import msgspec

from natcore.address import TransportAddress

logger = logging.getLogger(__name__)


class Trace:
    """Writes events to a file, or nowhere.

    A trace that cannot be written (a full disk) is given up with one warning: it never stops the node.
    """

    def __init__(self, file: IO[bytes] | None = None) -> None:
        self._file = file

    def event(self, now: float, name: str, **fields: str | float | TransportAddress) -> None:
        """Writes one event; ``now`` is seconds on the monotonic clock.

        Addresses become text here, so that without a trace no datagram pays for it.
        """
        if self._file is None:
            return
        texts = {key: str(value) for key, value in fields.items() if isinstance(value, TransportAddress)}
        line = msgspec.json.encode({"time": now, "event": name, **fields, **texts}) + b"\n"
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as exc:
            logger.warning("x the trace ends here: %s", exc)
            self._file = None
