"""One side of a contest: a program in a peer's network that prepares, plays and clears up each run on order.

Orders are lines on stdin, and each is answered by one JSON object on stdout:

============  =================================================================  =========================
order         what it does                                                       answer
============  =================================================================  =========================
``RUN``       prepares the run of this number, with nothing left of the last     ``{}``
``play``      caller: connects and sends; callee: waits for the payload          its instants, see below
``close``     ends the run                                                       ``{}``
============  =================================================================  =========================

A run that fails answers ``play`` with ``{"failed": REASON}``; one that cannot be prepared ends the program.
Instants are in seconds on CLOCK_MONOTONIC, which all namespaces of a machine share: the caller's
``started_at``, when it decided to connect, and the callee's ``arrived_at``, when the payload was at the peer,
and ``read_at``, when its application could read it. A stack may hold back what has arrived until its own side
of the negotiation is done, so the two differ.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Protocol

PAYLOAD = b"the first payload"

PLAY = "play"
CLOSE = "close"

PLAY_TIMEOUT = 10.0
"""Seconds for one run; a hundred times what a good one takes."""

PREPARE_TIMEOUT = 60.0
"""Seconds to be prepared; some round trips, and several attempts where packets get lost."""


class Role(StrEnum):
    """Which side of a run a program is."""

    CALLER = "caller"
    CALLEE = "callee"


Instants = dict[str, float]
"""By the names that the module describes."""

Play = Callable[[], Awaitable[Instants]]
"""Plays a prepared run."""


class Contestant(Protocol):
    """What a program under test is driven by."""

    def prepared(self, run: int) -> AbstractAsyncContextManager[Play]:
        """A run that is ready to be played inside the ``async with`` block, and over behind it."""
        ...


def check_payload(received: bytes) -> None:
    """Raises ValueError unless it is what the caller sent."""
    if received != PAYLOAD:
        raise ValueError(f"payload: got {received!r}, expected {PAYLOAD!r}")


async def obey(contestant: Contestant) -> None:
    """Takes part in runs until stdin ends."""
    orders = await standard_input()
    while run := await orders.readline():
        async with asyncio.timeout(PREPARE_TIMEOUT) as patience, contestant.prepared(int(run)) as play:
            answer({})
            patience.reschedule(None)
            await _expect(orders, PLAY)
            answer(await _outcome(play))
            await _expect(orders, CLOSE)
        answer({})


async def _outcome(play: Play) -> Mapping[str, float | str]:
    try:
        async with asyncio.timeout(PLAY_TIMEOUT):
            return await play()
    except Exception as problem:  # noqa: BLE001 (whatever it was, the run has failed and the next one follows)
        return {"failed": f"{type(problem).__name__}: {problem}"}


async def _expect(orders: asyncio.StreamReader, order: str) -> None:
    line = (await orders.readline()).decode().strip()
    if line != order:
        sys.exit(f"order: got {line!r}, expected {order!r}")


async def standard_input() -> asyncio.StreamReader:
    """Where orders come from."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    return reader


def answer(values: object) -> None:
    """Answers an order with one line of JSON."""
    print(json.dumps(values), flush=True)
