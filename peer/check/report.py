"""What ``peer check`` found, as the one JSON object that scripts and the lab read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from natcore.discovery import (
    Allocation,
    DiscoveryReport,
    Finding,
    Known,
    MappingLifetime,
    StunServer,
    WanSide,
    value_of,
)
from natcore.discovery.reach import Reach, reach

ValueT = TypeVar("ValueT")


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """One property: a value with its evidence, or null and why it is unknown.

    Attributes:
        value: true, false, a word or an object; null where it is unknown.
        evidence: what was seen, or null.
        unknown_because: why there is no value, or null.
    """

    value: Any = None
    evidence: str | None = None
    unknown_because: str | None = None

    @classmethod
    def of(cls, finding: Finding[ValueT], to_json: Callable[[ValueT], object] = lambda it: it) -> Observed:
        """From a finding."""
        if isinstance(finding, Known):
            return cls(value=to_json(finding.value), evidence=finding.evidence)
        return cls(unknown_because=finding.reason)


class FamilyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was found over IPv4, or over IPv6; the words are those of natcore.discovery.DiscoveryReport.

    Times are in seconds. ``mapping`` and ``filtering`` are in RFC 4787's words, ``allocation`` is
    ``{"kind", "step", "confidence", "samples", "lowest", "highest"}``, ``carrier_grade_nat`` is true, false
    or unknown and ``wan_side`` says ``public``, ``private`` or ``carrier-grade``, ``mapping_lifetime`` is
    ``{"at_least", "at_most"}``.
    """

    local_address: str
    reflexive_addresses: tuple[str, ...]
    rtt: float | None
    udp_blocked: Observed
    tcp_passes: Observed
    translated: Observed
    mapping: Observed
    filtering: Observed
    allocation: Observed
    several_addresses: Observed
    hairpinning: Observed
    wan_side: Observed
    carrier_grade_nat: Observed
    mapping_lifetime: Observed
    servers: tuple[dict[str, object], ...]
    hops: dict[str, str]
    loss: float
    packets_sent: int
    elapsed: float

    @classmethod
    def of(cls, report: DiscoveryReport) -> FamilyReport:
        """From the core's report."""
        return cls(
            local_address=str(report.local_address),
            reflexive_addresses=tuple(map(str, report.reflexive_addresses)),
            rtt=None if report.rtt is None else round(report.rtt, 6),
            udp_blocked=Observed.of(report.udp_blocked),
            tcp_passes=Observed.of(report.tcp_passes),
            translated=Observed.of(report.translated),
            mapping=Observed.of(report.mapping, lambda it: it.value),
            filtering=Observed.of(report.filtering, lambda it: it.value),
            allocation=Observed.of(report.allocation, _allocation),
            several_addresses=Observed.of(report.several_addresses),
            hairpinning=Observed.of(report.hairpinning),
            wan_side=Observed.of(report.wan_side, lambda it: it.value),
            carrier_grade_nat=Observed.of(report.wan_side, lambda it: it is WanSide.CARRIER),
            mapping_lifetime=Observed.of(report.mapping_lifetime, _lifetime),
            servers=tuple(map(_server, report.servers)),
            hops={str(distance): str(router) for distance, router in report.hops.items()},
            loss=round(report.loss, 4),
            packets_sent=report.packets_sent,
            elapsed=round(report.elapsed, 6),
        )


class ReachRow(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind of peer is met."""

    peer: str
    technique: str

    @classmethod
    def of(cls, row: Reach) -> ReachRow:
        """From a row of the core's table."""
        return cls(peer=row.peer, technique=row.technique.value)


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole check.

    Attributes:
        ipv4: what was found over IPv4, or null.
        ipv6: the same over IPv6.
        ipv4_unknown_because: why ``ipv4`` is null.
        ipv6_unknown_because: why ``ipv6`` is null.
        port_mapping: for each protocol of gateways, whether one answers.
        verdict: what it means, one sentence.
        advice: what to change, in the order of what helps most.
        reach: which kinds of peers can be met, and by what.
        notes: names that lead nowhere, and the like.
        elapsed: seconds in all.
    """

    ipv4: FamilyReport | None
    ipv6: FamilyReport | None
    ipv4_unknown_because: str | None = None
    ipv6_unknown_because: str | None = None
    port_mapping: dict[str, Observed] = {}
    verdict: str
    advice: tuple[str, ...]
    reach: tuple[ReachRow, ...]
    notes: tuple[str, ...] = ()
    elapsed: float

    @property
    def is_conclusive(self) -> bool:
        """Whether a server answered, by UDP or at least by TCP."""
        families = (self.ipv4, self.ipv6)
        return any(one is not None and one.udp_blocked.value is not None for one in families)

    def to_json(self) -> str:
        """One line."""
        return msgspec.json.encode(self).decode()


def reach_rows(report: DiscoveryReport | None, *, has_mapped_port: bool) -> tuple[ReachRow, ...]:
    """The table of the kinds of peers."""
    own = None if report is None else report.behavior()
    passes = report is not None and value_of(report.udp_blocked) is False
    return tuple(ReachRow.of(row) for row in reach(own, udp_passes=passes, has_mapped_port=has_mapped_port))


def _allocation(found: Allocation) -> dict[str, object]:
    return {
        "kind": found.kind.value,
        "step": found.step,
        "confidence": round(found.confidence, 3),
        "samples": found.samples,
        "lowest": found.lowest,
        "highest": found.highest,
    }


def _lifetime(found: MappingLifetime) -> dict[str, float | None]:
    at_most = None if found.at_most is None else round(found.at_most, 2)
    return {"at_least": round(found.at_least, 2), "at_most": at_most}


def _server(server: StunServer) -> dict[str, object]:
    return {
        "address": str(server.primary),
        "other_address": None if server.other is None else str(server.other),
        "alternate_port": server.alternate_port,
    }
