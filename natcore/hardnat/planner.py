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
random, strict                      random, strict                      birthday    scatter  scatter
random, strict                      sequential, strict                  give up     rest     rest
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
from math import exp, inf, log, sqrt
from types import MappingProxyType
from typing import NamedTuple

from natcore.hardnat.behavior import SideSummary
from natcore.hardnat.birthday import median_seconds, meeting_probability
from natcore.hardnat.limits import HardNatLimits
from natcore.hardnat.ports import PORT_COUNT, Drift, PortPool, sweep
from natcore.nat import FilteringBehavior, MappingBehavior, Outcome, PortAllocation, expected_outcome

MIN_PROBABILITY = 0.5
"""Of meeting; with less the packets are not worth it. No limit of the owner's, for both sides must agree."""

PREDICTION_SOCKETS = 16
"""That hold next to a predictable NAT. More make a wider target, but 16 are opened in 64 ms, and the easy side
tries 250 ports a second; so even a NAT that is 100 ports off is hit within half a second."""

SWEEP_ROUNDS = 3
"""How often what was swept is sent: the mappings stay, and one packet of ten may be lost."""

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
        pool: the ports of the peer's that random probes go to first.
        drift: of the peer's NAT, where it is predictable and we aim at it.
        held: sockets that the peer holds where we spray.
        aims: where our sockets aim, in order, when we sweep.
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
    pool: PortPool = PortPool()  # noqa: RUF009 (it is frozen)
    drift: Drift | None = None
    held: int = 0
    aims: tuple[int, ...] = ()


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
        (_Kind.RANDOM, _Kind.RANDOM): (Technique.BIRTHDAY, Role.SCATTER, Role.SCATTER),
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
    technique, role = _look_up(_kind(own), _kind(peer))
    if technique is Technique.GIVE_UP:
        return _rest(GiveUpReason.BOTH_UNPREDICTABLE, f"{words}: neither can aim at the other", 0.0, limits)
    odds = _odds(technique, role, own, peer)
    if odds.probability < MIN_PROBABILITY:
        both_random = role is Role.SCATTER and own.filtering is not FilteringBehavior.ADDRESS_DEPENDENT
        reason = GiveUpReason.BOTH_UNPREDICTABLE if both_random else GiveUpReason.TOO_EXPENSIVE
        words = f"{words}: they would meet in {odds.probability:.1%} of attempts of {own.packets} packets"
        return _rest(reason, words, odds.probability, limits)
    return _attempt(technique, role, words, odds, own, peer, limits)


def _attempt(
    technique: Technique,
    role: Role,
    words: str,
    odds: _Odds,
    own: SideSummary,
    peer: SideSummary,
    limits: HardNatLimits,
) -> Plan:
    rate = _rate(own, peer)
    packets = min(own.packets, limits.max_packets)
    sockets = min(_holding_sockets(own, technique), limits.max_sockets)
    longest = max(own.packets, peer.packets)
    aims: tuple[int, ...] = ()
    match role:
        case Role.SPRAY:
            sockets = 0
        case Role.SWEEP:
            aims = _aims(own, peer)[: limits.max_sockets]
            sockets = len(aims)
            packets = min(packets, SWEEP_ROUNDS * sockets)
            longest = SWEEP_ROUNDS * sockets
        case _:
            pass
    return Plan(
        technique=technique,
        role=role,
        evidence=words,
        sockets=sockets,
        packets=packets,
        rate=rate,
        opener_ttl=limits.opener_ttl if role is Role.HOLD else None,
        probability=odds.probability,
        median_seconds=odds.median_seconds,
        duration=longest / rate + SETTLE_INTERVAL,
        pool=PortPool.of(peer),
        drift=Drift.of(peer) if technique is Technique.PREDICTION and role is Role.SPRAY else None,
        held=_holding_sockets(peer, technique) if role is Role.SPRAY else 0,
        aims=aims,
    )


def _checks(technique: Technique, role: Role, words: str, limits: HardNatLimits) -> Plan:
    return Plan(
        technique=technique,
        role=role,
        evidence=words,
        rate=limits.packet_rate,
        probability=1.0,
        median_seconds=0.0,
        duration=limits.hopeless_duration,
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
        duration=limits.hopeless_duration,
    )


def _look_up(ours: _Kind, theirs: _Kind) -> tuple[Technique, Role]:
    if (ours, theirs) in _TABLE:
        technique, role, _ = _TABLE[ours, theirs]
    else:
        technique, _, role = _TABLE[theirs, ours]
    return technique, role


def _kind(side: SideSummary) -> _Kind:
    if side.assumed().mapping is MappingBehavior.ENDPOINT_INDEPENDENT:
        return _Kind.EASY
    is_open = side.filtering is FilteringBehavior.ADDRESS_DEPENDENT
    if _is_predictable(side):
        return _Kind.SEQUENTIAL_OPEN if is_open else _Kind.SEQUENTIAL
    return _Kind.RANDOM_OPEN if is_open else _Kind.RANDOM


def _is_predictable(side: SideSummary) -> bool:
    return side.allocation is PortAllocation.SEQUENTIAL and Drift.of(side) is not None


def _rate(own: SideSummary, peer: SideSummary) -> int:
    return min(own.packet_rate, peer.packet_rate)


# --- how probable it is ------------------------------------------------------------------------------------


class _Odds(NamedTuple):
    """The same on both sides."""

    probability: float
    median_seconds: float


def _odds(technique: Technique, role: Role, own: SideSummary, peer: SideSummary) -> _Odds:
    match role:
        case Role.HOLD:
            return _odds_of_holding(technique, own, peer)
        case Role.SPRAY:
            return _odds_of_holding(technique, peer, own)
        case Role.SWEEP:
            return _odds_of_sweeping(own, peer)
        case _:
            return _odds_of_scattering(own, peer)


def _holding_sockets(side: SideSummary, technique: Technique) -> int:
    return min(side.sockets, PREDICTION_SOCKETS) if technique is Technique.PREDICTION else side.sockets


def _odds_of_holding(technique: Technique, holder: SideSummary, sprayer: SideSummary) -> _Odds:
    sockets, rate = _holding_sockets(holder, technique), _rate(holder, sprayer)
    drift = Drift.of(holder)
    if technique is Technique.BIRTHDAY or drift is None:
        ports = PortPool.of(holder).size
        probability = meeting_probability(sockets, sprayer.packets, ports)
        return _Odds(probability, median_seconds(sockets, ports, rate))
    if not sockets:
        return _Odds(0.0, inf)
    within_reach = min(1.0, sum(islice(drift.probabilities(sockets / rate), sprayer.packets)))
    return _Odds(within_reach, (sockets / 2 + drift.deviation(sockets / rate)) / rate)


def _aims(own: SideSummary, peer: SideSummary) -> tuple[int, ...]:
    ours, theirs = Drift.of(own), Drift.of(peer)
    if ours is None or theirs is None:
        return ()
    return tuple(sweep(ours, theirs, sockets=min(own.sockets, peer.sockets), rate=_rate(own, peer)))


def _odds_of_sweeping(own: SideSummary, peer: SideSummary) -> _Odds:
    """Each burst meets where no other host took one of the two ports that count."""
    rate, bursts = _rate(own, peer), [len(list(burst)) for _, burst in groupby(_aims(own, peer))]
    if not bursts:
        return _Odds(0.0, inf)
    missed = 1.0
    for side in (own, peer):
        drift = Drift.of(side)
        missed *= 1.0 if drift is None else rate / (rate + drift.rate)
    return _Odds(1 - (1 - missed) ** len(bursts), bursts[0] / 2 / rate)


def _odds_of_scattering(own: SideSummary, peer: SideSummary) -> _Odds:
    """Pairs of a port of one pool and one of the other, of which each packet names one."""
    rate, ours, theirs = _rate(own, peer), PortPool.of(own).size, PortPool.of(peer).size
    if not (own.sockets and peer.sockets):
        return _Odds(0.0, inf)
    if own.filtering is FilteringBehavior.ADDRESS_DEPENDENT:
        # Any packet of the peer's that hits one of our ports has met.
        a_packet = peer.sockets / theirs, own.sockets / ours
        meetings = own.packets * a_packet[0] + peer.packets * a_packet[1]
        return _Odds(1 - exp(-meetings), log(2) / sum(a_packet) / rate)
    meetings = own.packets * peer.packets / (ours * theirs)
    return _Odds(1 - exp(-meetings), sqrt(log(2) * ours * theirs) / rate)


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
    if _is_predictable(side) and drift is not None:
        return f"a port {drift.step:+d} from the last, others taking about {drift.rate:.0f} a second"
    pool = PortPool.of(side)
    return "a random port" if pool.size == PORT_COUNT else f"a random port of {pool.low} to {pool.high}"
