"""Two hard attempts against each other in virtual time: a probe is a word, and hearing it is meeting.

Before they start, each host has taken two bursts of samples of its NAT's ports, and both know each other's
summary. A probe with a TTL passes its own NATs and dies on the way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address

from natcore.address import TransportAddress
from natcore.agent import Transmit
from natcore.discovery.sampling import BURST_INTERVAL, BURST_SIZE
from natcore.hardnat import (
    AttemptState,
    HardAttempt,
    HardNatLimits,
    HostBudget,
    Plan,
    PortSample,
    SideSummary,
    VerifiedAddress,
    plan,
)
from natcore.nat import PortAllocation
from netlab.model import NatModel, models_of
from netlab.profiles import NatProfile
from tests.sim.conversation import Conversation
from tests.sim.discovery import OtherDevice
from tests.sim.network import Link, Network, Packet, Place
from tests.sim.pair import Site, make_sites, seeded

RTT = 0.040

SERVER = TransportAddress(IPv4Address("198.51.100.10"), 10080)

LOOK = 0.25
"""Seconds before the start at which a client has begun its latest look at its NAT's ports, where it has just
woken: two bursts, and two and a half round trips until both have the other's summary."""

OLD_SOCKET, OLD_MAPPINGS = 999, 209
"""A socket number of an earlier program's, and how many mappings the NAT has made since."""

ANSWERS_AFTER = (0.0, 0.05, 0.15, 0.35, 0.75)
"""Seconds from hearing the peer: a triggered check and its repetitions (RFC 8445 section 7.3.1.4)."""

LIMIT = 14.0
"""Seconds after the start in which an attempt has ended."""


class HardHost:
    """A host with one attempt; who hears the other answers, and hearing an answer is meeting, too.

    Attributes:
        attempt: once it has started.
        met_at: when it heard the peer.
        sent_at: of every probe.
    """

    def __init__(self, site: Site, place: Place, network: Network) -> None:
        self.site = site
        self.attempt: HardAttempt | None = None
        self.met_at: float | None = None
        self.sent_at: list[float] = []
        self._answer: Transmit | None = None
        self._answers_at: list[float] = []
        self._place, self._network = place, network
        self._sampled = 0
        network.attach(site.host.ip, place, self)

    def base(self, index: int) -> TransportAddress:
        return TransportAddress(self.site.host.ip, self.site.host.port + index)

    def sample(self, now: float, *, number: int | None = None) -> tuple[float, int]:
        """The port of a socket that is used for nothing else, or of the one with this number."""
        self._sampled += 1
        base = self.base(1000 + self._sampled if number is None else number)
        seen = self._network.observe(base, self._place, SERVER, now)
        assert seen is not None
        return now, seen.port

    def reflexive_address(self, now: float) -> TransportAddress:
        """As the server sees socket 0."""
        seen = self._network.observe(self.base(0), self._place, SERVER, now)
        assert seen is not None
        return seen

    def check(self, peer: TransportAddress, now: float) -> None:
        """Plain checks, which open our NAT and are in vain: to the peer's public endpoint and its host."""
        for address in (peer, TransportAddress(IPv4Address("192.168.99.9"), 40000)):
            self._network.observe(self.base(0), self._place, address, now)

    def receive_packet(self, packet: Packet, base: TransportAddress, now: float) -> None:
        if self.met_at is None:
            self.met_at = now
            if self.attempt is not None:
                self.attempt.succeed()
            self._answer = Transmit(data=b"answer", destination=packet.source, base=base)
            self._answers_at = [now + after for after in ANSWERS_AFTER]

    def get_timer(self) -> float | None:
        attempt_at = None if self.attempt is None else self.attempt.get_timer()
        return min((at for at in (attempt_at, *self._answers_at[:1]) if at is not None), default=None)

    def handle_timer(self, now: float) -> None:
        if self.attempt is not None:
            self._probe(self.attempt, now)
        if self._answer is not None and self._answers_at and self._answers_at[0] <= now:
            self._answers_at.pop(0)
            self._send(self._answer, now)

    def begin(self, attempt: HardAttempt) -> None:
        """Makes an attempt, unless the peer has been heard on the socket of the plain checks."""
        self.attempt = attempt
        if self.met_at is not None:
            attempt.succeed()

    def _probe(self, attempt: HardAttempt, now: float) -> None:
        attempt.handle_timer(now)
        for probe in attempt.probes_to_send():
            self.sent_at.append(now)
            base = self.base(probe.socket_index)
            self._send(Transmit(data=b"probe", destination=probe.destination, base=base, ttl=probe.ttl), now)

    def _send(self, transmit: Transmit, now: float) -> None:
        if transmit.ttl is None:
            self._network.send(transmit, self._place, now)
        else:
            self._network.observe(transmit.base, self._place, transmit.destination, now)


@dataclass(slots=True, kw_only=True)
class Scene:
    """What is the same in all attempts of a series.

    Attributes:
        profiles: of the two sides.
        background: new mappings that other hosts make at each NAT, a second.
        drop: the probability that a packet is lost on the link.
        skew: how much later the second side starts, in seconds.
        looks: seconds before the start at which the second side began to look at its NAT's ports.
        reuses: whether in each burst one socket has the number of an earlier one.
        limits: of both.
    """

    profiles: tuple[NatProfile | str, NatProfile | str]
    background: float = 0.0
    drop: float = 0.0
    skew: float = 0.010
    looks: tuple[float, ...] = (LOOK,)
    reuses: bool = False
    limits: HardNatLimits = field(default_factory=HardNatLimits)


@dataclass(frozen=True, slots=True)
class Result:
    """How one attempt ended.

    Attributes:
        seconds: from the start until the second of the two had heard the first, or None.
        ended: seconds until both attempts were over.
        packets: of the side that sent more.
        busiest: packets of one side in its busiest second.
        plans: of the two sides.
    """

    seconds: float | None
    ended: float
    packets: int
    busiest: int
    plans: tuple[Plan, Plan]


class HardPair(Conversation):
    """See the module; :meth:`meet` is one attempt of each side."""

    def __init__(self, scene: Scene, seed: int) -> None:
        super().__init__(Network(Link(latency=RTT / 2, drop=scene.drop), seed=seed))
        self._scene, self._seed = scene, seed
        self.hosts = [
            self._settle(site, seed=4 * seed + 2 * index)
            for index, site in enumerate(make_sites(*scene.profiles))
        ]

    def _settle(self, site: Site, *, seed: int) -> HardHost:
        place: Place = None
        routers = models_of(site.profile, site.public_ip, seed=seed)
        for router in reversed(routers):
            _let_it_have_lived(router, seed)
            self.network.connect(router, place)
            place = router
        if routers and self._scene.background:
            self.take_part(OtherDevice(routers[-1], self._scene.background, seed))
        host = HardHost(site, place, self.network)
        self.take_part(host)
        return host

    def meet(self) -> Result:
        start_at = max(self._scene.looks) + 1.0
        if self._scene.reuses:
            for host in self.hosts:
                host.sample(self.now, number=OLD_SOCKET)
                for _ in range(OLD_MAPPINGS):
                    host.sample(self.now)
        samples: list[list[tuple[float, int]]] = [[], []]
        looks = [(LOOK, 0), *((look, 1) for look in self._scene.looks)]
        for before, index in sorted(
            ((look - burst * BURST_INTERVAL, index) for look, index in looks for burst in range(2)),
            reverse=True,
        ):
            self.advance(start_at - before - self.now)
            samples[index] += self._burst(self.hosts[index])
        addresses = [VerifiedAddress(host.reflexive_address(self.now)) for host in self.hosts]
        self.advance(start_at - self.now)
        for host, peer in zip(self.hosts, reversed(addresses), strict=True):
            host.check(peer, self.now)
        sides = [
            summary(host.site.profile, taken, self.now, self._scene.limits)
            for host, taken in zip(self.hosts, samples, strict=True)
        ]
        plans = plan(sides[0], sides[1], self._scene.limits), plan(sides[1], sides[0], self._scene.limits)
        for index, host in enumerate(self.hosts):
            budget = HostBudget(self._scene.limits).begin()
            assert budget is not None
            host.begin(
                HardAttempt(
                    plans[index],
                    peer=addresses[1 - index],
                    budget=budget,
                    random=seeded(f"{self._seed} {index}"),
                    now=self.now,
                )
            )
            if index == 0:
                self.advance(self._scene.skew)
        self.drive_while(self._is_running, limit=LIMIT, what="an end")
        ended = self.now - start_at
        heard = [host.met_at for host in self.hosts]
        return Result(
            seconds=max(at for at in heard if at) - start_at if all(heard) else None,
            ended=ended,
            packets=max(len(host.sent_at) for host in self.hosts),
            busiest=max(busiest_second(host.sent_at) for host in self.hosts),
            plans=plans,
        )

    def _burst(self, host: HardHost) -> list[tuple[float, int]]:
        old = [OLD_SOCKET] if self._scene.reuses else []
        numbers: list[int | None] = [None] * (BURST_SIZE - len(old))
        numbers[self._seed % BURST_SIZE : 0] = old
        return [host.sample(self.now, number=number) for number in numbers]

    def _is_running(self) -> bool:
        return any(
            host.attempt is not None and host.attempt.state is AttemptState.RUNNING for host in self.hosts
        )


def summary(
    profile: NatProfile, taken: list[tuple[float, int]], now: float, limits: HardNatLimits
) -> SideSummary:
    """What a discovery would have found (tests/sim/test_discovery.py holds it to the truth)."""
    seen = profile.seen
    ports = [port for _, port in taken]
    return SideSummary(
        mapping=seen.mapping,
        filtering=seen.filtering,
        allocation=seen.allocation,
        step=seen.port_step if seen.allocation is PortAllocation.SEQUENTIAL else None,
        lowest=min(ports),
        highest=max(ports),
        seen=len(ports),
        samples=tuple(PortSample(port=port, age=now - at) for at, port in taken),
        sockets=limits.max_sockets,
        packets=limits.max_packets,
        packet_rate=limits.packet_rate,
    )


def busiest_second(instants: list[float]) -> int:
    """Packets in the fullest second of all."""
    first, most = 0, 0
    for last, instant in enumerate(instants):
        while instants[first] < instant - 1.0 + 1e-9:
            first += 1
        most = max(most, last - first + 1)
    return most


def _let_it_have_lived(router: NatModel, seed: int) -> None:
    """A sequential NAT that was just switched on is at its lowest port, as none is that one meets."""
    if router.behavior.allocation is PortAllocation.SEQUENTIAL:
        router._taken_count = seed * 7919 % 50_000
