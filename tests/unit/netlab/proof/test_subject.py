from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest

from natcore.nat import FilteringBehavior, MappingBehavior
from netlab.profiles import COMBINATIONS, PROFILES, Boundary, NatProfile, profile
from netlab.proof.everything import one_of_each
from netlab.proof.subject import subjects_of, together
from netlab.topology import Nat
from netlab.topology.scenes import two_nats

EVERYTHING = (*PROFILES.values(), *COMBINATIONS.values())


def router(entry: NatProfile) -> Nat:
    return Nat(
        name=entry.name,
        profile=entry,
        wan_address=IPv4Address("203.0.113.7"),
        lan_network=IPv4Network("192.168.1.0/24"),
    )


def test_each_router_with_a_host_is_a_subject() -> None:
    found = subjects_of(two_nats(profile("symmetric"), profile("open")))
    assert [(one.node, one.host, one.routers) for one in found] == [("nat-elsa", "elsa", ("nat-elsa",))]


def test_two_routers_in_a_row_are_one_subject_seen_together() -> None:
    (found,) = subjects_of(two_nats(profile("cgn-symmetric"), profile("open")))
    assert found.routers == ("nat-elsa", "carrier-elsa")
    assert found.is_chain
    assert found.profile.seen == profile("cgn-symmetric").seen


def test_a_dual_stack_home_is_two_subjects() -> None:
    ipv4, ipv6 = subjects_of(two_nats(profile("udp-blocked"), profile("open"), dual_stack=True))
    assert (ipv4.is_ipv6, ipv6.is_ipv6) == (False, True)
    assert ipv6.profile.behavior.udp_blocked
    assert ipv6.profile.boundary is Boundary.FIREWALL


def test_ipv6_is_claimed_as_a_stateful_firewall_whatever_ipv4_is() -> None:
    _, ipv6 = subjects_of(two_nats(profile("symmetric"), profile("open"), dual_stack=True))
    assert ipv6.profile.behavior.mapping is MappingBehavior.ENDPOINT_INDEPENDENT
    assert ipv6.profile.behavior.filtering is FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT


@pytest.mark.parametrize(
    ("inner", "outer", "boundary", "tcp_ports"),
    [
        ("port-restricted", "stateful-firewall", Boundary.NAT, None),
        ("stateful-firewall", "stateful-firewall", Boundary.FIREWALL, None),
        ("corporate", "symmetric", Boundary.NAT, (80, 443)),
        ("symmetric", "corporate", Boundary.NAT, (80, 443)),
    ],
)
def test_routers_in_a_row_bound_as_the_strictest(
    inner: str, outer: str, boundary: Boundary, tcp_ports: tuple[int, ...] | None
) -> None:
    seen = together([router(profile(inner)), router(profile(outer))])
    assert (seen.boundary, seen.tcp_ports) == (boundary, tcp_ports)
    assert seen.behavior == profile(inner).behavior.behind(profile(outer).behavior)


def test_one_lab_holds_every_profile() -> None:
    topology = one_of_each(EVERYTHING)
    found = {subject.node: subject for subject in subjects_of(topology)}
    assert set(found) == {entry.name for entry in EVERYTHING if entry.boundary is not Boundary.NONE}
    assert all(found[name].profile.seen == profile(name).seen for name in found)
