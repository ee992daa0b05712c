"""Whom a host can meet: the table against the law of natcore.nat, for every NAT of the lab."""

from __future__ import annotations

from dataclasses import replace

import pytest

from natcore.discovery.reach import PEERS, Technique, reach
from natcore.nat import FilteringBehavior, MappingBehavior, NatBehavior, Outcome, expected_outcome
from netlab.profiles import COMBINATIONS, PROFILES

EVERYTHING = {**PROFILES, **COMBINATIONS}


def table(own: NatBehavior | None, *, has_mapped_port: bool = False) -> dict[str, Technique]:
    return {row.peer: row.technique for row in reach(own, udp_passes=True, has_mapped_port=has_mapped_port)}


@pytest.mark.parametrize("name", EVERYTHING)
def test_plain_checks_are_promised_exactly_where_the_law_allows_them(name: str) -> None:
    own = EVERYTHING[name].seen
    for peer, technique in table(own).items():
        is_plain = expected_outcome(own, PEERS[peer]) is not Outcome.IMPOSSIBLE
        assert (technique is Technique.PLAIN_CHECKS) is is_plain, peer


def test_beyond_plain_checks_the_table_says_what_the_planner_would_do() -> None:
    strict, symmetric, counting = (
        table(PROFILES[name].seen) for name in ("port-restricted", "symmetric", "symmetric-sequential")
    )
    assert strict["symmetric, sequential ports"] is Technique.PREDICTION
    assert strict["symmetric, random ports"] is Technique.BIRTHDAY
    assert symmetric["port-restricted, as most homes"] is Technique.BIRTHDAY
    assert symmetric["symmetric, random ports"] is Technique.RELAY
    assert counting["symmetric, sequential ports"] is Technique.PREDICTION


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_mapped_port_adds_what_a_full_cone_reaches_and_takes_nothing_away(name: str) -> None:
    own = EVERYTHING[name].seen
    cone = replace(
        own,
        mapping=MappingBehavior.ENDPOINT_INDEPENDENT,
        filtering=FilteringBehavior.ENDPOINT_INDEPENDENT,
    )
    without, having = table(own), table(own, has_mapped_port=True)
    for peer, technique in without.items():
        if technique is Technique.PLAIN_CHECKS:
            assert having[peer] is Technique.PLAIN_CHECKS
        elif expected_outcome(cone, PEERS[peer]) is Outcome.IMPOSSIBLE:
            assert having[peer] is Technique.RELAY
        else:
            assert having[peer] is Technique.MAPPED_PORT


def test_of_an_unknown_nat_only_what_holds_for_all_is_said() -> None:
    said = table(None)
    assert said.pop("no NAT, or a full cone") is Technique.PLAIN_CHECKS
    assert said.pop("UDP blocked") is Technique.RELAY
    assert set(said.values()) == {Technique.UNKNOWN}
    for own in (profile.seen for profile in EVERYTHING.values() if not profile.seen.udp_blocked):
        assert expected_outcome(own, PEERS["no NAT, or a full cone"]) is not Outcome.IMPOSSIBLE


def test_a_mapped_port_of_an_unknown_nat_reaches_all_whose_udp_passes() -> None:
    said = table(None, has_mapped_port=True)
    assert said.pop("UDP blocked") is Technique.RELAY
    assert set(said.values()) == {Technique.MAPPED_PORT}


def test_nothing_is_promised_before_udp_is_known_to_pass() -> None:
    rows = reach(None, udp_passes=False, has_mapped_port=False)
    assert {row.technique for row in rows} == {Technique.UNKNOWN, Technique.RELAY}


def test_who_has_no_udp_meets_nobody() -> None:
    assert set(table(NatBehavior(udp_blocked=True)).values()) == {Technique.RELAY}


def test_the_table_is_in_the_order_of_friendliness() -> None:
    assert [row.peer for row in reach(None, udp_passes=True, has_mapped_port=False)] == list(PEERS)
