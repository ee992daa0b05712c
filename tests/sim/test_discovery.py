"""Discovery against the truth: every profile and combination of the lab, in virtual time, many seeds.

A wrong finding fails, whatever the losses. What may be unknown is said in each test.
"""

from __future__ import annotations

from collections import Counter

import pytest

from natcore.discovery import DiscoveryReport, value_of
from natcore.nat import NatBehavior, PortAllocation
from netlab.profiles import COMBINATIONS, PROFILES, Boundary, NatProfile
from tests.sim.discovery import RTT, Discoverer
from tests.sim.network import Link

EVERYTHING = {**PROFILES, **COMBINATIONS}
UDP = {name: profile for name, profile in EVERYTHING.items() if not profile.seen.udp_blocked}
SEEDS = range(20)


def findings(report: DiscoveryReport) -> dict[str, object]:
    """The findings by their names, None for unknown ones."""
    allocation = value_of(report.allocation)
    return {
        "mapping": value_of(report.mapping),
        "filtering": value_of(report.filtering),
        "allocation": None if allocation is None else allocation.kind,
        "step": None if allocation is None else allocation.step,
        "hairpinning": value_of(report.hairpinning),
        "several addresses": value_of(report.several_addresses),
    }


def truth(profile: NatProfile) -> dict[str, object]:
    """The same of a profile."""
    seen: NatBehavior = profile.seen
    is_translated = profile.boundary is Boundary.NAT
    is_sequential = seen.allocation is PortAllocation.SEQUENTIAL
    return {
        "mapping": seen.mapping,
        "filtering": seen.filtering,
        "allocation": seen.allocation,
        "step": seen.port_step if is_sequential else None,
        "hairpinning": seen.hairpinning if is_translated else None,
        "several addresses": False,
    }


def tally(
    profiles: dict[str, NatProfile], *, link: Link | None = None, background: float = 0.0
) -> tuple[Counter[str], list[str]]:
    """How many findings were right, unknown and wrong, and the wrong ones in words."""
    counts: Counter[str] = Counter()
    wrong = []
    for name, profile in profiles.items():
        for seed in SEEDS:
            scene = Discoverer(profile, seed=seed, link=link, background=background)
            found, true = findings(scene.discover()), truth(profile)
            for what, value in true.items():
                is_right = found[what] == value
                verdict = "right" if is_right else "unknown" if found[what] is None else "wrong"
                counts[verdict] += 1
                if verdict == "wrong":
                    wrong.append(f"{name}, seed {seed}: {what}: got {found[what]}, expected {value}")
    return counts, wrong


@pytest.mark.parametrize("name", UDP)
def test_every_nat_is_known_for_what_it_is(name: str) -> None:
    counts, wrong = tally({name: UDP[name]})
    assert not wrong
    assert counts["unknown"] == 0, counts


def test_losses_make_nothing_wrong_and_little_unknown() -> None:
    counts, wrong = tally(UDP, link=Link(latency=RTT / 2, drop=0.05))
    assert not wrong
    assert counts["unknown"] <= 0.02 * counts.total(), counts


def test_other_hosts_behind_the_nat_make_nothing_wrong_and_little_unknown() -> None:
    counts, wrong = tally(UDP, background=20.0)
    assert not wrong
    assert counts["unknown"] <= 0.02 * counts.total(), counts
