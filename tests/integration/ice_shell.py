"""One socket and one timer around an ICE agent, for meetings with other people's agents."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import cast

from natcore import stun
from natcore.address import TransportAddress
from natcore.agent import Transmit
from natcore.ice import Candidate, CandidateType, ConnectivityFailed, IceAgent, IceEvent

PATIENCE = 10.0
"""Seconds that anything may take; all of it takes milliseconds."""


class IceShell(asyncio.DatagramProtocol):
    """See the module.

    Attributes:
        events: what the agent told.
        received: datagrams that are not STUN.
        answers: STUN messages from before there was an agent.
    """

    def __init__(self) -> None:
        self.events: asyncio.Queue[IceEvent] = asyncio.Queue()
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        self.answers: asyncio.Queue[bytes] = asyncio.Queue()
        self.agent: IceAgent | None = None
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.DatagramTransport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    @property
    def base(self) -> TransportAddress:
        assert self._transport is not None
        return TransportAddress.from_sockaddr(self._transport.get_extra_info("sockname"))

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not stun.is_stun(data):
            self.received.put_nowait(data)
        elif self.agent is None:
            self.answers.put_nowait(data)
        else:
            source = TransportAddress.from_sockaddr(addr)
            self.agent.receive_datagram(data, source, self.base, self._loop.time())
            self.pump()

    def start(self, agent: IceAgent, candidates: Iterable[Candidate]) -> None:
        self.agent = agent
        agent.start(candidates, self._loop.time())
        self.pump()

    def send(self, data: bytes) -> None:
        """To where the agent's path leads."""
        assert self.agent is not None
        assert self.agent.path is not None
        self.transmit(Transmit(data=data, destination=self.agent.path.remote, base=self.base))

    def transmit(self, one: Transmit) -> None:
        assert self._transport is not None
        udp: socket.socket = self._transport.get_extra_info("socket")
        if one.ttl is not None:
            udp.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, one.ttl)
        self._transport.sendto(one.data, one.destination.to_sockaddr())
        if one.ttl is not None:
            udp.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, -1)

    async def wait_for(self, kind: type[IceEvent]) -> IceEvent:
        async with asyncio.timeout(PATIENCE):
            while True:
                event = await self.events.get()
                assert not isinstance(event, ConnectivityFailed), event
                if isinstance(event, kind):
                    return event

    def pump(self) -> None:
        assert self.agent is not None
        while (event := self.agent.next_event()) is not None:
            self.events.put_nowait(event)
        for transmit in self.agent.datagrams_to_send():
            self.transmit(transmit)
        if self._timer is not None:
            self._timer.cancel()
        due = self.agent.get_timer()
        self._timer = None if due is None else self._loop.call_at(due, self._expire)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.close()

    def _expire(self) -> None:
        assert self.agent is not None
        self.agent.handle_timer(self._loop.time())
        self.pump()


@asynccontextmanager
async def opened_shell(host: str = "127.0.0.1") -> AsyncIterator[IceShell]:
    loop = asyncio.get_running_loop()
    _, shell = await loop.create_datagram_endpoint(IceShell, local_addr=(host, 0))
    try:
        yield shell
    finally:
        shell.close()


def to_sdp(candidate: Candidate) -> str:
    """A candidate as RFC 8839 section 5.1 writes it, without a related address."""
    address = candidate.address
    return (
        f"{candidate.foundation} 1 udp {candidate.priority} {address.ip} {address.port}"
        f" typ {candidate.type.value}"
    )


def from_sdp(line: str) -> Candidate:
    """Reads what an agent tells of a candidate; what follows its type does not matter to us."""
    foundation, _, _, priority, host, port, _, kind, *_ = line.split()
    return Candidate(
        type=CandidateType(kind),
        address=TransportAddress.from_sockaddr((host, int(port))),
        priority=int(priority),
        foundation=foundation,
    )
