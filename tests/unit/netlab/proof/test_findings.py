from __future__ import annotations

from typing import Any

import pytest

from netlab.profiles import profile
from netlab.proof.findings import findings_of, judge_idle, judge_pool, name_kept, name_refresh

LIFETIME = 3.0


def trial(at_least: float, *, reached: bool, late: float = 0.02) -> dict[str, Any]:
    return {"at_least": at_least, "at_most": at_least + late, "reached": reached, "same_port": True}


@pytest.mark.parametrize(
    ("ports", "claimed", "expected"),
    [
        (range(40000, 40200, 5), 256, "256 ports"),
        (range(40000, 40256), 256, "256 ports"),
        (range(40000, 40257), 256, "257 ports within 257"),
        (range(40000, 40120, 4), 256, "30 ports within 117"),
        (range(1024, 60000, 1500), None, "over 4,096 ports"),
        (range(40000, 44096, 100), None, "41 ports within 4,001"),
    ],
)
def test_a_pool_is_judged_by_how_far_its_ports_lie_apart(
    ports: range, claimed: int | None, expected: str
) -> None:
    assert judge_pool(list(ports), claimed) == expected


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ([trial(1.5, reached=True), trial(2.4, reached=True), trial(3.6, reached=False)], "3 s"),
        ([trial(1.5, reached=True), trial(2.4, reached=False), trial(3.6, reached=False)], "under 2.4 s"),
        ([trial(1.5, reached=True), trial(2.4, reached=True), trial(3.6, reached=True)], "over 3.6 s"),
        ([trial(1.5, reached=True)], "not measured"),
        ([trial(3.6, reached=False)], "not measured"),
        ([], "not measured"),
    ],
)
def test_a_lifetime_lies_between_a_shorter_and_a_longer_silence(
    trials: list[dict[str, Any]], expected: str
) -> None:
    assert judge_idle(trials, LIFETIME) == expected


def test_a_trial_that_a_busy_machine_has_blurred_says_nothing() -> None:
    blurred = trial(2.4, reached=False, late=0.7)
    assert judge_idle([trial(1.5, reached=True), blurred, trial(3.6, reached=False)], LIFETIME) == "3 s"
    assert judge_idle([blurred, trial(3.6, reached=False)], LIFETIME) == "not measured"


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ([trial(2.4, reached=True), trial(2.4, reached=True), trial(3.6, reached=False)], "yes"),
        ([trial(2.4, reached=True), trial(2.4, reached=False)], "no"),
        ([trial(2.4, reached=False, late=0.7)], "not measured"),
        ([], "not measured"),
    ],
)
def test_a_second_word_begins_a_new_life(trials: list[dict[str, Any]], expected: str) -> None:
    assert name_kept(trials, LIFETIME) == expected


def test_a_stream_that_outlives_its_mapping_is_a_longer_life() -> None:
    idle = [trial(2.4, reached=True), trial(3.6, reached=False)]
    kept = [trial(2.4, reached=True), trial(3.6, reached=True)]
    found = findings_of(
        {"idle": idle, "kept": kept}, profile("short-lifetime"), tcp_ports=(80,), by_silence=True
    )
    assert (found["mapping lifetime"], found["outbound refresh"]) == ("over 3.6 s", "yes")


@pytest.mark.parametrize(
    ("hairpinning", "shows_external", "expected"),
    [(False, True, "no"), (True, True, "yes"), (True, False, "from another endpoint")],
)
def test_what_hairpins_must_show_its_external_endpoint(
    hairpinning: bool, shows_external: bool, expected: str
) -> None:
    measurement = {"hairpinning": hairpinning, "shows_external": shows_external}
    found = findings_of(measurement, profile("full-cone"), tcp_ports=(80,), by_silence=False)
    assert found["hairpinning"] == expected


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ([2, 2], "yes"),
        ([1, 1], "no"),
        ([1, 2], "inconsistent"),
        ([0, 0], "inconsistent"),
        ([], "not measured"),
    ],
)
def test_only_if_the_first_packet_refreshes_the_second_arrives(heard: list[int], expected: str) -> None:
    assert name_refresh([{"sent": 2, "heard": count} for count in heard]) == expected
