from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise

from netlab.profiles import profile
from netlab.topology import Host, Interface, Nat, Topology
from netlab.topology.scenes import two_nats
from netlab.wiring import wire

PAIR = two_nats(profile("port-restricted"), profile("open"))


def test_every_node_hangs_off_the_core_by_a_link_of_its_own() -> None:
    assert wire(PAIR, "nl-x").links.splitlines() == [
        "link add name eth0 index 1000 netns nl-x.server type veth peer name v1 index 101 netns nl-x.inet",
        "link add name eth0 index 1000 netns nl-x.anna type veth peer name v2 index 102 netns nl-x.inet",
        "link add name wan0 index 1000 netns nl-x.nat-elsa type veth peer name v3 index 103 netns nl-x.inet",
        "link add name eth0 index 1000 netns nl-x.elsa type veth peer name p1 index 101 netns nl-x.nat-elsa",
    ]


def test_the_core_routes_each_public_address_to_its_link_and_bridges_nothing() -> None:
    core = wire(PAIR, "nl-x").batches["inet"].splitlines()
    assert [line for line in core if line.startswith("route")] == [
        "route add blackhole 192.0.2.3",
        "route replace 198.51.100.10 dev v1",
        "route replace 198.51.100.20 dev v1",
        "route replace 203.0.113.33 dev v2",
        "route replace 203.0.113.7 dev v3",
    ]
    assert "address add 192.0.2.1 dev lo" in core
    assert not any("bridge" in line for line in core)


def test_a_public_node_reaches_the_core_onlink_and_sends_from_its_first_address() -> None:
    assert wire(PAIR, "nl-x").batches["server"].splitlines() == [
        "address add 198.51.100.10 dev eth0 nodad",
        "address add 198.51.100.20 dev eth0 nodad",
        "link set eth0 up",
        "route add default via 169.254.0.1 dev eth0 onlink src 198.51.100.10",
    ]


def test_a_nat_bridges_its_home_without_a_forwarding_delay() -> None:
    batch = wire(PAIR, "nl-x").batches["nat-elsa"].splitlines()
    assert "link add name lan0 type bridge forward_delay 0" in batch
    assert "address add 192.168.1.1/24 dev lan0" in batch
    assert "link set p1 master lan0 up" in batch


def test_a_host_behind_a_nat_has_it_as_its_gateway() -> None:
    assert wire(PAIR, "nl-x").batches["elsa"].splitlines() == [
        "address add 192.168.1.10/24 dev eth0 nodad",
        "link set eth0 up",
        "route add default via 192.168.1.1 dev eth0",
    ]


def test_every_node_is_made_once_and_wired_once() -> None:
    wiring = wire(PAIR, "nl-x")
    names = [node.name for node in wiring.nodes]
    assert names == ["inet", "server", "anna", "nat-elsa", "elsa"]
    assert sorted(names) == sorted(wiring.batches)


def test_routers_forward_and_hosts_do_not() -> None:
    forwards = {
        node.name for node in wire(PAIR, "nl-x").nodes if node.sysctls.get("net.ipv4.ip_forward") == "1"
    }
    assert forwards == {"inet", "nat-elsa"}


def test_each_router_has_one_processor_for_all_its_packets() -> None:
    settled = {
        node.name for node in wire(PAIR, "nl-x").nodes if node.sysctls.get("net.core.rps_default_mask") == "1"
    }
    assert settled == {"nat-elsa"}


def test_both_of_the_kernels_udp_timers_are_the_mapping_lifetime() -> None:
    short = replace(
        PAIR.nats[0],
        profile=replace(
            profile("port-restricted"),
            behavior=replace(profile("port-restricted").behavior, mapping_lifetime=5.0),
        ),
    )
    topology = replace(PAIR, nats=(short,))
    nat = next(node for node in wire(topology, "nl-x").nodes if node.name == "nat-elsa")
    timers = {name: value for name, value in nat.sysctls.items() if "udp_timeout" in name}
    assert timers == {
        "net.netfilter.nf_conntrack_udp_timeout": "5",
        "net.netfilter.nf_conntrack_udp_timeout_stream": "5",
    }


def test_interface_names_fit_the_kernel_in_a_wide_lab() -> None:
    words = wire(PAIR, "nl-" + "x" * 20).links.split()
    names = [word for before, word in pairwise(words) if before == "name"]
    assert max(map(len, names)) <= 15


CARRIED = two_nats(profile("cgn-symmetric"), profile("stateful-firewall"), dual_stack=True)


def test_a_router_behind_a_router_is_plugged_into_its_home() -> None:
    wiring = wire(CARRIED, "nl-x")
    near, far = "wan0 index 1000 netns nl-x.nat-elsa", "p1 index 101 netns nl-x.carrier-elsa"
    assert f"link add name {near} type veth peer name {far}" in wiring.links
    assert wiring.batches["nat-elsa"].splitlines()[:3] == [
        "address replace 100.64.0.2/24 dev wan0",
        "link set wan0 up",
        "route replace default via 100.64.0.1",
    ]


def test_the_core_routes_public_homes_of_both_families_to_their_firewall() -> None:
    core = wire(CARRIED, "nl-x").batches["inet"].splitlines()
    assert [line for line in core if " via " in line] == [
        "route replace 203.0.113.32/28 via 192.0.2.33 dev v3 onlink",
        "route replace 2001:db8:a::/64 via fe80::2 dev v3",
    ]
    assert "address replace fe80::1/64 dev v3 nodad" in core


def test_without_ipv6_in_the_topology_the_kernel_has_none() -> None:
    for topology, disabled in ((PAIR, "1"), (CARRIED, None)):
        values = {node.sysctls.get("net.ipv6.conf.all.disable_ipv6") for node in wire(topology, "nl-x").nodes}
        assert values == {disabled}


def test_a_second_interface_answers_by_the_way_that_the_question_came() -> None:
    nats = tuple(
        Nat(
            name=name,
            profile=profile("port-restricted"),
            wan_address=IPv4Address(wan),
            lan_network=IPv4Network(f"{home}.0/24"),
        )
        for name, wan, home in (("wifi", "203.0.113.7", "192.168.1"), ("cell", "203.0.113.8", "10.0.0"))
    )
    legs = (
        Interface(nat="wifi", addresses=(IPv4Address("192.168.1.10"),)),
        Interface(nat="cell", addresses=(IPv4Address("10.0.0.10"),)),
    )
    topology = Topology(nats=nats, hosts=(Host(name="elsa", interfaces=legs),))
    assert wire(topology, "nl-x").batches["elsa"].splitlines() == [
        "address add 192.168.1.10/24 dev eth0 nodad",
        "link set eth0 up",
        "route add default via 192.168.1.1 dev eth0",
        "address add 10.0.0.10/24 dev eth1 nodad",
        "link set eth1 up",
        "route add default via 10.0.0.1 dev eth1 table 101",
        "rule add from 10.0.0.10 lookup 101",
    ]
