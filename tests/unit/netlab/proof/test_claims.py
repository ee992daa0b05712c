from __future__ import annotations

from dataclasses import replace
from itertools import chain

import pytest

from natcore.nat import EarlyInbound
from netlab.profiles import COMBINATIONS, PROFILES, profile
from netlab.proof.claims import claims_of
from tests.unit.netlab.proof.subjects import changed, subject

TIMERLESS = ("open", "udp-blocked", "corporate")


def test_no_two_profiles_claim_the_same() -> None:
    """But for the four combinations that a named profile is as well."""
    claims = [tuple(claims_of(subject(entry), patience=10).items()) for entry in PROFILES.values()]
    assert len(set(claims)) == len(claims)
    combined = [tuple(claims_of(subject(entry)).items()) for entry in COMBINATIONS.values()]
    assert len(set(combined)) == len(combined)


def test_blocked_udp_leaves_tcp_and_the_control_to_see() -> None:
    assert claims_of(subject("udp-blocked")) == {
        "control: unasked datagram": "stopped",
        "udp blocked": "yes",
        "tcp ports": "all",
    }
    assert claims_of(subject("corporate"))["tcp ports"] == "80, 443"


def test_only_where_nothing_stands_an_unasked_datagram_arrives() -> None:
    everything = chain(PROFILES.values(), COMBINATIONS.values())
    passing = [e.name for e in everything if claims_of(subject(e))["control: unasked datagram"] == "arrives"]
    assert passing == ["open"]


def test_a_host_on_the_core_claims_nothing_of_a_router() -> None:
    claims = claims_of(subject("open", routers=()), patience=1000)
    assert {"hairpinning", "early inbound", "mapping lifetime", "inbound refresh"}.isdisjoint(claims)


def test_a_firewall_has_a_lifetime_and_nothing_to_turn_around() -> None:
    claims = claims_of(subject("stateful-firewall"))
    assert claims["translated"] == "no"
    assert claims["mapping lifetime"] == "120 s, by the kernel's countdown"
    assert "hairpinning" not in claims


def test_ports_are_claimed_with_step_and_pool() -> None:
    assert claims_of(subject(changed("symmetric-sequential", port_step=3)))["allocation"] == (
        "sequential, step 3"
    )
    assert claims_of(subject("symmetric-small-pool"))["port pool"] == "256 ports"
    assert claims_of(subject("symmetric"))["port pool"] == "over 4,096 ports"
    assert "port pool" not in claims_of(subject("port-restricted"))


def test_a_mapping_that_depends_on_the_destination_moves_in_any_case() -> None:
    assert "early inbound" not in claims_of(subject("symmetric"))
    moving = changed("non-preserving-cone", early_inbound=EarlyInbound.REMAPS)
    assert claims_of(subject(moving))["early inbound"] == "remaps"


@pytest.mark.parametrize(
    ("patience", "expected"),
    [
        (2.9, {"mapping lifetime": "3 s, by the kernel's countdown"}),
        (3.0, {"mapping lifetime": "3 s", "inbound refresh": "no"}),
    ],
)
def test_a_lifetime_is_waited_for_up_to_the_patience(patience: float, expected: dict[str, str]) -> None:
    claims = claims_of(subject("short-lifetime"), patience=patience)
    timers = {name: claims[name] for name in ("mapping lifetime", "inbound refresh") if name in claims}
    assert timers == expected


def test_a_lifetime_that_is_neither_waited_for_nor_readable_is_not_claimed() -> None:
    assert "mapping lifetime" not in claims_of(subject("port-restricted", routers=()))


def test_two_routers_are_claimed_as_the_internet_sees_them() -> None:
    claims = claims_of(subject("cgn-cone", routers=("home", "carrier")))
    assert claims["allocation"] == "random"
    assert claims["hairpinning"] == "yes"
    assert claims["filtering"] == "address-and-port-dependent"


def test_nobody_can_see_a_carrier_hairpin_whose_mapping_depends_on_the_destination() -> None:
    carrier = replace(profile("symmetric").behavior, hairpinning=True)
    behind = replace(profile("cgn-symmetric"), carrier=carrier)
    assert "hairpinning" not in claims_of(subject(behind, routers=("home", "carrier")))
    assert claims_of(subject(changed("symmetric", hairpinning=True)))["hairpinning"] == "yes"
