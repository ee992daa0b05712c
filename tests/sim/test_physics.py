"""Every pair of NAT profiles connects, or fails with a reason, as the law in natcore.nat says."""

from __future__ import annotations

from itertools import combinations_with_replacement

import pytest

from natcore.channel import SessionEnded
from natcore.ice import FailureReason, IceConfig
from netlab.profiles import COMBINATIONS, PROFILES, profile
from tests.sim.encounter import GIVE_UP_AFTER, Encounter
from tests.sim.pair import SessionPair, make_sites, payloads

PAIRS = list(combinations_with_replacement(PROFILES, 2))

SEEDS = range(100)
"""Meetings of every pair of named profiles."""

FEW_SEEDS = range(4)
"""Meetings of every pair of plain combinations, of which there are more."""


def assert_all_as_expected(first: str, second: str, seeds: range) -> None:
    endings = [Encounter.drawn(profile(first), profile(second), seed).hold() for seed in seeds]
    wrong = [complaint for complaint in endings if complaint]
    assert not wrong, f"{len(wrong)} of {len(seeds)} meetings, such as {wrong[0]}"


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=lambda name: str(name))
def test_a_pair_of_profiles_comes_to_what_the_law_expects(first: str, second: str) -> None:
    assert_all_as_expected(first, second, SEEDS)


@pytest.mark.parametrize("first", COMBINATIONS)
def test_a_combination_and_every_other_come_to_what_the_law_expects(first: str) -> None:
    for second in COMBINATIONS:
        if first <= second:
            assert_all_as_expected(first, second, FEW_SEEDS)


@pytest.mark.parametrize("names", [("udp-blocked", "full-cone"), ("full-cone", "udp-blocked")])
def test_a_side_whose_udp_is_blocked_is_told_that_nothing_came(names: tuple[str, str]) -> None:
    pair = SessionPair(make_sites(*names))
    pair.start()
    pair.advance(GIVE_UP_AFTER)
    ends = pair.elsa.events(SessionEnded) + pair.anna.events(SessionEnded)
    assert [end.reason for end in ends] == [FailureReason.SILENCE] * 2


def test_port_restricted_against_symmetric_gives_up_in_time_and_says_what_it_saw() -> None:
    pair = SessionPair(make_sites("port-restricted", "symmetric"))
    pair.start(early_data=b"never")
    pair.drive_until(SessionEnded, pair.elsa, pair.anna)
    assert pair.now == GIVE_UP_AFTER
    for side in (pair.elsa, pair.anna):
        (end,) = side.events(SessionEnded)
        assert end.reason is FailureReason.SILENCE
        assert "checks to 2 addresses in 10 s, 0 received" in end.detail
    assert payloads(pair.anna) == []


def test_giving_up_costs_a_bounded_number_of_datagrams() -> None:
    pair = SessionPair(make_sites("symmetric", "symmetric"))
    pair.start()
    pair.advance(60.0)
    assert pair.elsas.packets_sent == 2 * IceConfig().check_schedule.max_requests
    assert not pair.step(), "something is still due after both gave up"
