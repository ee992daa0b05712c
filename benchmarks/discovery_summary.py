"""What the examinations come to: findings against the truth, confusion tables, times in round trips. Pure."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.discovery_run import RTT, Condition, Examination
from natcore.nat import PortAllocation
from netlab.cli.report import columns
from netlab.profiles import Boundary, NatProfile

UNKNOWN = "unknown"

THEORY = "nothing to know"
"""The truth of a property that does not exist: what a NAT does where none is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One property of one profile under one condition.

    Attributes:
        truth: what the profile is.
        found: what the check said, or ``unknown``.
    """

    examination: Examination
    what: str
    truth: str
    found: str

    @property
    def is_wrong(self) -> bool:
        """Whether the check said something that is not so."""
        return self.found not in (self.truth, UNKNOWN)

    @property
    def is_unknown(self) -> bool:
        """Whether it did not say what could have been known."""
        return self.found == UNKNOWN and self.truth != THEORY

    def __str__(self) -> str:
        where = f"{self.examination.profile.name}, {self.examination.condition.value}"
        return f"{where}: {self.what}: got {self.found}, expected {self.truth}"


def truth_of(profile: NatProfile) -> dict[str, str]:
    """What a check can find out of a profile at best, by property, in the words of the report."""
    seen = profile.seen
    if seen.udp_blocked:
        nothing = dict.fromkeys(_PROPERTIES, THEORY)
        return {**nothing, "UDP blocked": "yes", "TCP passes": "yes"}
    is_translated = profile.boundary is Boundary.NAT
    step = f" {seen.port_step:+d}" if seen.allocation is PortAllocation.SEQUENTIAL else ""
    return {
        "UDP blocked": "no",
        "TCP passes": "yes",
        "translated": _yes_or_no(is_translated),
        "mapping": seen.mapping.value,
        "filtering": seen.filtering.value,
        "ports": f"{seen.allocation.value}{step}",
        "several addresses": "no",
        "hairpinning": _yes_or_no(seen.hairpinning) if is_translated else THEORY,
        "carrier-grade NAT": _yes_or_no(profile.carrier is not None),
    }


def found_in(report: Mapping[str, Any]) -> dict[str, str]:
    """The same of a report of ``peer check --json``."""
    family = report["ipv4"]
    return {what: _words(family[name]["value"]) for what, name in _PROPERTIES.items()}


_PROPERTIES = {
    "UDP blocked": "udp_blocked",
    "TCP passes": "tcp_passes",
    "translated": "translated",
    "mapping": "mapping",
    "filtering": "filtering",
    "ports": "allocation",
    "several addresses": "several_addresses",
    "hairpinning": "hairpinning",
    "carrier-grade NAT": "carrier_grade_nat",
}
"""By property, its field in the report."""


def cells_of(examinations: Sequence[Examination]) -> list[Cell]:
    """Every property of every examination."""
    return [
        Cell(examination=one, what=what, truth=truth, found=found_in(one.report)[what])
        for one in examinations
        for what, truth in truth_of(one.profile).items()
    ]


def confusion_text(cells: Sequence[Cell]) -> str:
    """A table for each property: the truth, and how often what was found."""
    return "\n".join(line for what in _PROPERTIES for line in _confusion(what, cells))


def _confusion(what: str, cells: Sequence[Cell]) -> Iterator[str]:
    counts = Counter((cell.truth, cell.found) for cell in cells if cell.what == what)
    truths = list(dict.fromkeys(truth for truth, _ in counts))
    sure = (truth for truth in truths if truth != THEORY)
    founds = list(dict.fromkeys([*sure, *(found for _, found in counts)]))
    rows = [(what, *founds)]
    rows += [(truth, *(str(counts[truth, found] or ".") for found in founds)) for truth in truths]
    yield from columns(rows)
    yield ""


def time_text(examinations: Sequence[Examination], natdiscovery: Mapping[str, float]) -> str:
    """How long a check took, in round trips, beside natdiscovery."""
    rows: list[tuple[str, ...]] = [("condition", "checks", "median", "95th percentile", "slowest")]
    for condition in Condition:
        times = sorted(
            one.seconds
            for one in examinations
            if one.condition is condition and not one.profile.seen.udp_blocked
        )
        if times:
            high = times[max(0, round(0.95 * len(times)) - 1)]
            shown = (statistics.median(times), high, times[-1])
            rows.append((condition.value, str(len(times)), *(f"{each / RTT:.1f} RTT" for each in shown)))
    ours = {one.profile.name: one.seconds for one in examinations if one.condition is Condition.QUIET}
    compared = [
        f"{name}: {seconds / RTT:.0f} RTT for mapping and filtering alone, "
        f"{seconds / ours[name]:.1f} times our whole check"
        for name, seconds in natdiscovery.items()
        if name in ours
    ]
    return "\n".join([*columns(rows), "", *(f"coturn's natdiscovery, {line}" for line in compared)])


def _words(value: object) -> str:
    match value:
        case None:
            return UNKNOWN
        case bool():
            return _yes_or_no(value)
        case {"kind": str(kind), "step": step}:
            return kind if step is None else f"{kind} {step:+d}"
        case _:
            return str(value)


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"
