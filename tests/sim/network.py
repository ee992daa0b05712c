"""A network in virtual time: hosts, their NATs, and a link that delays, drops, duplicates and reorders.

Whoever calls :meth:`Network.send` has the packet judged by the sender's NAT at once and by the receiver's NAT
when it arrives, as it would be. Everything random comes from one seed.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass
from typing import Protocol

from natcore.address import IPAddress, TransportAddress
from natcore.agent import Transmit
from tests.sim.nat import SimulatedNat

LAN_LATENCY = 0.001
"""Seconds, one way, between two hosts behind one NAT."""


@dataclass(slots=True, kw_only=True)
class Link:
    """What the wide-area link does to each packet. Change the fields at any time.

    Attributes:
        latency: seconds, one way.
        jitter: up to so many seconds more, drawn for each packet: reorders.
        drop: the probability that a packet is lost.
        duplicate: the probability that a packet arrives twice.
        is_cut: nothing passes.
    """

    latency: float = 0.025
    jitter: float = 0.0
    drop: float = 0.0
    duplicate: float = 0.0
    is_cut: bool = False


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


@dataclass(frozen=True, slots=True)
class _Host:
    receiver: Receiver
    nat: SimulatedNat | None


class Network:
    """See the module.

    Attributes:
        link: between any two hosts that are not on one network.
        sent: every datagram that a host sent, as it left the host, in order.
    """

    def __init__(self, link: Link, *, seed: int) -> None:
        self.link = link
        self.sent: list[tuple[float, Transmit]] = []
        self._random = random.Random(seed)
        self._hosts: dict[tuple[SimulatedNat | None, IPAddress], _Host] = {}
        self._nats: dict[IPAddress, SimulatedNat] = {}
        self._under_way: list[tuple[float, int, Packet, SimulatedNat | None]] = []
        self._count = 0

    def attach(self, ip: IPAddress, nat: SimulatedNat | None, receiver: Receiver) -> None:
        """Connects a host: to the internet, or to the network behind ``nat``."""
        self._hosts[nat, ip] = _Host(receiver, nat)
        if nat is not None:
            self._nats[nat.public_ip] = nat

    def send(self, transmit: Transmit, nat: SimulatedNat | None, now: float) -> None:
        """Takes a datagram from a host that sits behind ``nat``."""
        self.sent.append((now, transmit))
        destination = transmit.destination
        if nat is not None and (nat, destination.ip) in self._hosts:
            packet = Packet(transmit.data, transmit.base, destination)
            self._schedule(packet, nat, now + LAN_LATENCY)
            return
        source = transmit.base if nat is None else nat.translate_outbound(transmit.base, destination)
        if source is None or (
            nat is not None and destination.ip == nat.public_ip and not nat.behavior.hairpinning
        ):
            return
        self._pass_link(Packet(transmit.data, source, destination), now)

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
        now, _, packet, lan = heapq.heappop(self._under_way)
        self._arrive(packet, lan, now)

    # --- the tests' own fingers in the wire ----------------------------------------------------------------

    def drop_next(self) -> None:
        """Loses the next packet."""
        heapq.heappop(self._under_way)

    def duplicate_next(self, delay: float) -> None:
        """Sends a copy of the next packet so many seconds behind it."""
        at, _, packet, lan = self._under_way[0]
        self._schedule(packet, lan, at + delay)

    def postpone_next(self, delay: float) -> None:
        """Lets others overtake the next packet."""
        at, _, packet, lan = heapq.heappop(self._under_way)
        self._schedule(packet, lan, at + delay)

    def _pass_link(self, packet: Packet, now: float) -> None:
        copies = 2 if self._random.random() < self.link.duplicate else 1
        for _ in range(copies):
            if not self.link.is_cut and self._random.random() >= self.link.drop:
                delay = self.link.latency + self.link.jitter * self._random.random()
                self._schedule(packet, None, now + delay)

    def _schedule(self, packet: Packet, lan: SimulatedNat | None, at: float) -> None:
        self._count += 1
        heapq.heappush(self._under_way, (at, self._count, packet, lan))

    def _arrive(self, packet: Packet, lan: SimulatedNat | None, now: float) -> None:
        base: TransportAddress | None = packet.destination
        if lan is None and packet.destination.ip in self._nats:
            lan = self._nats[packet.destination.ip]
            base = lan.translate_inbound(packet.destination.port, packet.source)
        host = None if base is None else self._hosts.get((lan, base.ip))
        if host is not None and base is not None:
            host.receiver.receive_packet(packet, base, now)
