"""The rendezvous server in virtual time: the real registry, and TCP connections as pipes that delay."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from natcore.address import TransportAddress
from natcore.agent import RandomBytes, Transmit
from natcore.control.messages import encode
from natcore.registry import (
    Broadcast,
    CloseControl,
    ConnectionId,
    Registry,
    RegistryConfig,
    Report,
    SendControl,
    SendDatagram,
)
from natcore.registry.reflection import NO_OFFER, Offer
from tests.sim.network import Network, Packet

Sink = Callable[[bytes, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LossyTcp:
    """What a lossy way does to TCP: nothing is lost, and what was comes late, with all that is behind it.

    Attributes:
        drop: the probability that a segment is lost; each write is one.
        penalty: seconds until it is repeated: Linux waits 200 ms and a round trip at least.
        chance: what is lost.
    """

    drop: float
    penalty: float
    chance: Random

    def delay(self) -> float:
        """Seconds by which the next segment comes late."""
        return self.penalty if self.chance.random() < self.drop else 0.0


class ServerHost:
    """The server on the internet.

    Attributes:
        registry: the real one.
        reports: what the operator reads.
        is_gone: takes and says nothing any more, as a machine without power.
    """

    def __init__(
        self,
        address: TransportAddress,
        network: Network,
        *,
        latency: float,
        random: RandomBytes,
        offer: Offer = NO_OFFER,
        tcp: LossyTcp | None = None,
    ) -> None:
        self.registry = Registry(RegistryConfig(), random, offer)
        self.address = address
        self.reports: list[str] = []
        self.is_gone = False
        self._network = network
        self._latency = latency
        self._sinks: dict[ConnectionId, Sink] = {}
        self._tcp = tcp
        self._pipe: list[tuple[float, int, Sink, bytes]] = []
        self._piped = 0
        self._newest: dict[tuple[ConnectionId, bool], float] = {}
        for ip in {address.ip, *offer.others}:
            network.attach(ip, None, self)

    def open(self, sink: Sink, now: float) -> ConnectionId:
        """A client connects; what we send it goes to ``sink``. The handshake takes no time here."""
        connection = ConnectionId(len(self._sinks) + 1)
        self._sinks[connection] = sink
        self.registry.connection_opened(connection, (str(self.address),), now)
        self._carry_out(now)
        return connection

    def hang_up(self, connection: ConnectionId, now: float) -> None:
        """A client's connection ends without a word of its."""
        self.registry.connection_lost(connection, "connection reset", now)
        self._carry_out(now)

    def write(self, connection: ConnectionId, data: bytes, now: float) -> None:
        """A client writes."""

        def arrive(data: bytes, now: float) -> None:
            if not self.is_gone:
                self.registry.receive_data(connection, data, now)
                self._carry_out(now)

        if data:
            self._pass(connection, True, arrive, data, now)

    def receive_packet(self, packet: Packet, base: TransportAddress, now: float) -> None:
        if not self.is_gone:
            self.registry.receive_datagram(packet.data, packet.source, base, now)
            self._carry_out(now)

    def get_timer(self) -> float | None:
        own = None if self.is_gone else self.registry.get_timer()
        arrival = self._pipe[0][0] if self._pipe else None
        return min((due for due in (own, arrival) if due is not None), default=None)

    def handle_timer(self, now: float) -> None:
        while self._pipe and self._pipe[0][0] <= now:
            _, _, sink, data = heapq.heappop(self._pipe)
            sink(data, now)
        if not self.is_gone:
            self.registry.handle_timer(now)
            self._carry_out(now)

    def _carry_out(self, now: float) -> None:
        while (command := self.registry.next_command()) is not None:
            match command:
                case SendControl():
                    self._send(command.connection, encode(command.message), now)
                case Broadcast():
                    for connection in command.connections:
                        self._send(connection, encode(command.message), now)
                case SendDatagram():
                    transmit = Transmit(data=command.data, destination=command.destination, base=command.base)
                    self._network.send(transmit, None, now)
                case Report():
                    self.reports.append(command.line)
                case CloseControl():
                    pass  # the tests look at the goodbye

    def _send(self, connection: ConnectionId, data: bytes, now: float) -> None:
        self._pass(connection, False, self._sinks[connection], data, now)

    def _pass(self, connection: ConnectionId, is_ours: bool, sink: Sink, data: bytes, now: float) -> None:
        """One segment, behind those that the same side has sent before."""
        late = 0.0 if self._tcp is None else self._tcp.delay()
        way = connection, is_ours
        at = max(now + self._latency + late, self._newest.get(way, 0.0))
        self._newest[way] = at
        self._piped += 1
        heapq.heappush(self._pipe, (at, self._piped, sink, data))
