"""The report in the words of natcore.nat, and what the gateway's word changes in it."""

from __future__ import annotations

from dataclasses import fields, replace
from ipaddress import ip_address

import pytest

from natcore.discovery import Allocation, DiscoveryReport, Known, MappingLifetime, Unknown, WanSide, value_of
from natcore.discovery.finding import Finding
from natcore.nat import NatBehavior, PortAllocation
from netlab.profiles import COMBINATIONS, PROFILES
from tests.unit.natcore.discovery.reports import PORTS, REFLEXIVE, UNSEEN, report_of, silent, symmetric

EVERYTHING = {**PROFILES, **COMBINATIONS}


@pytest.mark.parametrize("name", [name for name, one in EVERYTHING.items() if not one.seen.udp_blocked])
def test_a_report_of_a_nat_is_that_nat(name: str) -> None:
    nat = EVERYTHING[name].seen
    found = report_of(nat).behavior()
    assert found is not None
    assert (found.mapping, found.filtering, found.allocation, found.hairpinning) == (
        nat.mapping,
        nat.filtering,
        nat.allocation,
        nat.hairpinning,
    )


@pytest.mark.parametrize("missing", ["mapping", "filtering"])
def test_without_mapping_or_filtering_there_is_no_nat_to_speak_of(missing: str) -> None:
    assert report_of(None, **{missing: UNSEEN}).behavior() is None


def test_what_else_is_unknown_has_its_default() -> None:
    found = report_of(symmetric(), allocation=UNSEEN, hairpinning=UNSEEN).behavior()
    assert found == replace(symmetric(), allocation=PortAllocation.PRESERVING)


def test_the_step_and_the_lifetime_are_taken_over() -> None:
    ports: Finding[Allocation] = Known(replace(PORTS, kind=PortAllocation.SEQUENTIAL, step=-2), "seen")
    life = Known(MappingLifetime(at_least=28.0, at_most=30.0), "seen")
    found = report_of(allocation=ports, mapping_lifetime=life).behavior()
    assert found is not None
    assert (found.allocation, found.port_step, found.mapping_lifetime) == (
        PortAllocation.SEQUENTIAL,
        -2,
        28.0,
    )


def test_a_step_that_is_none_is_not_a_step_of_zero() -> None:
    found = report_of(symmetric()).behavior()
    assert found is not None
    assert found.port_step == 1


def test_blocked_udp_is_all_that_is_known_of_such_a_nat() -> None:
    report = silent(is_blocked=True)
    assert report.is_blocked
    assert report.behavior() == NatBehavior(udp_blocked=True)


def test_a_silent_server_is_no_blocked_udp() -> None:
    report = silent(is_blocked=False)
    assert not report.is_blocked
    assert report.behavior() is None


def test_of_a_silent_server_every_behaviour_is_unknown() -> None:
    report = silent(is_blocked=True)
    properties = [getattr(report, field.name) for field in fields(DiscoveryReport)]
    known = [one for one in properties if isinstance(one, Known)]
    assert known == [report.udp_blocked, report.tcp_passes]


def test_the_lifetime_is_unknown_where_it_was_not_asked_for() -> None:
    finding = report_of().mapping_lifetime
    assert isinstance(finding, Unknown)
    assert "was not asked for" in finding.reason


@pytest.mark.parametrize(
    ("says", "expected"),
    [("100.64.0.2", WanSide.CARRIER), ("10.0.0.2", WanSide.PRIVATE), (str(REFLEXIVE), WanSide.PUBLIC)],
)
def test_the_gateways_word_settles_its_outside(says: str, expected: WanSide) -> None:
    report = report_of(wan_side=UNSEEN).with_gateway(ip_address(says))
    assert value_of(report.wan_side) is expected


def test_a_gateways_lie_leaves_what_the_hops_say() -> None:
    report = report_of()
    assert value_of(report.with_gateway(ip_address("198.51.100.99")).wan_side) is WanSide.PUBLIC
    assert isinstance(replace(report, hops={}).with_gateway(ip_address("198.51.100.99")).wan_side, Unknown)


def test_a_gateway_changes_nothing_where_nobody_sees_us() -> None:
    report = silent(is_blocked=True)
    assert report.with_gateway(ip_address("10.0.0.2")) is report


def test_a_gateway_changes_nothing_but_that() -> None:
    before = report_of()
    after = before.with_gateway(ip_address("100.64.0.2"))
    assert replace(after, wan_side=before.wan_side) == before
