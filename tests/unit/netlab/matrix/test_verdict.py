from __future__ import annotations

from itertools import product

import pytest

from natcore.nat import Outcome as Physics
from netlab.matrix.claim import Outcome
from netlab.matrix.verdict import Verdict, expectation, judge, note_on, worst
from netlab.profiles import PROFILES


@pytest.mark.parametrize(
    ("expected", "outcome", "verdict"),
    [
        (Physics.DIRECT, Outcome.DIRECT, Verdict.AGREES),
        (Physics.DIRECT, Outcome.FAILED, Verdict.WORSE),
        (Physics.DIRECT, Outcome.RELAYED, Verdict.WORSE),
        (Physics.IMPOSSIBLE, Outcome.DIRECT, Verdict.BETTER),
        (Physics.IMPOSSIBLE, Outcome.FAILED, Verdict.AGREES),
        (Physics.IMPOSSIBLE, Outcome.RELAYED, Verdict.AGREES),
        (Physics.TIMING, Outcome.DIRECT, Verdict.TIMING),
        (Physics.TIMING, Outcome.FAILED, Verdict.TIMING),
    ],
)
def test_an_outcome_is_judged_by_physics(expected: Physics, outcome: Outcome, verdict: Verdict) -> None:
    assert judge(expected, outcome) is verdict


def test_every_outcome_has_a_verdict() -> None:
    assert {judge(*place) for place in product(Physics, Outcome)} < set(Verdict)


def test_the_worst_of_some() -> None:
    assert worst([Verdict.AGREES, Verdict.WORSE, Verdict.BETTER]) is Verdict.WORSE
    assert worst([]) is None


def test_a_carrier_counts() -> None:
    assert expectation(PROFILES["cgn-symmetric"], PROFILES["port-restricted"]) is Physics.IMPOSSIBLE
    assert expectation(PROFILES["cgn-cone"], PROFILES["port-restricted"]) is Physics.DIRECT


def test_only_pairs_that_timing_decides_have_a_note() -> None:
    note = note_on(PROFILES["naive"], PROFILES["port-restricted"])
    assert note is not None
    assert note.startswith("naive: ")
    assert note_on(PROFILES["naive"], PROFILES["open"]) is None
