"""The vocabulary of NAT behaviour (RFC 4787), and the law that says which pairs can meet.

A NAT is described by what it does, never by a nickname: how it maps, what it lets in, how it chooses ports.
``expected_outcome`` is the physics that the lab, the simulation and the documentation all read. It was
measured: 105 pairs of behaviours at three start skews each, without one mismatch (docs/lab.md).

The law takes plain connectivity checks (each side sends to the other's reflexive address and answers where
it hears from), one public address a side, and a rendezvous server on a third address. Two hosts behind the
*same* NAT are outside it: they meet through their public endpoints only where that NAT hairpins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeVar


class MappingBehavior(Enum):
    """When a NAT reuses a mapping for the same internal endpoint (RFC 4787 section 4.1).

    In order from the most to the least independent.
    """

    ENDPOINT_INDEPENDENT = "endpoint-independent"
    ADDRESS_DEPENDENT = "address-dependent"
    ADDRESS_AND_PORT_DEPENDENT = "address-and-port-dependent"


class FilteringBehavior(Enum):
    """From whom a NAT lets packets in to a mapped endpoint (RFC 4787 section 5).

    In order from the most open to the strictest.
    """

    ENDPOINT_INDEPENDENT = "endpoint-independent"
    ADDRESS_DEPENDENT = "address-dependent"
    ADDRESS_AND_PORT_DEPENDENT = "address-and-port-dependent"


class PortAllocation(Enum):
    """How a NAT chooses the external port of a new mapping (RFC 4787 section 4.2)."""

    PRESERVING = "preserving"
    RANDOM = "random"
    SEQUENTIAL = "sequential"


class EarlyInbound(Enum):
    """What an unsolicited packet does to a mapping that does not exist yet.

    Not in RFC 4787. A router that lets such a packet reach itself remembers the flow, and then has to give
    the inside host another port towards that sender: the mapping moves just when it is needed.
    """

    DROPS = "drops"
    REMAPS = "remaps"


class Outcome(Enum):
    """What plain connectivity checks between two sides come to."""

    DIRECT = "direct"
    IMPOSSIBLE = "impossible"
    TIMING = "timing"
    """Direct only while neither side's first packet arrives before the other side has sent."""


BehaviorT = TypeVar("BehaviorT", MappingBehavior, FilteringBehavior)


@dataclass(frozen=True, slots=True, kw_only=True)
class NatBehavior:
    """What a NAT, or a chain of NATs, does to UDP as seen from outside.

    A host without NAT is the default value: everything endpoint-independent, ports preserved.

    Attributes:
        mapping: when a mapping is reused.
        filtering: from whom packets are let in.
        allocation: how external ports are chosen.
        port_step: from one port of a sequential NAT to the next.
        port_pool: the number of contiguous ports that a NAT which does not preserve them chooses from; None
            for all from 1,024 up.
        hairpinning: whether two inside hosts reach each other through their external endpoints.
        mapping_lifetime: seconds that an idle mapping lives; RFC 4787 REQ-5 asks for 120 at least.
        inbound_refresh: whether a packet from outside keeps a mapping alive. One from inside always does
            (RFC 4787 REQ-6).
        early_inbound: what an unsolicited packet does to a later mapping.
        udp_blocked: no UDP passes in either direction.
    """

    mapping: MappingBehavior = MappingBehavior.ENDPOINT_INDEPENDENT
    filtering: FilteringBehavior = FilteringBehavior.ENDPOINT_INDEPENDENT
    allocation: PortAllocation = PortAllocation.PRESERVING
    port_step: int = 1
    port_pool: int | None = None
    hairpinning: bool = False
    mapping_lifetime: float = 120.0
    inbound_refresh: bool = True
    early_inbound: EarlyInbound = EarlyInbound.DROPS
    udp_blocked: bool = False

    def behind(self, outer: NatBehavior) -> NatBehavior:
        """This NAT with ``outer`` between it and the internet, as a carrier-grade NAT is.

        The world sees the less independent mapping and the stricter filter of the two, the port that the
        outermost translating NAT chose, and the shorter life. Hairpinning is the outer NAT's, because it is
        where two homes meet. An unsolicited packet reaches the inner NAT only where the outer one's filter
        lets through what the inner one never sent to.

        Two NATs are more than one description can hold, which shows in two chains that no profile has. One
        that keeps its endpoint and filters by address, behind one that keeps none and lets everybody in, can
        be called, each of them for itself; together they look as if they could not. And one that remaps,
        behind one that filters by address, is reached early only from other ports of an address that it has
        sent to; with a peer of one endpoint that never happens, and the pair is better than its timing.
        """
        lets_strangers_in = outer.filtering is not FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT
        inner_remaps = self.early_inbound is EarlyInbound.REMAPS and lets_strangers_in
        chooser = self if outer.allocation is PortAllocation.PRESERVING else outer
        return NatBehavior(
            mapping=_later_member(self.mapping, outer.mapping),
            filtering=_later_member(self.filtering, outer.filtering),
            allocation=chooser.allocation,
            port_step=chooser.port_step,
            port_pool=chooser.port_pool,
            hairpinning=outer.hairpinning,
            mapping_lifetime=min(self.mapping_lifetime, outer.mapping_lifetime),
            inbound_refresh=self.inbound_refresh and outer.inbound_refresh,
            early_inbound=EarlyInbound.REMAPS if inner_remaps else outer.early_inbound,
            udp_blocked=self.udp_blocked or outer.udp_blocked,
        )


def expected_outcome(a: NatBehavior, b: NatBehavior) -> Outcome:
    """What plain connectivity checks between ``a`` and ``b`` come to; symmetric in its arguments.

    A NAT that remaps keeps its endpoint-independent mapping while nothing arrives early, and behaves as an
    address-and-port-dependent one towards whoever did. The pair is certain when both readings agree.
    """
    if not _can_meet(a, b):
        return Outcome.IMPOSSIBLE
    if _can_meet(_at_worst(a), _at_worst(b)):
        return Outcome.DIRECT
    return Outcome.TIMING


def _can_meet(a: NatBehavior, b: NatBehavior) -> bool:
    if a.udp_blocked or b.udp_blocked:
        return False
    return _can_be_called(a) or _can_be_called(b) or (_has_one_endpoint(a) and _has_one_endpoint(b))


def _can_be_called(side: NatBehavior) -> bool:
    """Whether the published endpoint can be reached from an unknown port of a known address."""
    if side.filtering is FilteringBehavior.ENDPOINT_INDEPENDENT:
        return True
    return side.filtering is FilteringBehavior.ADDRESS_DEPENDENT and _has_one_endpoint(side)


def _has_one_endpoint(side: NatBehavior) -> bool:
    return side.mapping is MappingBehavior.ENDPOINT_INDEPENDENT


def _at_worst(side: NatBehavior) -> NatBehavior:
    if side.early_inbound is EarlyInbound.DROPS:
        return side
    return replace(side, mapping=MappingBehavior.ADDRESS_AND_PORT_DEPENDENT)


def _later_member(a: BehaviorT, b: BehaviorT) -> BehaviorT:
    members = list(type(a))
    return max(a, b, key=members.index)
