"""The JSON of a check: scripts and the lab read it, so its shape stays."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from natcore.discovery import Known, MappingLifetime, StunServer, WanSide
from natcore.discovery.reach import Technique
from natcore.nat import PortAllocation
from peer.check.report import CheckReport, FamilyReport, reach_rows
from tests.unit.natcore.discovery.reports import PORTS, SERVER, UNSEEN, report_of, silent
from tests.unit.peer.check.checks import NO_IPV6, check_of


def as_json(report: CheckReport) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(report.to_json())
    return parsed


OBSERVED = [
    *("udp_blocked", "tcp_passes", "translated", "mapping", "filtering", "allocation", "several_addresses"),
    *("hairpinning", "wan_side", "carrier_grade_nat", "mapping_lifetime"),
]
FAMILY = [
    *("local_address", "reflexive_addresses", "rtt"),
    *OBSERVED,
    *("servers", "hops", "loss", "packets_sent", "elapsed"),
]


def test_the_object_has_these_keys_in_this_order() -> None:
    assert list(as_json(check_of())) == [
        *(
            "ipv4",
            "ipv6",
            "ipv4_unknown_because",
            "ipv6_unknown_because",
            "port_mapping",
            "verdict",
            "advice",
        ),
        *("reach", "notes", "elapsed"),
    ]


def test_it_is_one_line() -> None:
    assert "\n" not in check_of(notes=("a\nb",)).to_json()


@pytest.mark.parametrize("report", [report_of(), silent(is_blocked=True), silent(is_blocked=False)])
def test_a_family_has_the_same_keys_whatever_is_known(report: Any) -> None:
    family = as_json(check_of(report))["ipv4"]
    assert list(family) == FAMILY
    for name in OBSERVED:
        observed = family[name]
        assert list(observed) == ["value", "evidence", "unknown_because"]
        assert (observed["value"] is None) == (observed["unknown_because"] is not None), name
        assert (observed["value"] is None) == (observed["evidence"] is None), name


def test_values_are_in_rfc_4787s_words() -> None:
    family = as_json(check_of())["ipv4"]
    assert family["mapping"]["value"] == "endpoint-independent"
    assert family["filtering"]["value"] == "address-and-port-dependent"
    assert family["wan_side"]["value"] == "public"
    assert family["udp_blocked"]["value"] is False
    assert family["local_address"] == "192.168.7.10"
    assert family["reflexive_addresses"] == ["203.0.113.7"]
    assert family["hops"] == {"1": "192.168.7.1", "2": "198.51.100.1"}
    assert family["servers"] == [
        {
            "address": "198.51.100.10:10080",
            "other_address": "198.51.100.20:10081",
            "alternate_port": 10081,
        }
    ]


def test_ports_are_an_object() -> None:
    ports = replace(PORTS, kind=PortAllocation.SEQUENTIAL, step=-1, confidence=0.987654)
    family = as_json(check_of(report_of(allocation=Known(ports, "seen"))))["ipv4"]
    assert family["allocation"]["value"] == {
        "kind": "sequential",
        "step": -1,
        "confidence": 0.988,
        "samples": 20,
        "lowest": 40000,
        "highest": 40019,
    }


@pytest.mark.parametrize(("at_most", "shown"), [(30.456, 30.46), (None, None)])
def test_a_lifetime_is_an_object_with_both_ends(at_most: float | None, shown: float | None) -> None:
    life = Known(MappingLifetime(at_least=28.001, at_most=at_most), "seen")
    family = as_json(check_of(report_of(mapping_lifetime=life)))["ipv4"]
    assert family["mapping_lifetime"]["value"] == {"at_least": 28.0, "at_most": shown}


@pytest.mark.parametrize(
    ("side", "expected"), [(WanSide.CARRIER, True), (WanSide.PRIVATE, False), (WanSide.PUBLIC, False)]
)
def test_a_carrier_is_also_told_as_yes_or_no(side: WanSide, expected: bool) -> None:
    family = as_json(check_of(report_of(wan_side=Known(side, "seen"))))["ipv4"]
    assert family["carrier_grade_nat"]["value"] is expected
    unknown = as_json(check_of(report_of(wan_side=UNSEEN)))["ipv4"]
    assert unknown["carrier_grade_nat"]["value"] is None


def test_a_family_that_is_not_there_says_why() -> None:
    whole = as_json(check_of())
    assert (whole["ipv6"], whole["ipv6_unknown_because"]) == (None, NO_IPV6)
    assert whole["ipv4_unknown_because"] is None


def test_times_are_rounded_to_microseconds() -> None:
    family = as_json(check_of(report_of(rtt=0.0401234567, elapsed=0.1234567891)))["ipv4"]
    assert (family["rtt"], family["elapsed"]) == (0.040123, 0.123457)


def test_reach_has_a_row_for_each_kind_of_peer() -> None:
    rows = as_json(check_of())["reach"]
    assert [list(row) for row in rows] == [["peer", "technique"]] * 6
    assert {row["technique"] for row in rows} <= {
        *(technique.value for technique in Technique),
    }
    assert [row.technique for row in reach_rows(None, has_mapped_port=False)].count("unknown") == 5


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "expected"),
    [
        (report_of(), None, True),
        (silent(is_blocked=True), None, True),
        (silent(is_blocked=False), None, False),
        (silent(is_blocked=False), report_of(), True),
        (None, silent(is_blocked=False), False),
        (None, None, False),
    ],
)
def test_a_check_is_conclusive_when_a_server_answered_by_whatever(
    ipv4: Any, ipv6: Any, expected: bool
) -> None:
    four, six = (None if found is None else FamilyReport.of(found) for found in (ipv4, ipv6))
    assert check_of(ipv4=four, ipv6=six).is_conclusive is expected


def test_a_server_without_anything_else_has_nulls() -> None:
    plain = StunServer(primary=SERVER.primary)
    [server] = as_json(check_of(report_of(servers=(plain,))))["ipv4"]["servers"]
    assert server == {"address": "198.51.100.10:10080", "other_address": None, "alternate_port": None}
