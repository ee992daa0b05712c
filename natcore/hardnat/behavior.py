"""What one side tells the other of its NAT before a hard attempt: measured, compact, and bounded.

A summary is a value that travels: msgspec writes it and reads it back, and refuses one whose numbers are
outside the bounds that stand beside them. So a planner that is given a peer's summary need not doubt it
further than that the peer may lie, and then it only spoils its own attempt: neither the address that is aimed
at nor the number of packets depends on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from msgspec import Meta

from natcore.discovery import DiscoveryReport, value_of
from natcore.discovery.allocation import MAX_STEP
from natcore.hardnat.limits import HardNatLimits
from natcore.nat import FilteringBehavior, MappingBehavior, NatBehavior, PortAllocation

MAX_SAMPLES = 16
"""Fresh ports in one summary: enough to average over, and 200 bytes."""

MAX_AGE = 86_400.0
"""Seconds. A sample of yesterday says nothing of today's next port."""

Port = Annotated[int, Meta(ge=1, le=65535)]
_Age = Annotated[float, Meta(ge=0.0, le=MAX_AGE)]
_Count = Annotated[int, Meta(ge=0, le=65536)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSample:
    """A port that a NAT gave to a new mapping.

    Attributes:
        port: the external port.
        age: seconds since, at the instant for which the summary holds.
    """

    port: Port
    age: _Age


@dataclass(frozen=True, slots=True, kw_only=True)
class SideSummary:
    """What one side's NAT was seen to do, and what that side can do. What is unknown is None.

    Attributes:
        mapping: when mappings are reused.
        filtering: who is let in.
        allocation: how ports are chosen.
        step: from one port to the next where they are sequential, negative downwards.
        lowest: the lowest port that was seen.
        highest: the highest.
        seen: how many new mappings these two are from.
        samples: ports of new mappings, oldest first, in bursts of one age each, and every mapping that this
            side made in between.
        sockets: how many it can open beside the one whose endpoint the peer knows.
        packets: how many it may send in the attempt.
        packet_rate: how many in any one second.
        has_mapped_port: its gateway forwards a port to it.
        udp_blocked: no UDP comes back to it.
    """

    mapping: MappingBehavior | None = None
    filtering: FilteringBehavior | None = None
    allocation: PortAllocation | None = None
    step: Annotated[int, Meta(ge=-MAX_STEP, le=MAX_STEP)] | None = None
    lowest: Port | None = None
    highest: Port | None = None
    seen: _Count = 0
    samples: Annotated[tuple[PortSample, ...], Meta(max_length=MAX_SAMPLES)] = ()
    sockets: _Count = 0
    packets: _Count = 0
    packet_rate: Annotated[int, Meta(ge=1, le=10_000)] = 250
    has_mapped_port: bool = False
    udp_blocked: bool = False

    @classmethod
    def from_report(
        cls,
        report: DiscoveryReport,
        *,
        samples: Sequence[PortSample] = (),
        limits: HardNatLimits,
        has_mapped_port: bool = False,
    ) -> SideSummary:
        """What a discovery found, with the newest of the samples that were taken since."""
        allocation = value_of(report.allocation)
        return cls(
            mapping=value_of(report.mapping),
            filtering=value_of(report.filtering),
            allocation=None if allocation is None else allocation.kind,
            step=None if allocation is None else allocation.step,
            lowest=None if allocation is None else allocation.lowest,
            highest=None if allocation is None else allocation.highest,
            seen=0 if allocation is None else allocation.samples,
            samples=tuple(samples[-MAX_SAMPLES:]),
            sockets=limits.max_sockets,
            packets=limits.max_packets,
            packet_rate=limits.packet_rate,
            has_mapped_port=has_mapped_port,
            udp_blocked=report.is_blocked,
        )

    def aged(self, seconds: float) -> SideSummary:
        """The same, so much later: what a receiver does for the time that a summary travelled."""
        older = (replace(one, age=min(one.age + seconds, MAX_AGE)) for one in self.samples)
        return replace(self, samples=tuple(older))

    def assumed(self) -> NatBehavior:
        """The NAT in the words of natcore.nat; what is unknown is what most home routers do."""
        return NatBehavior(
            mapping=self.mapping or MappingBehavior.ENDPOINT_INDEPENDENT,
            filtering=self.filtering or FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT,
            udp_blocked=self.udp_blocked,
        )
