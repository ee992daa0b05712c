"""A network in virtual time: hosts, their routers, and a link that delays, drops, duplicates and reorders.

The routers are netlab's models, each with a network inside it: the home network of a host, or the carrier's
network of further routers. A packet is judged by the sender's routers when it is sent and by the receiver's
when it arrives, as it would be. A packet with a low TTL dies as it would, too: each router passes on what has
a TTL of two at least, and the link between two networks is a router as well, as in the lab, or several.
Everything random comes from one seed.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass
from typing import Protocol

from natcore.address import IPAddress, TransportAddress
from natcore.agent import Transmit
from netlab.model import Endpoint, NatModel
from netlab.model import Packet as Way

LAN_LATENCY = 0.001
"""Seconds, one way, between two hosts behind one NAT."""

DEFAULT_TTL = 64
"""Hops; RFC 1700."""

Place = NatModel | None
"""A network: the one inside a router, or the internet."""


@dataclass(slots=True, kw_only=True)
class Link:
    """What the wide-area link does to each packet. Change the fields at any time.

    Attributes:
        latency: seconds, one way.
        jitter: up to so many seconds more, drawn for each packet: reorders.
        drop: the probability that a packet is lost.
        duplicate: the probability that a packet arrives twice.
        is_cut: nothing passes.
        hops: routers on the way.
    """

    latency: float = 0.025
    jitter: float = 0.0
    drop: float = 0.0
    duplicate: float = 0.0
    is_cut: bool = False
    hops: int = 1


@dataclass(frozen=True, slots=True)
class Packet:
    """One datagram on its way; ``source`` is what the receiver will see."""

    data: bytes
    source: TransportAddress
    destination: TransportAddress


class Receiver(Protocol):
    """A host's end of the network."""

    def receive_packet(self, packet: Packet, base: TransportAddress, now: float) -> None:
        """Takes a datagram that arrived at the local address ``base``."""


class Network:
    """See the module.

    Attributes:
        link: between any two networks.
        sent: every datagram that a host sent, as it left the host, in order.
    """

    def __init__(self, link: Link, *, seed: int) -> None:
        self.link = link
        self.sent: list[tuple[float, Transmit]] = []
        self._random = random.Random(seed)
        self._stations: dict[tuple[Place, IPAddress], Receiver | NatModel] = {}
        self._outside: dict[NatModel, Place] = {}
        self._under_way: list[tuple[float, int, Packet, Place]] = []
        self._count = 0

    def connect(self, router: NatModel, place: Place) -> None:
        """Connects the outer side of a router to a network."""
        self._stations[place, router.address] = router
        self._outside[router] = place

    def attach(self, ip: IPAddress, place: Place, receiver: Receiver) -> None:
        """Connects a host to a network."""
        self._stations[place, ip] = receiver

    def detach(self, ip: IPAddress, place: Place) -> None:
        """Takes a host's interface out of a network."""
        del self._stations[place, ip]

    def send(self, transmit: Transmit, place: Place, now: float) -> None:
        """Takes a datagram from a host in that network, up to the network in which its destination is."""
        self.sent.append((now, transmit))
        data, way = transmit.data, Way(_endpoint(transmit.base), _endpoint(transmit.destination))
        ttl = DEFAULT_TTL if transmit.ttl is None else transmit.ttl
        while place is not None and (place, way.destination.address) not in self._stations:
            if way.destination.address == place.address:
                turned = place.hairpin(way, now)
                if turned is not None:
                    self._schedule(_packet(data, turned), place, now + LAN_LATENCY)
                return
            translated = place.outbound(way, now) if ttl > 1 else None
            if translated is None:
                return
            way, place, ttl = translated, self._outside[place], ttl - 1
        if place is None and ttl > self.link.hops:
            self._pass_link(_packet(data, way), now)
        elif place is not None:
            self._schedule(_packet(data, way), place, now + LAN_LATENCY)

    def observe(
        self, base: TransportAddress, place: Place, observer: TransportAddress, now: float
    ) -> TransportAddress | None:
        """As what an observer on the internet sees a socket, if anything of it gets there."""
        way: Way | None = Way(_endpoint(base), _endpoint(observer))
        while place is not None and way is not None:
            way, place = place.outbound(way, now), self._outside[place]
        return None if way is None else _transport_address(way.source)

    def inject(
        self, data: bytes, source: TransportAddress, destination: TransportAddress, now: float
    ) -> None:
        """A datagram of a third party's, with any source it likes; arrives at once."""
        self._schedule(Packet(data, source, destination), None, now)

    @property
    def next_arrival(self) -> float | None:
        """When the next packet arrives."""
        return self._under_way[0][0] if self._under_way else None

    def deliver_next(self) -> None:
        """Lets the next packet arrive."""
        now, _, packet, place = heapq.heappop(self._under_way)
        self._arrive(packet, place, now)

    # --- the tests' own fingers in the wire ----------------------------------------------------------------

    def drop_next(self) -> None:
        """Loses the next packet."""
        heapq.heappop(self._under_way)

    def duplicate_next(self, delay: float) -> None:
        """Sends a copy of the next packet so many seconds behind it."""
        at, _, packet, place = self._under_way[0]
        self._schedule(packet, place, at + delay)

    def postpone_next(self, delay: float) -> None:
        """Lets others overtake the next packet."""
        at, _, packet, place = heapq.heappop(self._under_way)
        self._schedule(packet, place, at + delay)

    def _pass_link(self, packet: Packet, now: float) -> None:
        copies = 2 if self._random.random() < self.link.duplicate else 1
        for _ in range(copies):
            if not self.link.is_cut and self._random.random() >= self.link.drop:
                delay = self.link.latency + self.link.jitter * self._random.random()
                self._schedule(packet, None, now + delay)

    def _schedule(self, packet: Packet, place: Place, at: float) -> None:
        self._count += 1
        heapq.heappush(self._under_way, (at, self._count, packet, place))

    def _arrive(self, packet: Packet, place: Place, now: float) -> None:
        way: Way | None = Way(_endpoint(packet.source), _endpoint(packet.destination))
        while way is not None:
            station = self._stations.get((place, way.destination.address))
            if station is None:
                return
            if not isinstance(station, NatModel):
                arrived = _packet(packet.data, way)
                station.receive_packet(arrived, arrived.destination, now)
                return
            way, place = station.inbound(way, now), station


def _endpoint(address: TransportAddress) -> Endpoint:
    return Endpoint(address.ip, address.port)


def _transport_address(endpoint: Endpoint) -> TransportAddress:
    return TransportAddress(endpoint.address, endpoint.port)


def _packet(data: bytes, way: Way) -> Packet:
    return Packet(data, _transport_address(way.source), _transport_address(way.destination))
