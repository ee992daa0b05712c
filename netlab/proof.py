"""A NAT's claim held against what the probe measured on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from natcore.nat import MappingBehavior, PortAllocation
from netlab.errors import MislabelledNat
from netlab.profiles import OPEN, NatProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is to be measured.

    Attributes:
        node: the NAT, or the public host of the profile ``open``.
        profile: what it claims to be.
        host: the node to measure it from: one behind it, or itself where there is no NAT.
    """

    node: str
    profile: NatProfile
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a profile claims and what was measured, property by property, as text.

    Attributes:
        node: the NAT, or the public host of the profile ``open``.
        profile: the name of the profile.
        claimed: each property that the probe can see, in the order of a table.
        measured: the same properties.
        evidence: the probe's own record.
    """

    node: str
    profile: str
    claimed: dict[str, str]
    measured: dict[str, str]
    evidence: dict[str, Any]

    @property
    def differences(self) -> tuple[str, ...]:
        """The properties that are not as claimed."""
        return tuple(name for name, value in self.claimed.items() if self.measured[name] != value)

    @property
    def holds(self) -> bool:
        """Whether the NAT is what it says."""
        return not self.differences

    def require(self) -> None:
        """Checks that the proof holds.

        Raises:
            MislabelledNat: it does not.
        """
        if self.differences:
            raise MislabelledNat(
                self.node,
                self.profile,
                claimed={name: self.claimed[name] for name in self.differences},
                measured={name: self.measured[name] for name in self.differences},
            )


def claims_of(profile: NatProfile) -> dict[str, str]:
    """What the probe must measure behind a NAT of this profile.

    Where UDP is blocked there is nothing else to see. What an early packet does shows only where ports are
    preserved for all destinations: elsewhere the next port is unknown anyway.
    """
    behavior = profile.behavior
    if behavior.udp_blocked:
        return {"udp blocked": "yes"}
    claims = {
        "udp blocked": "no",
        "translated": _word(profile.name != OPEN),
        "mapping": behavior.mapping.value,
        "filtering": behavior.filtering.value,
        "allocation": behavior.allocation.value,
        "unopened port reachable": _word(profile.name == OPEN),
    }
    keeps_ports = behavior.allocation is PortAllocation.PRESERVING
    if keeps_ports and behavior.mapping is MappingBehavior.ENDPOINT_INDEPENDENT:
        claims["early inbound"] = behavior.early_inbound.value
    return claims


def compare(subject: Subject, measurement: dict[str, Any]) -> Proof:
    """The proof of a subject from the JSON object that the probe printed for it."""
    claimed = claims_of(subject.profile)
    measured = {name: _word(measurement.get(name.replace(" ", "_"))) for name in claimed}
    return Proof(
        node=subject.node,
        profile=subject.profile.name,
        claimed=claimed,
        measured=measured,
        evidence=measurement.get("evidence", {}),
    )


def _word(value: object) -> str:
    match value:
        case True:
            return "yes"
        case False:
            return "no"
        case None:
            return "not measured"
        case _:
            return str(value)
