from __future__ import annotations

import pytest

from netlab.profiles import COMBINATIONS, PROFILES, profile
from netlab.topology.scenes import two_nats

EVERY = [*PROFILES, *COMBINATIONS]


def test_two_nats_is_a_server_with_two_addresses_and_two_homes() -> None:
    topology = two_nats(profile("full-cone"), profile("symmetric"), rtt=0.04)
    assert topology.node_names == ("server", "nat-elsa", "nat-anna", "elsa", "anna")
    assert len(topology.public_hosts[0].addresses) == 2
    assert [entry.profile.name for entry in topology.nats] == ["full-cone", "symmetric"]
    assert topology.rtt == 0.04


def test_the_two_homes_overlap_and_the_two_hosts_do_not() -> None:
    topology = two_nats(profile("full-cone"), profile("symmetric"))
    _, elsa, anna = topology.hosts
    assert topology.nats[0].lan_network == topology.nats[1].lan_network
    assert elsa.addresses != anna.addresses


def test_an_open_side_is_a_public_host() -> None:
    topology = two_nats(profile("open"), profile("symmetric"))
    assert [entry.name for entry in topology.public_hosts] == ["server", "elsa"]
    assert [entry.name for entry in topology.nats] == ["nat-anna"]


def test_a_carriers_nat_is_a_router_of_its_own() -> None:
    topology = two_nats(profile("cgn-symmetric"), profile("open"))
    home, carrier = topology.nats
    assert (home.name, home.behind, str(home.wan_address)) == ("nat-elsa", "carrier-elsa", "100.64.0.2")
    assert (carrier.name, carrier.behind, str(carrier.lan_network)) == ("carrier-elsa", None, "100.64.0.0/24")


@pytest.mark.parametrize("dual_stack", [False, True])
@pytest.mark.parametrize("name", EVERY)
def test_the_internet_sees_both_at_the_same_addresses_and_behaviours_whatever_the_profile(
    name: str, dual_stack: bool
) -> None:
    topology = two_nats(profile(name), profile(name), dual_stack=dual_stack)
    _, elsa, anna = topology.hosts
    assert str(topology.public_address_of(elsa)) == "203.0.113.7"
    assert str(topology.public_address_of(anna)) == "203.0.113.33"
    assert topology.behavior_of(elsa.interfaces[0]) == profile(name).seen
    assert topology.has_ipv6 is dual_stack
