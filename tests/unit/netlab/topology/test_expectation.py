from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest

from natcore.nat import Outcome, expected_outcome
from netlab.errors import NodeNotFound
from netlab.profiles import PROFILES, profile
from netlab.topology.expectation import NoPrediction, expected_between
from netlab.topology.scenes import two_nats
from netlab.topology.values import Host, Interface, Nat, Topology


@pytest.mark.parametrize("name", PROFILES)
def test_two_nats_are_judged_by_what_the_internet_sees_of_their_profiles(name: str) -> None:
    for other in PROFILES.values():
        topology = two_nats(profile(name), other)
        assert expected_between(topology, "elsa", "anna") is expected_outcome(profile(name).seen, other.seen)


def test_a_public_host_is_judged_too() -> None:
    topology = two_nats(profile("symmetric"), profile("udp-blocked"))
    assert expected_between(topology, "elsa", "server") is Outcome.DIRECT
    assert expected_between(topology, "server", "anna") is Outcome.IMPOSSIBLE


def test_a_host_with_two_interfaces_uses_the_better_one() -> None:
    scene = two_nats(profile("symmetric"), profile("symmetric"))
    server, elsa, anna = scene.hosts
    assert expected_between(scene, "elsa", "anna") is Outcome.IMPOSSIBLE
    second = Nat(
        name="second",
        profile=profile("full-cone"),
        wan_address=IPv4Address("203.0.113.50"),
        lan_network=IPv4Network("10.0.0.0/24"),
    )
    leg = Interface(nat="second", addresses=(IPv4Address("10.0.0.10"),))
    homes = replace(
        scene,
        nats=(*scene.nats, second),
        hosts=(server, replace(elsa, interfaces=(*elsa.interfaces, leg)), anna),
    )
    assert expected_between(homes, "elsa", "anna") is Outcome.DIRECT


def test_nothing_is_said_of_two_behind_one_router() -> None:
    home = Nat(
        name="home",
        profile=profile("port-restricted"),
        wan_address=IPv4Address("203.0.113.7"),
        lan_network=IPv4Network("192.168.1.0/24"),
    )
    hosts = [
        Host(name=name, interfaces=(Interface(nat="home", addresses=(IPv4Address(address),)),))
        for name, address in (("one", "192.168.1.10"), ("two", "192.168.1.11"))
    ]
    with pytest.raises(NoPrediction, match="no prediction for one and two: both are behind home"):
        expected_between(Topology(nats=(home,), hosts=tuple(hosts)), "one", "two")


def test_a_host_that_is_not_there_is_named() -> None:
    with pytest.raises(NodeNotFound, match="no node 'bert' in this lab"):
        expected_between(two_nats(profile("open"), profile("open")), "elsa", "bert")
