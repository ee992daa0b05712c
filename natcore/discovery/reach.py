"""Which kinds of peers a host can meet, and by what, as far as its own NAT is known. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from natcore import hardnat
from natcore.hardnat import HardNatLimits, PortSample, SideSummary, plan
from natcore.nat import (
    FilteringBehavior,
    MappingBehavior,
    NatBehavior,
    Outcome,
    PortAllocation,
    expected_outcome,
)

_EIM, _ADM, _APDM = MappingBehavior
_EIF, _ADF, _APDF = FilteringBehavior


class Technique(Enum):
    """By what two hosts meet."""

    PLAIN_CHECKS = "plain checks"
    MAPPED_PORT = "a mapped port"
    """Plain checks to a port that our gateway keeps open for us."""
    PREDICTION = "port prediction"
    BIRTHDAY = "birthday probing"
    RELAY = "only through a relay"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """One row of the table.

    Attributes:
        peer: what stands in front of the peer, in words.
        technique: how it is met.
    """

    peer: str
    technique: Technique


PEERS = {
    "no NAT, or a full cone": NatBehavior(),
    "address-restricted": NatBehavior(filtering=_ADF),
    "port-restricted, as most homes": NatBehavior(filtering=_APDF),
    "symmetric, sequential ports": NatBehavior(
        mapping=_APDM, filtering=_APDF, allocation=PortAllocation.SEQUENTIAL
    ),
    "symmetric, random ports": NatBehavior(mapping=_APDM, filtering=_APDF, allocation=PortAllocation.RANDOM),
    "UDP blocked": NatBehavior(udp_blocked=True),
}
"""The kinds of peers, from the friendliest; names as in the lab and on the forums."""


def reach(own: NatBehavior | None, *, udp_passes: bool, has_mapped_port: bool) -> tuple[Reach, ...]:
    """How each kind of peer is met.

    Args:
        own: our NAT, or None where its mapping or its filtering is unknown.
        udp_passes: whether UDP is known to come through; it then reaches who lets everybody in.
        has_mapped_port: whether our gateway keeps a port open for us that the internet can reach.
    """
    return tuple(
        Reach(peer=name, technique=_technique(own, peer, udp_passes, has_mapped_port))
        for name, peer in PEERS.items()
    )


_LIMITS = HardNatLimits()

_BY_PLAN = {
    hardnat.Technique.PREDICTION: Technique.PREDICTION,
    hardnat.Technique.BIRTHDAY: Technique.BIRTHDAY,
}


def _summary(nat: NatBehavior) -> SideSummary:
    """As a side would tell it that spends what is usual; its ports are just known where they count up."""
    counts_up = nat.allocation is PortAllocation.SEQUENTIAL
    return SideSummary(
        mapping=nat.mapping,
        filtering=nat.filtering,
        allocation=nat.allocation,
        step=nat.port_step if counts_up else None,
        samples=(PortSample(port=40_000, age=0.0),) if counts_up else (),
        sockets=_LIMITS.max_sockets,
        packets=_LIMITS.max_packets,
        packet_rate=_LIMITS.packet_rate,
        udp_blocked=nat.udp_blocked,
    )


def _technique(
    own: NatBehavior | None, peer: NatBehavior, udp_passes: bool, has_mapped_port: bool
) -> Technique:
    if own is not None and expected_outcome(own, peer) is not Outcome.IMPOSSIBLE:
        return Technique.PLAIN_CHECKS
    opened = replace(own or NatBehavior(), mapping=_EIM, filtering=_EIF)
    if has_mapped_port and expected_outcome(opened, peer) is not Outcome.IMPOSSIBLE:
        return Technique.MAPPED_PORT
    if peer.udp_blocked:
        return Technique.RELAY
    if own is not None:
        return _BY_PLAN.get(plan(_summary(own), _summary(peer), _LIMITS).technique, Technique.RELAY)
    return Technique.PLAIN_CHECKS if udp_passes and peer.filtering is _EIF else Technique.UNKNOWN
