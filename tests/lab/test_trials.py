"""What the simulation says of a pair is what the lab says, on a handful; all of them are a benchmark."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.trials_lab import call_in_lab, compare, simulate

pytestmark = pytest.mark.lab

PAIRS = [
    ("port-restricted", "cgn-cone"),
    ("full-cone", "symmetric"),
    ("symmetric", "port-restricted"),
    ("port-restricted", "symmetric-sequential"),
    ("symmetric", "symmetric"),
    ("open", "udp-blocked"),
]
PARALLEL_LABS = 3


def test_simulation_and_lab_agree_on_outcome_and_technique() -> None:
    with ThreadPoolExecutor(PARALLEL_LABS) as pool:
        calls = list(pool.map(call_in_lab, PAIRS))
    found = compare(calls, simulate(PAIRS))
    assert not found.disputed
    assert found.open_to_timing == 0
    assert {one.technique for one in found.medians} == {"plain-checks", "port-prediction", "birthday-probing"}
