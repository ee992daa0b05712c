"""One side of open channels whose network breaks: ``python -m benchmarks.open_channels ROLE SERVER``.

Orders are lines on stdin, and each is answered by one line of JSON on stdout:

=====================  ===================================================================  ==================
order                  what it does                                                         answer
=====================  ===================================================================  ==================
``open ROUND COUNT``   so many channels, each between two nodes of its own                  ``{}``
``send``               has every channel send a question every ``QUESTION_INTERVAL``        ``{}``
``wait SINCE LIMIT``   until data flow on every channel, in both directions, or for so long ``{}``
``settle SINCE LIMIT`` the same for the channels that ask                                   ``{}``
``close SINCE``        ends the round                                                       a list, see below
=====================  ===================================================================  ==================

A question is a datagram, sent once, and the other side answers it with another one: an answer shows that data
flow in both directions. A channel whose path comes into doubt begins to ask by itself. SINCE is the instant
from which on the network is another: only what was sent later counts. For each channel the list tells:

===============  =============================================================================================
``doubted_at``   when this side first noticed since then, or null
``answered_at``  when the first answer was there to a question of then or later, and, where this side noticed,
                 to one that it asked after that; or null
``ended``        why the channel has ended, or null
``timeline``     what happened on it, where no answer came
===============  =============================================================================================

Instants are in seconds on CLOCK_MONOTONIC, which is what asyncio counts with and all namespaces share.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from contextlib import AsyncExitStack
from typing import Any

from benchmarks.awake_node import awake_node
from benchmarks.contestant import Role, answer, standard_input
from natcore.address import TransportAddress
from natcore.control.messages import Status
from natcore.errors import PeerError
from peer import Channel
from peer.trace import Trace

QUESTION_INTERVAL = 0.02
"""Seconds, as in a telephone call."""

POLL_INTERVAL = 0.01
"""Seconds between looks at whether data flow."""

OPEN_TIMEOUT = 20.0
"""Seconds for a channel to open; half a second is usual."""

_QUESTION, _ANSWER = b"?", b"!"


class DoubtTrace(Trace):
    """Remembers when the path of a node's channel came into doubt, instead of writing everything down."""

    def __init__(self) -> None:
        super().__init__()
        self.doubted_at: list[float] = []

    def event(self, now: float, name: str, **fields: str | float | TransportAddress) -> None:
        """Takes one event."""
        if name == "SessionDoubted":
            self.doubted_at.append(now)


class Line:
    """One open channel, and what was asked and answered on it."""

    def __init__(self, channel: Channel, trace: DoubtTrace) -> None:
        self._channel = channel
        self._trace = trace
        self._answers: list[tuple[float, float]] = []
        self.is_sending = False

    @property
    def is_asking(self) -> bool:
        """Whether it was told to, or has reason to."""
        return self.is_sending or bool(self._trace.doubted_at)

    async def listen(self) -> None:
        """Answers questions, and notes answers, until the channel ends."""
        async for data in self._channel:
            if data.startswith(_QUESTION):
                self._send(_ANSWER + data[1:])
            else:
                self._answers.append((float(data[1:]), time.monotonic()))

    async def ask(self) -> None:
        """Asks while it is told to, or has reason to; ended by being cancelled."""
        while self._channel.is_open:
            if self.is_asking:
                self._send(_QUESTION + b"%.6f" % time.monotonic())
            await asyncio.sleep(QUESTION_INTERVAL)

    def doubted_at(self, since: float) -> float | None:
        """The first doubt since then."""
        return next((at for at in self._trace.doubted_at if at >= since), None)

    def answered_at(self, since: float) -> float | None:
        """As the module says."""
        asked_from = self.doubted_at(since) or since
        return next((arrived_at for sent_at, arrived_at in self._answers if sent_at >= asked_from), None)

    def report(self, since: float) -> dict[str, Any]:
        """As the module says."""
        answered_at = self.answered_at(since)
        entries = () if answered_at is not None else self._channel.timeline
        return {
            "doubted_at": self.doubted_at(since),
            "answered_at": answered_at,
            "ended": self._channel.closing_detail,
            "timeline": [f"{entry.at:.3f} {entry.event.value} {entry.detail}" for entry in entries],
        }

    def _send(self, data: bytes) -> None:
        with contextlib.suppress(PeerError):  # no path for a moment: the next question is soon
            self._channel.send_datagram(data)


async def _open(role: Role, server: str, name: str, stack: AsyncExitStack) -> Line:
    trace = DoubtTrace()
    async with asyncio.timeout(OPEN_TIMEOUT):
        node = await stack.enter_async_context(awake_node(f"{role}-{name}", server, trace=trace))
        if role is Role.CALLEE:
            channel = await node.accept()
            await channel.confirmed()
        else:
            callee = f"{Role.CALLEE}-{name}"
            while node.clients.get(callee) is not Status.AWAKE:
                await node.next_event()
            channel = await node.connect(callee)
    return Line(channel, trace)


class Side:
    """All channels of a round."""

    def __init__(self, role: Role, server: str) -> None:
        self._role = role
        self._server = server
        self._stack = AsyncExitStack()
        self._lines: list[Line] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def obey(self, order: str, *arguments: str) -> object:
        """Does what was ordered; returns the answer."""
        match order:
            case "open":
                await self._open_all(arguments[0], int(arguments[1]))
            case "send":
                for line in self._lines:
                    line.is_sending = True
            case "wait" | "settle":
                await self._wait(*map(float, arguments), only_asking=order == "settle")
            case "close":
                return await self._close(float(arguments[0]))
            case _:
                sys.exit(f"order: got {order!r}, expected open, send, wait, settle or close")
        return {}

    async def _open_all(self, number: str, count: int) -> None:
        names = [f"{number}-{index}" for index in range(count)]
        opened = [_open(self._role, self._server, name, self._stack) for name in names]
        self._lines = list(await asyncio.gather(*opened))
        self._tasks = [asyncio.create_task(line.ask()) for line in self._lines]
        self._tasks += [asyncio.create_task(line.listen()) for line in self._lines]

    async def _wait(self, since: float, limit: float, *, only_asking: bool) -> None:
        for _ in range(round(limit / POLL_INTERVAL)):
            waiting = [line for line in self._lines if line.answered_at(since) is None]
            if not any(line.is_asking or not only_asking for line in waiting):
                return
            await asyncio.sleep(POLL_INTERVAL)

    async def _close(self, since: float) -> list[dict[str, Any]]:
        reports = [line.report(since) for line in self._lines]
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()
        return reports


async def _main(role: Role, server: str) -> None:
    orders = await standard_input()
    side = Side(role, server)
    while order := await orders.readline():
        answer(await side.obey(*order.decode().split()))


if __name__ == "__main__":
    asyncio.run(_main(Role(sys.argv[1]), sys.argv[2]))
