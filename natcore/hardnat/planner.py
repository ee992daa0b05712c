"""What to do about two NATs: a pure function of what both sides have measured and can do.

Both sides compute it, each with itself as ``own``, and come to the same technique and to matching roles,
because the choice reads nothing but the two summaries. The first row that fits decides:

==================================  ==================================  ==========  =======  =======
one side                            the other                           technique   one      other
==================================  ==================================  ==========  =======  =======
no UDP                              anything                            give up     rest     rest
any two of which natcore.nat says   that they meet                      plain       check    check
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

"Strict" filters by address and port; "sequential" and "random" map each destination anew. What each role
does is in :mod:`natcore.hardnat.plans`. What was not measured is taken for what most home routers do, so that
plain checks are tried first; a sequential side without fresh samples counts as random.

A side that filters by address is hit from any port of the other's, so it can hold though the other has no
endpoint to tell. Where both are strict and one is random, each packet names a pair of ports, of which there
are four thousand millions; and where pools are so small that this could be done, it would take all of the
subscriber's ports. Whatever the row, sides that would meet in fewer than half of the attempts give up at once
and say why.

How a holding side speaks. Its packets open its own NAT and die before the peer's (``opener_ttl``): a router
that takes unsolicited packets for itself would move the peer's mapping, and just for the ports that count.
With packets that go all the way a symmetric and a naive NAT met in 16 of 40 attempts, with these in 39. Only
when the peer has tried all its ports do they go all the way, which finds what was lost or tried too early. It
costs 0.2 s in the median.

What came of it in virtual time (``pytest -s tests/sim/test_hardnat.py``): a round trip of 40 ms, seconds from
the start until both have heard the other.

===========================================  ==========  ======  ===============
pair                                         met         median  99 of 100 in
===========================================  ==========  ======  ===============
random of 64,512 ports x one endpoint        399 of 400  1.3     5.9
the same, 10 % of packets lost               99 of 100   1.6     6.0
random of 16,384 ports x one endpoint        50 of 50    0.6     1.7
sequential x one endpoint                    100 of 100  0.05    0.05
the same, 100 strange mappings a second      100 of 100  0.05    0.07
sequential x sequential                      50 of 50    0.05    0.05
the same, 20 strange mappings a second each  50 of 50    0.08    0.50
the same, ports of the callee seen 5 s ago   99 of 100   0.23    1.12
sequential x sequential, 200 of them         31 of 50    0.72
===========================================  ==========  ======  ===============
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from math import inf
from types import MappingProxyType

from natcore.hardnat.behavior import SideSummary
from natcore.hardnat.drift import Drift
from natcore.hardnat.limits import HardNatLimits
from natcore.hardnat.means import Means, Pair
from natcore.hardnat.plans import GiveUpReason, Plan, Role, Target, Technique
from natcore.hardnat.ports import PORT_COUNT, PortPool
from natcore.nat import FilteringBehavior, MappingBehavior, Outcome, expected_outcome

MIN_PROBABILITY = 0.5
"""Of meeting; with less the packets are not worth it. No limit of the owner's, for both sides must agree."""


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


def plan(
    own: SideSummary, peer: SideSummary, limits: HardNatLimits, *, opener_ttl: int | None = None
) -> Plan:
    """What we do about these two NATs, at the introduction or at any time after it.

    Args:
        own: what we told the peer, as old as it is when the attempt starts.
        peer: what the peer told us, likewise.
        limits: bind our own packets; they do not enter into the choice.
        opener_ttl: hops to our own NAT and one more, where they were counted; else that of the limits.
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
    pair = Pair(technique, Means.of(own, technique, role), Means.of(peer, technique, peer_role))
    probability, median = pair.odds()
    if probability < MIN_PROBABILITY:
        words = f"{words}: they would meet in {probability:.1%} of attempts"
        return _rest(GiveUpReason.TOO_EXPENSIVE, words, probability, limits)
    sockets = min(pair.own.sockets, limits.max_sockets)
    return Plan(
        technique=technique,
        role=role,
        evidence=words,
        sockets=sockets,
        packets=min(pair.own.packets, limits.max_packets),
        rate=pair.rate,
        opener_ttl=_opener_ttl(limits, opener_ttl) if role is Role.HOLD else None,
        probability=probability,
        median_seconds=median,
        duration=min(pair.duration, limits.max_duration),
        target=Target(
            pool=pair.peer.pool,
            drift=pair.peer.drift if technique is Technique.PREDICTION else None,
            sockets=pair.peer.sockets,
            tried_after=pair.peer.packets / pair.rate,
            aims=pair.aims[:sockets],
        ),
    )


def _opener_ttl(limits: HardNatLimits, measured: int | None) -> int | None:
    return limits.opener_ttl if measured is None or limits.opener_ttl is None else measured


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


def in_words(side: SideSummary) -> str:
    """What a side's NAT does, as a clause that follows "the NAT"."""
    if side.mapping is None or side.filtering is None:
        return "could not be measured in full"
    maps = "keeps one endpoint"
    if side.mapping is not MappingBehavior.ENDPOINT_INDEPENDENT:
        maps = "gives each destination " + _portsin_words(side)
    match side.filtering:
        case FilteringBehavior.ENDPOINT_INDEPENDENT:
            return f"{maps} and lets in everybody"
        case FilteringBehavior.ADDRESS_DEPENDENT:
            return f"{maps} and lets in addresses that it has sent to"
        case FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT:
            return f"{maps} and lets in endpoints that it has sent to"


def _portsin_words(side: SideSummary) -> str:
    drift = Drift.of(side)
    if drift is not None:
        return f"a port {drift.step:+d} from the last, others taking about {drift.rate:.0f} a second"
    pool = PortPool.of(side)
    return "a random port" if pool.size == PORT_COUNT else f"a random port of {pool.low} to {pool.high}"
