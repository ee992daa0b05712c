from __future__ import annotations

import pytest

from natcore.nat import Outcome, expected_outcome
from netlab.errors import UnknownProfile
from netlab.profiles import PROFILES, profile


def test_the_profiles_are_these_in_this_order() -> None:
    assert list(PROFILES) == [
        "open",
        "full-cone",
        "address-restricted",
        "port-restricted",
        "symmetric",
        "naive",
        "udp-blocked",
    ]


def test_every_profile_has_a_behaviour_of_its_own() -> None:
    distinct = {entry.behavior for name, entry in PROFILES.items() if name != "open"}
    assert len(distinct) == len(PROFILES) - 1


def test_every_profile_says_what_it_imitates() -> None:
    for entry in PROFILES.values():
        assert entry.devices
        assert "\n" not in entry.summary


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [("symetric", "symmetric"), ("port-restrict", "port-restricted"), ("fullcone", "full-cone")],
)
def test_an_unknown_profile_is_answered_with_the_nearest(asked: str, nearest: str) -> None:
    with pytest.raises(UnknownProfile) as caught:
        profile(asked)
    assert str(caught.value) == f"unknown NAT profile {asked!r}: did you mean {nearest}?"


def test_a_name_like_no_other_is_answered_with_all_of_them() -> None:
    with pytest.raises(UnknownProfile, match="expected one of open, full-cone, address-restricted"):
        profile("xyz")


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("port-restricted", "port-restricted", Outcome.DIRECT),
        ("port-restricted", "symmetric", Outcome.IMPOSSIBLE),
        ("address-restricted", "symmetric", Outcome.DIRECT),
        ("symmetric", "symmetric", Outcome.IMPOSSIBLE),
        ("naive", "naive", Outcome.TIMING),
        ("udp-blocked", "open", Outcome.IMPOSSIBLE),
    ],
)
def test_the_fate_of_a_pair_is_known(a: str, b: str, expected: Outcome) -> None:
    assert expected_outcome(profile(a).behavior, profile(b).behavior) is expected
