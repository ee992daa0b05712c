from __future__ import annotations

from typing import Any

import pytest

from benchmarks.hard_pairs_run import BIRTHDAY, Attempt, HardPair, Target, busiest_second
from benchmarks.hard_pairs_summary import (
    UNPREDICTABLE,
    PairSummary,
    faults_of,
    percentile,
    report_object,
    table_text,
)

DIRECT = HardPair(caller="symmetric", callee="port-restricted", technique=BIRTHDAY)
HOPELESS = HardPair(caller="symmetric", callee="symmetric", technique=None)
ELSA, ANNA = "203.0.113.7:1000", "203.0.113.33:2000"


def met(seconds: float = 0.5, *, packets: int = 100, busiest: int = 200, **changes: Any) -> Attempt:
    caller = {
        "outcome": "direct",
        "technique": BIRTHDAY,
        "reason": None,
        "packets_sent": packets,
        "path": {"local": ELSA, "remote": ANNA},
    }
    callee = {**caller, "message": "hello", "path": {"local": ANNA, "remote": ELSA}, **changes}
    return Attempt(code=0, caller=caller, callee=callee, seconds=seconds, busiest=busiest)


def refused(seconds: float = 2.0, *, reason: str = UNPREDICTABLE, code: int = 1) -> Attempt:
    caller = {"outcome": "failed", "technique": None, "packets_sent": 14, "path": None, "reason": reason}
    return Attempt(code=code, caller=caller, callee=None, seconds=seconds)


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(number) for number in range(20, 0, -1)]
    assert [percentile(values, share) for share in (50, 95, 99)] == [10.5, 19.0, 20.0]
    assert percentile([3.0], 95) == 3.0


def test_attempts_that_ended_as_they_should_have_no_faults() -> None:
    assert list(faults_of(DIRECT, met())) == []
    assert list(faults_of(HOPELESS, refused())) == []


@pytest.mark.parametrize(
    ("pair", "attempt", "fault"),
    [
        (DIRECT, refused(reason="no luck"), "failed: no luck"),
        (DIRECT, met(technique="plain-checks"), f"callee: got plain-checks, expected {BIRTHDAY}"),
        (DIRECT, met(message=None), "the message was not delivered"),
        (DIRECT, met(packets_sent=2001), "got 2001 packets of one side, expected at most 2000"),
        (DIRECT, met(busiest=251), "got 251 packets of one side in a second, expected at most 250"),
        (
            DIRECT,
            met(path={"local": ANNA, "remote": "203.0.113.7:1001"}),
            f"caller's local end {ELSA} is not the callee's remote end 203.0.113.7:1001",
        ),
        (HOPELESS, refused(code=5), "got failed and exit code 5, expected failed and 1"),
        (HOPELESS, refused(reason="?"), f"got the reason '?', expected '{UNPREDICTABLE}'"),
        (HOPELESS, refused(3.01), "got 3.01 s until it was said, expected at most 3 s"),
        (HOPELESS, met(), "got direct and exit code 0, expected failed and 1"),
    ],
)
def test_a_fault_is_told_in_words(pair: HardPair, attempt: Attempt, fault: str) -> None:
    assert list(faults_of(pair, attempt)) == [fault]


def test_only_attempts_that_ended_as_they_should_are_timed_and_the_rest_are_amiss() -> None:
    summary = PairSummary.of(DIRECT, [met(0.4), met(0.8, packets=300), refused(10.0, reason="no luck")])

    assert (summary.connected, summary.attempts) == (2, 3)
    assert summary.seconds == pytest.approx({50: 0.6, 95: 0.8, 99: 0.8})
    assert summary.packets == pytest.approx((100, 300))
    assert summary.techniques == {BIRTHDAY: 2}
    assert summary.amiss == ("symmetric x port-restricted: failed: no luck",)


def test_a_pair_of_which_nothing_could_be_timed_has_empty_cells() -> None:
    summary = PairSummary.of(DIRECT, [refused(reason="no luck")])

    assert not summary.seconds
    assert "0 of 1" in table_text([summary])


def test_aioice_is_named_only_where_it_was_run() -> None:
    summary = PairSummary.of(HOPELESS, [refused()])

    assert "aioice" not in table_text([summary])
    assert "aioice" not in report_object([summary])["pairs"][0]
    assert "0 of 2" in table_text([summary], {HOPELESS: 0}, 2)
    assert report_object([summary], {HOPELESS: 0}, 2)["pairs"][0]["aioice"] == {"connected": 0, "attempts": 2}


@pytest.mark.parametrize(
    ("attempts", "missed"),
    [
        ([met(0.4)] * 19 + [refused(reason="no luck")], ()),
        ([met(0.4)] * 18 + [refused(reason="no luck")] * 2, ("got 90 of 100 connected, expected 95",)),
        ([met(0.4)] * 9 + [met(0.9)] * 11, ("got 0.900 s at 50 %, expected at most 0.5 s",)),
        ([met(busiest=251)], ("got 251 packets of one side in a second, expected at most 250",)),
        ([met(packets=2001)], ("got 2001 packets of one side, expected at most 2000",)),
    ],
)
def test_what_was_not_reached_is_told(attempts: list[Attempt], missed: tuple[str, ...]) -> None:
    pair = HardPair(
        caller="a", callee="b", technique=BIRTHDAY, target=Target(connected=95, seconds={50: 0.5})
    )
    summary = PairSummary.of(pair, attempts)
    assert summary.missed == missed
    assert f"95 of 100, 50 % in 0.5 s: {'missed' if missed else 'met'}" in table_text([summary])
    assert report_object([summary])["pairs"][0]["missed"] == list(missed)


def test_where_none_is_to_connect_one_that_does_misses_the_target() -> None:
    pair = HardPair(caller="a", callee="b", technique=None, target=Target(connected=0, seconds={99: 3.0}))
    assert PairSummary.of(pair, [refused(2.0)]).missed == ()
    assert PairSummary.of(pair, [refused(3.5)]).missed == ("got 3.500 s at 99 %, expected at most 3 s",)
    assert "got 100 of 100 connected, expected 0" in PairSummary.of(pair, [met(0.1)]).missed


def test_the_busiest_second_counts_what_left() -> None:
    times = [0.0, 0.5, 0.9, 1.0, 1.4, 5.0]
    events: list[dict[str, Any]] = [{"event": "sent", "time": at} for at in times]
    events.insert(1, {"event": "received", "time": 0.1})
    assert busiest_second(events) == 4
    assert busiest_second([]) == 0
