"""Sockets and one timer around a measuring agent; no decision in here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import TypeVar

from natcore.address import IPAddress, TransportAddress
from natcore.agent import Agent
from peer.check.sockets import ProbeSocket

EventT = TypeVar("EventT")


class Drive:
    """Opens sockets, and then runs one agent on them until it is left."""

    def __init__(self, ip: IPAddress, count: int) -> None:
        """Opens ``count`` sockets on one address.

        Raises:
            OSError: the address is none of ours, or there are too many open files.
        """
        self._loop = asyncio.get_running_loop()
        self._agent: Agent[object] | None = None
        self._changed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        with ExitStack() as opened:
            sockets = []
            for _ in range(count):
                sockets.append(ProbeSocket(ip))
                opened.callback(sockets[-1].close)
            self._opened = opened.pop_all()
        self._sockets = {one.base: one for one in sockets}

    @property
    def bases(self) -> tuple[TransportAddress, ...]:
        """The sockets' addresses."""
        return tuple(self._sockets)

    @property
    def now(self) -> float:
        """Seconds on the agent's clock."""
        return self._loop.time()

    def close(self) -> None:
        """Closes everything."""
        if self._timer is not None:
            self._timer.cancel()
        self._opened.close()

    async def run(self, agent: Agent[EventT]) -> AsyncIterator[EventT]:
        """The agent's events as they come; for ever."""
        self._agent = agent
        hop_answered = getattr(agent, "hop_answered", None)

        def received(data: bytes, source: TransportAddress, base: TransportAddress) -> None:
            agent.receive_datagram(data, source, base, self.now)
            self.turn()

        def hop(base: TransportAddress, router: IPAddress) -> None:
            if hop_answered is not None:
                hop_answered(base, router, self.now)
                self.turn()

        for one in self._sockets.values():
            one.start(received, hop)
        self.turn()
        while True:
            while (event := agent.next_event()) is not None:
                yield event
            self._changed.clear()
            await self._changed.wait()

    def turn(self) -> None:
        """Sends what waits and arms the timer; to be called after every call into the agent."""
        if self._agent is None:
            return
        for transmit in self._agent.datagrams_to_send():
            self._sockets[transmit.base].send(transmit)
        if self._timer is not None:
            self._timer.cancel()
        due = self._agent.get_timer()
        self._timer = None if due is None else self._loop.call_at(due, self._handle_timer)
        self._changed.set()

    def _handle_timer(self) -> None:
        self._timer = None
        if self._agent is not None:
            self._agent.handle_timer(self.now)
            self.turn()
