"""What to do about two NATs: a pure function of what both sides have measured and can do.

Both sides compute it, each with itself as ``own``, and come to the same technique and to matching roles,
because the choice reads nothing but the two summaries. The first row that fits decides:

==================================  ==================================  ==========  =======  =======
one side                            the other                           technique   roles
==================================  ==================================  ==========  ================
no UDP                              anything                            give up     rest     rest
                                    (the law of natcore.nat allows it)  plain       check    check
its gateway forwards a port         the same                            mapped      call     call
its gateway forwards a port         anything                            mapped      wait     call
one endpoint, strict                sequential                          prediction  spray    hold
one endpoint, strict                random                              birthday    spray    hold
sequential                          sequential                          prediction  sweep    sweep
sequential, filters by address      random                              prediction  hold     spray
random, filters by address          sequential, strict                  birthday    hold     spray
random, filters by address          random, strict                      birthday    hold     spray
random, filters by address          random, filters by address          birthday    scatter  scatter
random, strict                      random or sequential, strict        give up     rest     rest
==================================  ==================================  ==========  =======  =======

"Strict" filters by address and port; "sequential" and "random" map each destination anew. A side that
filters by address is hit from any port of the other's, so it can hold though the other has no endpoint to
tell. Where both are strict and one is random, each packet names a pair of ports, of which there are four
thousand millions; and with pools so small that this could be done, it would take all of the subscriber's
ports. A sequential side of which there are no fresh samples counts as random. Whatever the row, sides that
would meet in fewer than half of the attempts give up at once and say why.

How a holding side speaks. Its packets open its own NAT and die before the peer's (``opener_ttl``): a router
that takes unsolicited packets for itself would move the peer's mapping just for the ports that count. With
packets that go all the way, a symmetric and a naive NAT met in 30 of 40 attempts, and in 39 with these. Only
when the peer has tried all its ports do they go all the way, which finds what was lost or tried too early.
It costs 0.4 s in the median, for what is tried before it is held is found last.

What was measured in virtual time (tests/sim/test_hardnat.py), RTT 40 ms, from the start to both having heard:

=======================================  ============  ==============  ================
pair                                     met           median          99th percentile
=======================================  ============  ==============  ================
random, 64,512 ports x one endpoint      499 of 500    1.2 s           4.8 s
the same, 10 % of packets lost           199 of 200    1.5 s           6.1 s
sequential x one endpoint                all           0.05 s          0.07 s
the same, 200 strange mappings a second  all           0.05 s          0.2 s
sequential x sequential                  all           0.05 s          0.05 s
the same, 20 strange mappings a second   300 of 300    0.06 s          0.33 s
the same, 200 of them                    48 of 60      0.3 s           1.0 s
=======================================  ============  ==============  ================

===========  ==================================  ==========  =======  =======
one side                            the other                           technique   roles
==================================  ==================================  ==========  ================
no UDP                              anything                            give up     rest     rest
                                    (the law of natcore.nat allows it)  plain       check    check
its gateway forwards a port         the same                            mapped      call     call
its gateway forwards a port         anything                            mapped      wait     call
one endpoint, strict                sequential                          prediction  spray    hold
one endpoint, strict                random                              birthday    spray    hold
sequential                          sequential                          prediction  sweep    sweep
sequential, filters by address      random                              prediction  hold     spray
random, filters by address          sequential, strict                  birthday    hold     spray
random, filters by address          random, strict                      birthday    hold     spray
random, filters by address          random, filters by address          birthday    scatter  scatter
random, strict                      random or sequential, strict        give up     rest     rest
==================================  ==================================  ==========  =======  =======

"Strict" filters by address and port; "sequential" and "random" map each destination anew. A side that filters
by address is hit from any port of the other's, so it can hold though the other has no endpoint to tell. The
last but one row is for small pools: two NATs that draw from all ports would meet once in a thousand attempts.
Whatever the row, a side that would meet in fewer than half of the attempts gives up at once and says why.

===========  ===========================================================================================
role         does
===========  ===========================================================================================
check, call  plain checks to the peer's candidates, of which ``call`` knows that one is forwarded
wait         plain checks: they open nothing that must be opened, and do no harm
hold         opens many sockets towards the peer's endpoint, and sends from each again now and then
spray        sends from its one socket to many ports of the peer's, each once
sweep        sends a burst from many sockets to one port of the peer's, then to another
scatter      sends from many sockets to random ports of the peer's pool
rest         nothing
===========  ===========================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import groupby, islice
from math import inf
from types import MappingProxyType

from natcore.hardnat.behavior import SideSummary
from natcore.hardnat.birthday import median_seconds, meeting_probability
from natcore.hardnat.limits import HardNatLimits
from natcore.hardnat.ports import PORT_COUNT, Drift, PortPool, sweep
from natcore.nat import FilteringBehavior, MappingBehavior, Outcome, expected_outcome

MIN_PROBABILITY = 0.5
"""Of meeting; with less the packets are not worth it. No limit of the owner's, for both sides must agree."""

PREDICTION_SOCKETS = 16
"""That hold next to a predictable NAT. More make a wider target, but 16 are opened in 64 ms, and the easy
side tries 250 ports a second; so even a NAT that is 100 ports off is hit within half a second."""

HOLD_ROUNDS = 3
"""How often each holding socket sends: twice to open, for the first may be lost in the home, and once to
speak."""

SWEEP_ROUNDS = 3
"""How often what was swept is sent: the mappings stay, and one packet of ten may be lost."""

MAX_POOL_SHARE = 4
"""At most one in so many of the ports that a NAT gives out are taken for an attempt. Carriers give a
subscriber 64 to 2,048, and whoever else is at home needs some, too."""

SETTLE_INTERVAL = 1.0
"""Seconds after the last packet in which an answer may come: longer than any round trip on earth, twice."""


class Technique(Enum):
    """How the two sides try to meet."""

    PLAIN = "plain checks"
    MAPPED_PORT = "mapped port"
    PREDICTION = "port prediction"
    BIRTHDAY = "birthday probing"
    GIVE_UP = "give up"


class Role(Enum):
    """What one side does; see the module."""

    CHECK = "check"
    WAIT = "wait"
    CALL = "call"
    HOLD = "hold"
    SPRAY = "spray"
    SWEEP = "sweep"
    SCATTER = "scatter"
    REST = "rest"


class GiveUpReason(Enum):
    """Why no attempt is made."""

    UDP_BLOCKED = "udp-blocked"
    BOTH_UNPREDICTABLE = "both-unpredictable"
    """Both map each destination anew, one of them at random, and both let in only endpoints they sent to."""
    TOO_EXPENSIVE = "too-expensive"
    """It could be done, but hardly within the packets and sockets that the sides may spend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a plan says of the other side.

    Attributes:
        pool: the ports that random probes go to first.
        drift: of its NAT, where that is to be predicted.
        sockets: that it holds.
        tried_after: seconds until it has tried every port that it will.
        aims: the port that each of our sockets aims at, in order, when we sweep.
    """

    pool: PortPool
    drift: Drift | None
    sockets: int
    tried_after: float
    aims: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one side does in a hard attempt.

    Attributes:
        technique: the same on both sides.
        role: ours.
        evidence: a sentence on why, with what was measured.
        reason: why we give up, or None.
        sockets: that we open beside the one we have.
        packets: that we send at most; those of plain checks are not counted.
        rate: of them, in a second; the slower side's.
        opener_ttl: hops after which the first packet of each holding socket dies, or None.
        probability: of meeting.
        median_seconds: until half of all attempts have met, without what is under way.
        duration: seconds after which it has failed.
        target: where to aim, and until when.
    """

    technique: Technique
    role: Role
    evidence: str
    reason: GiveUpReason | None = None
    sockets: int = 0
    packets: int = 0
    rate: int
    opener_ttl: int | None = None
    probability: float
    median_seconds: float
    duration: float
    target: Target | None = None


class _Kind(Enum):
    """A side that plain checks and mapped ports did not help, as the table reads it."""

    EASY = "one endpoint, strict"
    SEQUENTIAL = "sequential, strict"
    SEQUENTIAL_OPEN = "sequential, filters by address"
    RANDOM = "random, strict"
    RANDOM_OPEN = "random, filters by address"


_TABLE: Mapping[tuple[_Kind, _Kind], tuple[Technique, Role, Role]] = MappingProxyType(
    {
        (_Kind.EASY, _Kind.SEQUENTIAL): (Technique.PREDICTION, Role.SPRAY, Role.HOLD),
        (_Kind.EASY, _Kind.SEQUENTIAL_OPEN): (Technique.PREDICTION, Role.SPRAY, Role.HOLD),
        (_Kind.EASY, _Kind.RANDOM): (Technique.BIRTHDAY, Role.SPRAY, Role.HOLD),
        (_Kind.EASY, _Kind.RANDOM_OPEN): (Technique.BIRTHDAY, Role.SPRAY, Role.HOLD),
        (_Kind.SEQUENTIAL, _Kind.SEQUENTIAL): (Technique.PREDICTION, Role.SWEEP, Role.SWEEP),
        (_Kind.SEQUENTIAL, _Kind.SEQUENTIAL_OPEN): (Technique.PREDICTION, Role.SWEEP, Role.SWEEP),
        (_Kind.SEQUENTIAL_OPEN, _Kind.SEQUENTIAL_OPEN): (Technique.PREDICTION, Role.SWEEP, Role.SWEEP),
        (_Kind.SEQUENTIAL_OPEN, _Kind.RANDOM): (Technique.PREDICTION, Role.HOLD, Role.SPRAY),
        (_Kind.SEQUENTIAL_OPEN, _Kind.RANDOM_OPEN): (Technique.PREDICTION, Role.HOLD, Role.SPRAY),
        (_Kind.RANDOM_OPEN, _Kind.SEQUENTIAL): (Technique.BIRTHDAY, Role.HOLD, Role.SPRAY),
        (_Kind.RANDOM_OPEN, _Kind.RANDOM): (Technique.BIRTHDAY, Role.HOLD, Role.SPRAY),
        (_Kind.RANDOM_OPEN, _Kind.RANDOM_OPEN): (Technique.BIRTHDAY, Role.SCATTER, Role.SCATTER),
        (_Kind.RANDOM, _Kind.RANDOM): (Technique.GIVE_UP, Role.REST, Role.REST),
        (_Kind.RANDOM, _Kind.SEQUENTIAL): (Technique.GIVE_UP, Role.REST, Role.REST),
    }
)
"""The rows of the module's table below the mapped ports, each pair of kinds once."""


def plan(own: SideSummary, peer: SideSummary, limits: HardNatLimits) -> Plan:
    """What we do about these two NATs.

    Args:
        own: what we told the peer, as old as it is when the attempt starts.
        peer: what the peer told us, likewise.
        limits: bind our own packets; they do not enter into the choice.
    """
    if own.udp_blocked or peer.udp_blocked:
        whose = "our" if own.udp_blocked else "the peer's"
        return _rest(GiveUpReason.UDP_BLOCKED, f"no UDP passes {whose} network", 0.0, limits)
    words = f"our NAT {in_words(own)}, the peer's {in_words(peer)}"
    if expected_outcome(own.assumed(), peer.assumed()) is not Outcome.IMPOSSIBLE:
        return _checks(Technique.PLAIN, Role.CHECK, words, limits)
    if own.has_mapped_port or peer.has_mapped_port:
        role = Role.CALL if peer.has_mapped_port else Role.WAIT
        whose = "the peer's" if peer.has_mapped_port else "our"
        return _checks(Technique.MAPPED_PORT, role, f"{words}, and {whose} gateway forwards a port", limits)
    technique, role, peer_role = _look_up(_kind(own), _kind(peer))
    if technique is Technique.GIVE_UP:
        return _rest(GiveUpReason.BOTH_UNPREDICTABLE, f"{words}: neither can aim at the other", 0.0, limits)
    pair = _Pair(technique, _Means.of(own, technique, role), _Means.of(peer, technique, peer_role))
    probability, median = pair.odds()
    if probability < MIN_PROBABILITY:
        words = f"{words}: they would meet in {probability:.1%} of attempts"
        return _rest(GiveUpReason.TOO_EXPENSIVE, words, probability, limits)
    return Plan(
        technique=technique,
        role=role,
        evidence=words,
        sockets=min(pair.own.sockets, limits.max_sockets),
        packets=min(pair.own.packets, limits.max_packets),
        rate=pair.rate,
        opener_ttl=limits.opener_ttl if role is Role.HOLD else None,
        probability=probability,
        median_seconds=median,
        duration=pair.duration,
        target=Target(
            pool=pair.peer.pool,
            drift=pair.peer.drift if technique is Technique.PREDICTION else None,
            sockets=pair.peer.sockets,
            tried_after=pair.peer.packets / pair.rate,
            aims=pair.aims,
        ),
    )


def _checks(technique: Technique, role: Role, words: str, limits: HardNatLimits) -> Plan:
    return Plan(
        technique=technique,
        role=role,
        evidence=words,
        rate=limits.packet_rate,
        probability=1.0,
        median_seconds=0.0,
        duration=limits.quiet_duration,
    )


def _rest(reason: GiveUpReason, words: str, probability: float, limits: HardNatLimits) -> Plan:
    return Plan(
        technique=Technique.GIVE_UP,
        role=Role.REST,
        evidence=words,
        reason=reason,
        rate=limits.packet_rate,
        probability=probability,
        median_seconds=inf,
        duration=limits.quiet_duration,
    )


def _look_up(ours: _Kind, theirs: _Kind) -> tuple[Technique, Role, Role]:
    if (ours, theirs) in _TABLE:
        return _TABLE[ours, theirs]
    technique, role, peer_role = _TABLE[theirs, ours]
    return technique, peer_role, role


def _kind(side: SideSummary) -> _Kind:
    if side.assumed().mapping is MappingBehavior.ENDPOINT_INDEPENDENT:
        return _Kind.EASY
    is_open = side.filtering is FilteringBehavior.ADDRESS_DEPENDENT
    if Drift.of(side) is not None:
        return _Kind.SEQUENTIAL_OPEN if is_open else _Kind.SEQUENTIAL
    return _Kind.RANDOM_OPEN if is_open else _Kind.RANDOM


# --- numbers -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Means:
    """What one side brings to an attempt.

    Attributes:
        sockets: that it opens.
        packets: that it sends.
        packet_rate: in a second.
        pool: of its NAT's ports.
        drift: of its NAT where that is predictable.
    """

    sockets: int
    packets: int
    packet_rate: int
    pool: PortPool
    drift: Drift | None

    @classmethod
    def of(cls, side: SideSummary, technique: Technique, role: Role) -> _Means:
        """What a role takes of what a side can give, without taking its NAT's last ports."""
        pool = PortPool.of(side)
        ports = pool.size // MAX_POOL_SHARE
        sockets, packets = min(side.sockets, ports), side.packets
        match role:
            case Role.HOLD:
                if technique is Technique.PREDICTION:
                    sockets = min(sockets, PREDICTION_SOCKETS)
                packets = min(packets, HOLD_ROUNDS * sockets)
            case Role.SWEEP:
                packets = min(packets, SWEEP_ROUNDS * sockets)
            case Role.SPRAY | Role.SCATTER:
                if role is Role.SPRAY:
                    sockets = 0
                if side.assumed().mapping is not MappingBehavior.ENDPOINT_INDEPENDENT:
                    packets = min(packets, ports)  # each takes one
            case _:
                pass
        return cls(sockets, packets, side.packet_rate, pool, Drift.of(side))


@dataclass(frozen=True, slots=True)
class _Pair:
    """Both sides' means; but for ``aims`` everything is the same on either side."""

    technique: Technique
    own: _Means
    peer: _Means

    @property
    def rate(self) -> int:
        return min(self.own.packet_rate, self.peer.packet_rate)

    @property
    def duration(self) -> float:
        """Until the slower side has tried everything, a holding one has spoken, and all that has arrived."""
        packets = max(self.own.packets, self.peer.packets)
        return (packets + max(self.own.sockets, self.peer.sockets)) / self.rate + SETTLE_INTERVAL

    @property
    def aims(self) -> tuple[int, ...]:
        """Where each of our sockets aims when we sweep; nothing where we do not."""
        if not (self.own.sockets and self.peer.sockets and self.own.drift and self.peer.drift):
            return ()
        sockets = min(self.own.sockets, self.peer.sockets)
        return tuple(sweep(self.own.drift, self.peer.drift, sockets=sockets, rate=self.rate))

    def odds(self) -> tuple[float, float]:
        """The probability of meeting, and the median of the seconds until then."""
        if self.own.sockets and self.peer.sockets:
            return (
                self._odds_of_sweeping() if self.technique is Technique.PREDICTION else self._odds_of_both()
            )
        holder, sprayer = (self.own, self.peer) if self.own.sockets else (self.peer, self.own)
        if self.technique is Technique.BIRTHDAY or holder.drift is None:
            probability = meeting_probability(holder.sockets, sprayer.packets, holder.pool.size)
            return probability, median_seconds(holder.sockets, holder.pool.size, self.rate)
        # A pass over the likely ports may be for nothing where the sides start apart, so half are counted.
        opened_after = holder.sockets / self.rate
        within_reach = sum(islice(holder.drift.probabilities(opened_after), sprayer.packets // 2))
        median = (holder.sockets / 2 + holder.drift.deviation(opened_after)) / self.rate
        return min(1.0, within_reach) if holder.sockets else 0.0, median

    def _odds_of_sweeping(self) -> tuple[float, float]:
        """Each burst meets where no other host took one of the two ports that count."""
        bursts = [len(list(burst)) for _, burst in groupby(self.aims)]
        meets = 1.0
        for drift in (self.own.drift, self.peer.drift):
            meets *= 0.0 if drift is None else self.rate / (self.rate + drift.rate)
        return 1 - (1 - meets) ** len(bursts), bursts[0] / 2 / self.rate

    def _odds_of_both(self) -> tuple[float, float]:
        """Two birthday probings at once, one in each direction."""
        own, peer = self.own, self.peer
        missed = 1.0
        for holder, sprayer in ((own, peer), (peer, own)):
            missed *= 1 - meeting_probability(holder.sockets, sprayer.packets, holder.pool.size)
        sockets, ports = min(own.sockets, peer.sockets), max(own.pool.size, peer.pool.size)
        return 1 - missed, median_seconds(sockets, ports // 2, self.rate)


# --- in words ----------------------------------------------------------------------------------------------


def in_words(side: SideSummary) -> str:
    """What a side's NAT does, as a clause that follows "the NAT"."""
    if side.mapping is None or side.filtering is None:
        return "could not be measured in full"
    maps = "keeps one endpoint"
    if side.mapping is not MappingBehavior.ENDPOINT_INDEPENDENT:
        maps = "gives each destination " + _ports_in_words(side)
    match side.filtering:
        case FilteringBehavior.ENDPOINT_INDEPENDENT:
            return f"{maps} and lets in everybody"
        case FilteringBehavior.ADDRESS_DEPENDENT:
            return f"{maps} and lets in addresses that it has sent to"
        case FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT:
            return f"{maps} and lets in endpoints that it has sent to"


def _ports_in_words(side: SideSummary) -> str:
    drift = Drift.of(side)
    if drift is not None:
        return f"a port {drift.step:+d} from the last, others taking about {drift.rate:.0f} a second"
    pool = PortPool.of(side)
    return "a random port" if pool.size == PORT_COUNT else f"a random port of {pool.low} to {pool.high}"
