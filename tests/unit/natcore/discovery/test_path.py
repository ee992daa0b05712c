"""Whom the routers on the way give away, and how far each witness is believed."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from natcore.discovery import Known, Unknown, WanSide
from natcore.discovery.finding import Finding
from natcore.discovery.path import kind_of, nat_distance, wan_side

REFLEXIVE = ip_address("203.0.113.7")
HOME = {1: ip_address("192.168.7.1")}


def behind_nat(second: str | None, gateway: str | None = None) -> Finding[WanSide]:
    """The finding for a translated host whose second router and whose gateway say so."""
    return wan_side(
        is_translated=True,
        reflexive=REFLEXIVE,
        hops=HOME | ({} if second is None else {2: ip_address(second)}),
        gateway_says=None if gateway is None else ip_address(gateway),
    )


def value(finding: Finding[WanSide]) -> WanSide:
    assert isinstance(finding, Known), finding
    return finding.value


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("100.64.0.0", WanSide.CARRIER),
        ("100.127.255.255", WanSide.CARRIER),
        ("100.63.255.255", WanSide.PUBLIC),
        ("100.128.0.0", WanSide.PUBLIC),
        ("10.0.0.1", WanSide.PRIVATE),
        ("172.16.0.1", WanSide.PRIVATE),
        ("172.31.255.255", WanSide.PRIVATE),
        ("172.32.0.0", WanSide.PUBLIC),
        ("192.168.255.255", WanSide.PRIVATE),
        ("192.169.0.0", WanSide.PUBLIC),
        ("203.0.113.7", WanSide.PUBLIC),
        ("2001:db8::1", WanSide.PUBLIC),
        ("fd00::1", WanSide.PUBLIC),
    ],
)
def test_what_an_address_on_the_outside_means(ip: str, expected: WanSide) -> None:
    assert kind_of(ip_address(ip)) is expected


def test_without_translation_nothing_is_behind_anything_whoever_says_what() -> None:
    finding = wan_side(
        is_translated=False,
        reflexive=REFLEXIVE,
        hops={2: ip_address("100.64.0.1")},
        gateway_says=ip_address("10.0.0.1"),
    )
    assert value(finding) is WanSide.PUBLIC


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ("100.64.0.1", WanSide.CARRIER),
        ("192.168.0.1", WanSide.PRIVATE),
        ("198.51.100.1", WanSide.PUBLIC),
    ],
)
def test_the_second_router_tells_by_its_address(second: str, expected: WanSide) -> None:
    assert value(behind_nat(second)) is expected


@pytest.mark.parametrize("second", ["10.0.0.1", "172.16.9.9"])
def test_a_private_range_that_providers_use_too_is_left_open(second: str) -> None:
    finding = behind_nat(second)
    assert isinstance(finding, Unknown)
    assert second in finding.reason


@pytest.mark.parametrize("second", ["169.254.1.1", "fe80::1"])
def test_a_router_that_has_only_a_link_local_address_stands_on_no_private_network(second: str) -> None:
    assert value(behind_nat(second)) is WanSide.PUBLIC


@pytest.mark.parametrize("hops", [{}, {1: 1}, {1: 1, 3: 3}], ids=["nobody", "the first", "first and third"])
def test_without_the_second_router_nothing_is_known(hops: dict[int, int]) -> None:
    answered = {distance: ip_address(f"198.51.100.{number}") for distance, number in hops.items()}
    assert isinstance(wan_side(is_translated=True, reflexive=REFLEXIVE, hops=answered), Unknown)


# --- the gateway's word -------------------------------------------------------------------------------------


@pytest.mark.parametrize("second", ["100.64.0.1", "192.168.0.1", "10.0.0.1", None])
def test_the_gateways_word_beats_the_hops_where_the_internet_bears_it_out(second: str | None) -> None:
    assert value(behind_nat(second, gateway=str(REFLEXIVE))) is WanSide.PUBLIC


@pytest.mark.parametrize(
    ("gateway", "expected"),
    [("100.64.7.7", WanSide.CARRIER), ("10.1.1.1", WanSide.PRIVATE), ("192.168.0.2", WanSide.PRIVATE)],
)
@pytest.mark.parametrize("second", ["198.51.100.1", None])
def test_a_gateway_that_admits_to_another_nat_is_believed(
    gateway: str, expected: WanSide, second: str | None
) -> None:
    assert value(behind_nat(second, gateway=gateway)) is expected


def test_a_gateway_with_a_public_address_that_nobody_sees_is_not_believed() -> None:
    lie = "198.51.100.99"
    assert isinstance(behind_nat(None, gateway=lie), Unknown)
    assert value(behind_nat("100.64.0.1", gateway=lie)) is WanSide.CARRIER, "the hops decide"


@pytest.mark.parametrize(
    ("routers", "distance"),
    [
        ((), None),
        (("203.0.113.1",), None),
        (("192.168.7.1",), 1),
        (("192.168.7.1", "203.0.113.1"), 1),
        (("192.168.7.1", "169.254.0.1"), 1),
        (("192.168.7.1", "100.64.0.1"), 2),
        (("192.168.7.1", "100.64.0.1", "10.1.2.3", "203.0.113.1"), 3),
        ((None, "192.168.1.1"), None),
        (("192.168.7.1", None, "10.0.0.1"), 1),
    ],
)
def test_our_outermost_nat_is_the_last_router_that_answers_from_inside(
    routers: tuple[str | None, ...], distance: int | None
) -> None:
    hops = {index: ip_address(one) for index, one in enumerate(routers, start=1) if one is not None}
    assert nat_distance(hops) == distance
