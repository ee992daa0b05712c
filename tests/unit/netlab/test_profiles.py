from __future__ import annotations

import pytest

from natcore.nat import MappingBehavior, Outcome, expected_outcome
from netlab.errors import UnknownProfile
from netlab.profiles import COMBINATIONS, PROFILES, profile


def test_the_profiles_are_these_in_this_order() -> None:
    assert list(PROFILES) == [
        "open",
        "stateful-firewall",
        "full-cone",
        "address-restricted",
        "port-restricted",
        "non-preserving-cone",
        "address-dependent",
        "symmetric",
        "symmetric-sequential",
        "symmetric-small-pool",
        "naive",
        "cgn-cone",
        "cgn-symmetric",
        "short-lifetime",
        "udp-blocked",
        "corporate",
    ]


def test_every_profile_differs_from_all_others() -> None:
    distinct = {(one.seen, one.carrier, one.boundary, one.tcp_ports) for one in PROFILES.values()}
    assert len(distinct) == len(PROFILES)


def test_the_combinations_are_all_that_mean_something() -> None:
    parts = {
        (one.behavior.mapping, one.behavior.filtering, one.behavior.allocation)
        for one in COMBINATIONS.values()
    }
    assert len(parts) == len(COMBINATIONS) == 21
    keeping = [name for name in COMBINATIONS if name.endswith("preserving")]
    assert keeping == ["eim-eif-preserving", "eim-adf-preserving", "eim-apdf-preserving"]


def test_a_carriers_nat_is_part_of_what_is_seen() -> None:
    seen = profile("cgn-symmetric").seen
    assert seen.mapping is MappingBehavior.ADDRESS_AND_PORT_DEPENDENT
    assert profile("cgn-symmetric").behavior.mapping is MappingBehavior.ENDPOINT_INDEPENDENT


def test_every_profile_says_what_it_imitates() -> None:
    for entry in (*PROFILES.values(), *COMBINATIONS.values()):
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


def test_a_name_like_no_other_is_answered_with_where_they_are_listed() -> None:
    with pytest.raises(UnknownProfile, match="`netlab profiles` lists them"):
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
    assert expected_outcome(profile(a).seen, profile(b).seen) is expected
