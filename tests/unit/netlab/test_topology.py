from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest

from netlab.errors import BadTopology
from netlab.profiles import profile
from netlab.scenes import two_nats
from netlab.topology import Host, Nat, Topology

HOME = IPv4Network("192.168.1.0/24")


def address(text: str) -> IPv4Address:
    return IPv4Address(text)


def nat(name: str = "nat", wan: str = "203.0.113.7", lan: IPv4Network = HOME) -> Nat:
    return Nat(name=name, profile=profile("port-restricted"), wan_address=address(wan), lan_network=lan)


def host(name: str = "elsa", behind: str = "nat", at: str = "192.168.1.10") -> Host:
    return Host(name=name, nat=behind, address=address(at))


def public(name: str = "server", *addresses: str) -> PublicHost:
    return PublicHost(name=name, addresses=tuple(map(address, addresses or ("198.51.100.10",))))


def test_two_nats_is_a_server_with_two_addresses_and_two_homes() -> None:
    topology = two_nats(profile("full-cone"), profile("symmetric"), rtt=0.04)
    assert topology.node_names == ("server", "nat-elsa", "nat-anna", "elsa", "anna")
    assert len(topology.public_hosts[0].addresses) == 2
    assert [entry.profile.name for entry in topology.nats] == ["full-cone", "symmetric"]
    assert topology.rtt == 0.04


def test_the_two_homes_overlap_and_the_two_hosts_do_not() -> None:
    topology = two_nats(profile("full-cone"), profile("symmetric"))
    elsa, anna = topology.hosts
    assert topology.nats[0].lan_network == topology.nats[1].lan_network
    assert elsa.address != anna.address


def test_an_open_side_is_a_public_host() -> None:
    topology = two_nats(profile("open"), profile("symmetric"))
    assert [entry.name for entry in topology.public_hosts] == ["server", "elsa"]
    assert [entry.name for entry in topology.nats] == ["nat-anna"]
    assert [entry.name for entry in topology.hosts] == ["anna"]


BAD = {
    "node name 'elsa' is used twice": {"nats": (nat(),), "hosts": (host(), host(at="192.168.1.11"))},
    "node name: got 'inet'": {"public_hosts": (public("inet"),)},
    "node name: got 'Elsa.1'": {"public_hosts": (public("Elsa.1"),)},
    "node name: got ''": {"public_hosts": (public(""),)},
    "public host 'mute' has no address": {"public_hosts": (PublicHost(name="mute", addresses=()),)},
    "public address 198.51.100.10 is used twice": {"public_hosts": (public(), public("other"))},
    "public address 192.0.2.1 is used twice": {"public_hosts": (public("server", "192.0.2.1"),)},
    "lies inside the home network": {
        "public_hosts": (public("server", "192.168.1.77"),),
        "nats": (nat(),),
        "hosts": (host(),),
    },
    "is behind 'moon', which is no NAT": {"hosts": (host(behind="moon"),)},
    "nothing stands behind 'nat'": {"nats": (nat(),)},
    "lies outside 192.168.1.0/24": {"nats": (nat(),), "hosts": (host(at="192.168.2.10"),)},
    "home address 192.168.1.1 behind 'nat' is used twice": {
        "nats": (nat(),),
        "hosts": (host(at="192.168.1.1"),),
    },
    "expected /30 or wider": {
        "nats": (nat(lan=IPv4Network("192.168.1.0/31")),),
        "hosts": (host(at="192.168.1.1"),),
    },
    "cannot be 'open'": {"nats": (replace(nat(), profile=profile("open")),), "hosts": (host(),)},
    "round-trip time: got -1 s": {"rtt": -1.0},
    "round-trip time: got 61 s": {"rtt": 61.0},
    "loss: got 1,": {"loss": 1.0},
    "loss: got -0.1,": {"loss": -0.1},
}


@pytest.mark.parametrize("complaint", BAD)
def test_a_contradiction_is_said_when_the_topology_is_made(complaint: str) -> None:
    with pytest.raises(BadTopology, match=complaint.replace("(", r"\(")):
        Topology(**BAD[complaint])  # type: ignore[arg-type]  # a table of many kinds of fields


def test_homes_of_different_nats_may_overlap() -> None:
    Topology(
        nats=(nat("one"), nat("two", wan="203.0.113.8")),
        hosts=(host("elsa", "one"), host("anna", "two")),
    )


def test_several_hosts_may_stand_behind_one_nat() -> None:
    topology = Topology(nats=(nat(),), hosts=(host(), host("anna", at="192.168.1.11")))
    assert [entry.name for entry in topology.hosts_behind(topology.nats[0])] == ["elsa", "anna"]
