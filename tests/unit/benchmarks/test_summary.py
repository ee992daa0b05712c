from __future__ import annotations

import math

import pytest

from benchmarks.contest import Contest, Run
from benchmarks.summary import Summary, contest_object, contest_text, floor_of, misses
from netlab.profiles import profile

RTT = 0.04


def runs_of(*seconds: float | None) -> tuple[Run, ...]:
    return tuple(
        Run(failure="nothing came") if each is None else Run(seconds=each, read_seconds=each + 0.5)
        for each in seconds
    )


def contest_of(*seconds: float | None, callee_nat: str = "port-restricted", loss: float = 0.0) -> Contest:
    return Contest(
        caller_nat=profile("full-cone"),
        callee_nat=profile(callee_nat),
        loss=loss,
        measured_rtt=0.0403,
        runs={"ours": runs_of(*seconds)},
    )


def test_the_95th_percentile_of_20_runs_is_the_19th_slowest() -> None:
    summary = Summary.of(runs_of(*(number / 100 for number in range(20, 0, -1))))

    assert summary.percentile_95 == 0.19
    assert summary.median == pytest.approx(0.105)


def test_reading_is_told_apart_from_arriving() -> None:
    summary = Summary.of(runs_of(0.06))

    assert (summary.median, summary.read_median) == (0.06, 0.56)


def test_a_run_that_failed_is_slower_than_any_other() -> None:
    summary = Summary.of(runs_of(0.06, 0.07, None))

    assert summary.delivered == 2
    assert summary.median == 0.07
    assert math.isinf(summary.percentile_95)


def test_a_table_says_never_where_half_of_the_runs_failed() -> None:
    row = contest_text(contest_of(None, None, 0.06), rtt=RTT).splitlines()[1]

    assert row.split() == ["ours", "never", "never", "never", "1", "of", "3"]


def test_a_table_gives_times_as_multiples_of_the_round_trip_and_in_milliseconds() -> None:
    heading, row, target = contest_text(contest_of(0.064), rtt=RTT).splitlines()

    assert heading.startswith("full-cone x port-restricted, floor 1.5 RTT")
    assert "1.60 RTT" in row
    assert "64.0 ms" in row
    assert target.split() == ["target", "for", "ours", "1.70", "RTT", "2.20", "RTT", "met"]


def test_json_has_null_for_what_never_came() -> None:
    result = contest_object(contest_of(None), rtt=RTT)["results"]["ours"]

    assert result["median"] == {"seconds": None, "rtts": None}
    assert result["failures"] == ["nothing came"]


@pytest.mark.parametrize(
    ("callee_nat", "floor"), [("port-restricted", 1.5), ("open", 1.5), ("symmetric", 2.0)]
)
def test_a_callee_whose_port_nobody_knows_beforehand_costs_half_a_round_trip(
    callee_nat: str, floor: float
) -> None:
    assert floor_of(contest_of(0.06, callee_nat=callee_nat)) == floor


def test_a_target_that_is_missed_is_said_and_one_that_is_just_met_is_not() -> None:
    assert misses(contest_of(1.7 * RTT), rtt=RTT) == []
    assert misses(contest_of(*[0.06] * 9, 0.1), rtt=RTT) == [
        "full-cone x port-restricted: our 95th percentile is 2.50 RTT, target 2.2"
    ]
    assert misses(contest_of(0.072), rtt=RTT) == [
        "full-cone x port-restricted: our median is 1.80 RTT, target 1.7"
    ]


def test_with_loss_only_the_slow_end_has_a_target() -> None:
    assert misses(contest_of(0.2, loss=0.1), rtt=RTT) == []
    assert misses(contest_of(0.06, 0.26, loss=0.1), rtt=RTT) == [
        "full-cone x port-restricted, 10% loss: our 95th percentile is 6.50 RTT, target 6"
    ]


def test_a_pair_that_cannot_be_as_fast_has_no_target_but_to_deliver() -> None:
    assert misses(contest_of(0.5, callee_nat="symmetric"), rtt=RTT) == []
    assert misses(contest_of(0.5, None, callee_nat="symmetric"), rtt=RTT) == [
        "full-cone x symmetric: we delivered 1 of 2"
    ]
