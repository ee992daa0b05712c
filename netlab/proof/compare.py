"""A claim held against a measurement."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from netlab.errors import MislabelledNat
from netlab.proof.claims import claims_of, is_waited_for
from netlab.proof.findings import NOT_MEASURED, Measurement, findings_of
from netlab.proof.opinions import Opinion
from netlab.proof.plan import tcp_ports_tried
from netlab.proof.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a profile claims and what was measured, property by property, as text.

    Attributes:
        node: the router, or the public host of the profile ``open``.
        profile: the name of the profile.
        claimed: each property that can be observed, in the order of a table; those that a foreign tool judges
            have its name, as in ``mapping (stun)``.
        measured: the same properties.
        remarks: what a foreign tool could not say, and why.
        evidence: the probe's own record.
    """

    node: str
    profile: str
    claimed: dict[str, str]
    measured: dict[str, str]
    remarks: dict[str, str] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)

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


def compare(
    subject: Subject,
    measurement: Measurement,
    *,
    patience: float = 0.0,
    countdown: str | None = None,
) -> Proof:
    """The proof of a subject from the JSON object that the probe printed for it.

    Args:
        subject: what was claimed.
        measurement: what the probe printed.
        patience: seconds for which a lifetime was waited for.
        countdown: the mapping lifetime that the kernels of its routers count down, in words.
    """
    claimed = claims_of(subject, patience=patience)
    found = findings_of(
        measurement,
        subject.profile,
        tcp_ports=tcp_ports_tried(subject),
        by_silence=is_waited_for(subject.profile, patience),
    )
    if countdown is not None:
        found.setdefault("mapping lifetime", countdown)
    return Proof(
        node=subject.node,
        profile=subject.profile.name,
        claimed=claimed,
        measured={name: found.get(name, NOT_MEASURED) for name in claimed},
        evidence=dict(measurement.get("evidence", {})),
    )


def with_opinion(proof: Proof, opinion: Opinion) -> Proof:
    """The proof together with what foreign tools were expected to say, have said, and could not say."""
    return replace(
        proof,
        claimed={**proof.claimed, **opinion.claimed},
        measured={**proof.measured, **opinion.said},
        remarks={**proof.remarks, **opinion.remarks},
    )
