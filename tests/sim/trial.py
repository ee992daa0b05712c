"""One trial: a node calls another in virtual time, with everything that the product has, and what came of it.

Two client endpoints, the real registry behind two addresses, and between them the models of two profiles.
Each side registers, wakes and measures its NAT; then one calls the other, with a first message. So a trial is
what ``peer connect`` and ``peer listen`` do in a lab, without sockets and without waiting, and what a seed
has chosen (round trip, loss, jitter, who is late) happens the same way in every run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from ipaddress import IPv4Address
from random import Random

from natcore.address import TransportAddress
from natcore.channel import MessageConfirmed, SessionConfirmed, SessionEnded
from natcore.endpoint import ClientEndpoint, ConnectFailed, EndpointConfig, WakingFailed
from natcore.hardnat import HardNatLimits, SideSummary, Technique, plan
from natcore.nat import EarlyInbound, Outcome, PortAllocation, expected_outcome
from natcore.registry.reflection import Offer
from netlab.profiles import NatProfile
from peer.exit_codes import ExitCode
from peer.node import CONNECT_TIMEOUT
from peer.report import TECHNIQUES
from tests.sim.conversation import Conversation
from tests.sim.discovery import OtherDevice
from tests.sim.hard import summary
from tests.sim.network import Link, Network, Place
from tests.sim.node import NodeHost
from tests.sim.pair import local_host, make_sites, seeded, settle
from tests.sim.server import ServerHost

SERVER_IPS = (IPv4Address("198.51.100.10"), IPv4Address("198.51.100.20"))
SERVER = TransportAddress(SERVER_IPS[0], 10080)
OFFER = Offer(
    port=SERVER.port,
    alternate_port=SERVER.port + 1,
    others={SERVER_IPS[0]: SERVER_IPS[1], SERVER_IPS[1]: SERVER_IPS[0]},
    second=frozenset(SERVER_IPS[1:]),
)

RTTS = (0.01, 0.04, 0.1, 0.3)
"""Seconds: one city, one country, one continent, a bad mobile network."""

LAGS = (0.0, 0.0, 0.25, 1.0, 3.0)
"""Round trips that one side hears of the introduction later than the other: a lost segment of its TCP."""

LOSS = 0.1
"""Of a lossy link."""

HOPS = (1, 12)
"""Routers between the two homes: in the lab, where what shall die early does not, and on the internet."""

BACKGROUNDS = (0.0, 0.0, 20.0)
"""New mappings a second that others make at each NAT."""

CALLS_AFTER = (0.0, 0.5, 2.0, 12.0)
"""Seconds that the two have been listening, when one calls: what was measured ages."""

SETTLED_WITHIN = 20.0
"""Seconds from the start in which a side has measured its NAT, or knows that UDP is blocked."""

MESSAGE = b"hello"


class Promise(Enum):
    """What two profiles ought to come to."""

    DIRECT = "direct"
    """Always, by plain checks: the law says so (natcore.nat)."""
    PROBABLE = "probable"
    """Nearly always, by prediction or birthday probing."""
    OPEN = "open"
    """Either way: a NAT moves its mapping when a packet comes early, which is for the timing to say."""
    APART = "apart"
    """Never: no UDP passes, or neither can aim at the other."""

    def is_kept(self, ending: Ending) -> bool:
        """Whether one ending is in accord with it."""
        return ending.is_direct is _WANTED.get(self, ending.is_direct)


_WANTED = {Promise.DIRECT: True, Promise.PROBABLE: True, Promise.APART: False}


@cache
def promise_of(caller: NatProfile, callee: NatProfile) -> Promise:
    """What two profiles ought to come to."""
    law = expected_outcome(caller.seen, callee.seen)
    if law is Outcome.DIRECT:
        return Promise.DIRECT
    planned = plan(_summary(caller), _summary(callee), HardNatLimits()).technique
    if planned is Technique.GIVE_UP:
        return Promise.APART
    remaps = any(one.seen.early_inbound is EarlyInbound.REMAPS for one in (caller, callee))
    return Promise.OPEN if remaps else Promise.PROBABLE


def _summary(behind: NatProfile) -> SideSummary:
    """What is to be measured of a NAT."""
    samples = [(0.0, port) for port in range(20_000, 20_004)]
    return replace(summary(behind, samples, 0.0, HardNatLimits()), udp_blocked=behind.seen.udp_blocked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What is not the profiles' doing.

    Attributes:
        rtt: seconds, of every path.
        jitter: seconds, up to so many more for each packet.
        loss: the probability that a datagram is lost; TCP is spared.
        hops: of the path between the homes.
        background: new mappings a second that others make at each NAT.
        lags: round trips that the caller and the callee hear the server later.
        calls_after: seconds that both have been listening when one calls.
    """

    rtt: float = 0.04
    jitter: float = 0.0
    loss: float = 0.0
    hops: int = 1
    background: float = 0.0
    lags: tuple[float, float] = (0.0, 0.0)
    calls_after: float = 0.0

    @classmethod
    def drawn(cls, chance: Random) -> Circumstances:
        """Any."""
        rtt, lag = chance.choice(RTTS), chance.choice(LAGS)
        return cls(
            rtt=rtt,
            jitter=chance.choice((0.0, rtt * chance.random() / 4)),
            loss=chance.choice((0.0, LOSS)),
            hops=chance.choice(HOPS),
            background=chance.choice(BACKGROUNDS),
            lags=(lag, 0.0) if chance.random() < 0.5 else (0.0, lag),
            calls_after=chance.choice(CALLS_AFTER),
        )

    def __str__(self) -> str:
        return (
            f"{self.rtt * 1e3:g} ms round trip and up to {self.jitter * 1e3:.1f} more, {self.loss:.0%} lost,"
            f" {self.hops} hops, {self.background:g} strange mappings a second,"
            f" lags {self.lags[0]:g} and {self.lags[1]:g} RTT,"
            f" called after {self.calls_after:g} s"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A call that can be repeated.

    Attributes:
        caller: the profile of the side that calls.
        callee: the other's.
        seed: of everything random in it.
        circumstances: see there.
    """

    caller: NatProfile
    callee: NatProfile
    seed: int
    circumstances: Circumstances

    @classmethod
    def drawn(cls, caller: NatProfile, callee: NatProfile, seed: int) -> Trial:
        """The trial of that seed."""
        circumstances = Circumstances.drawn(Random(f"{caller.name} {callee.name} {seed}"))
        if any(one.seen.port_pool for one in (caller, callee)):
            circumstances = replace(circumstances, background=0.0)  # it would take every port of a small pool
        return cls(caller=caller, callee=callee, seed=seed, circumstances=circumstances)

    @property
    def promise(self) -> Promise:
        """What it ought to come to."""
        return promise_of(self.caller, self.callee)

    def run(self) -> Ending:
        """Holds it."""
        return _Call(self).hold()

    def __str__(self) -> str:
        return f"{self.caller.name} calls {self.callee.name}, seed {self.seed}: {self.circumstances}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What came of a trial.

    Attributes:
        code: what ``peer connect`` would end with.
        seconds: from the order to connect until the caller had a path, or was told that there is none.
        technique: by which they met, as ``peer connect`` names it; None where they did not.
        reason: why there is no path, for people; empty where there is one.
        packets: of the side that sent more.
    """

    code: ExitCode
    seconds: float
    technique: str | None
    reason: str
    packets: int

    @property
    def is_direct(self) -> bool:
        """Whether both have a path, and the message was delivered."""
        return self.code is ExitCode.OK


class _Call(Conversation):
    """The two nodes and their server, in virtual time."""

    def __init__(self, trial: Trial) -> None:
        at = trial.circumstances
        link = Link(latency=at.rtt / 2, jitter=at.jitter, drop=at.loss, hops=at.hops)
        super().__init__(Network(link, seed=trial.seed))
        self._circumstances = at
        self._server = ServerHost(
            SERVER, self.network, latency=at.rtt / 2, random=seeded(f"{trial.seed} server"), offer=OFFER
        )
        self.take_part(self._server)
        sites = make_sites(trial.caller, trial.callee)
        places = settle(self.network, sites, trial.seed)
        self._nodes: list[NodeHost] = []
        for name, site, place in zip(("elsa", "anna"), sites, places, strict=True):
            _let_it_have_lived(place, trial.seed)
            if place is not None and at.background:
                self.take_part(OtherDevice(place, at.background, trial.seed))
            node = NodeHost(
                name, site.host.ip, place, self.network, chance=Random(f"{trial.seed} {name} host")
            )
            endpoint = ClientEndpoint(
                client_id=name,
                host_candidates=[local_host(site.host)],
                config=EndpointConfig(),
                random=seeded(f"{trial.seed} {name}"),
            )
            node.begin(endpoint, [site.host])
            self._nodes.append(node)
            self.take_part(node)
            self._dial(node, endpoint)

    def _dial(self, node: NodeHost, endpoint: ClientEndpoint) -> None:
        connection = self._server.open(node.hear_server, self.now)
        endpoint.connection_made(SERVER.ip, self.now)
        endpoint.wake(self.now)

        def write(now: float) -> None:
            self._server.write(connection, endpoint.data_to_send(), now)

        node.also_drain = write
        node.drain(self.now)

    def hold(self) -> Ending:
        caller, callee = self._nodes
        self.drive_while(
            lambda: not (caller.is_settled and callee.is_settled), limit=SETTLED_WITHIN, what="a measurement"
        )
        self.advance(self._circumstances.calls_after)
        for node, lag in zip(self._nodes, self._circumstances.lags, strict=True):
            node.lag = lag * self._circumstances.rtt
        began_at = self.now
        if WakingFailed not in caller.first:
            caller.connect(callee.name, self.now, early_data=MESSAGE)
            end = began_at + CONNECT_TIMEOUT
            while not self._is_over and self.step(until=end):
                pass
        return self._ending(began_at)

    @property
    def _is_over(self) -> bool:
        told = self._nodes[0].first
        return ConnectFailed in told or SessionEnded in told or self._have_met

    @property
    def _have_met(self) -> bool:
        """A message that is confirmed has been delivered."""
        caller, callee = (node.first for node in self._nodes)
        return SessionConfirmed in caller and SessionConfirmed in callee and MessageConfirmed in caller

    def _ending(self, began_at: float) -> Ending:
        told = self._nodes[0].first
        kind = SessionConfirmed if self._have_met else SessionEnded
        ends = (told[one] for one in (kind, ConnectFailed, WakingFailed) if one in told)
        at, last = next(ends, (self.now, None))
        sessions = [node.session for node in self._nodes if node.session is not None]
        code, reason = _in_words(last)
        return Ending(
            code=code,
            seconds=max(0.0, at - began_at),
            technique=TECHNIQUES[sessions[0].technique] if self._have_met else None,
            reason=reason,
            packets=max((one.packets_sent for one in sessions), default=0),
        )


def _in_words(last: object) -> tuple[ExitCode, str]:
    match last:
        case SessionConfirmed():
            return ExitCode.OK, ""
        case SessionEnded():
            return ExitCode.NO_PATH, f"{last.reason.value if last.reason else 'closed'} ({last.detail})"
        case ConnectFailed():
            return ExitCode.PEER_UNAVAILABLE, last.reason
        case WakingFailed():
            return ExitCode.NOT_AWAKE, last.reason
        case _:
            return ExitCode.NO_PATH, "none was found in time"


def _let_it_have_lived(place: Place, seed: int) -> None:
    """A sequential NAT that was just switched on is at its lowest port, as none is that one meets."""
    if place is not None and place.behavior.allocation is PortAllocation.SEQUENTIAL:
        place._taken_count = seed * 7919 % 50_000
