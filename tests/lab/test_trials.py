"""What the simulation says of a pair is what the lab says, on a handful; all of them are a benchmark."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.trials_lab import Call, call_in_lab, compare, simulate
from benchmarks.trials_run import Pair

pytestmark = pytest.mark.lab

BY_LUCK = ("symmetric", "port-restricted")
"""It meets by birthday probing, which misses one attempt in some five hundred; but hardly two in a row."""

PAIRS = [
    ("port-restricted", "cgn-cone"),
    ("full-cone", "symmetric"),
    BY_LUCK,
    ("port-restricted", "symmetric-sequential"),
    ("symmetric", "symmetric"),
    ("open", "udp-blocked"),
]
PARALLEL_LABS = 3


def call(pair: Pair) -> Call:
    first = call_in_lab(pair)
    return call_in_lab(pair) if pair == BY_LUCK and first.code else first


def test_simulation_and_lab_agree_on_outcome_and_technique() -> None:
    with ThreadPoolExecutor(PARALLEL_LABS) as pool:
        calls = list(pool.map(call, PAIRS))
    found = compare(calls, simulate(PAIRS))
    assert not found.disputed
    assert found.open_to_timing == 0
    assert {one.technique for one in found.medians} == {"plain-checks", "port-prediction", "birthday-probing"}
