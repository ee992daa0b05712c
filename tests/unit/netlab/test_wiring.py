from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from netlab.profiles import profile
from netlab.scenes import two_nats
from netlab.topology import Topology
from netlab.wiring import wire

PAIR = two_nats(profile("port-restricted"), profile("open"))


def test_every_node_hangs_off_the_core_by_a_link_of_its_own() -> None:
    assert wire(PAIR, "nl-x").links.splitlines() == [
        "link add name eth0 netns nl-x.server type veth peer name v1 netns nl-x.inet",
        "link add name eth0 netns nl-x.anna type veth peer name v2 netns nl-x.inet",
        "link add name wan0 netns nl-x.nat-elsa type veth peer name v3 netns nl-x.inet",
        "link add name eth0 netns nl-x.elsa type veth peer name p1 netns nl-x.nat-elsa",
    ]


def test_the_core_routes_each_public_address_to_its_link_and_bridges_nothing() -> None:
    core = wire(PAIR, "nl-x").batches["inet"].splitlines()
    assert [line for line in core if line.startswith("route")] == [
        "route add 198.51.100.10/32 dev v1",
        "route add 198.51.100.20/32 dev v1",
        "route add 203.0.113.33/32 dev v2",
        "route add 203.0.113.7/32 dev v3",
    ]
    assert "address add 192.0.2.1/32 dev lo" in core
    assert not any("bridge" in line for line in core)


def test_a_public_node_reaches_the_core_onlink_and_sends_from_its_first_address() -> None:
    assert wire(PAIR, "nl-x").batches["server"].splitlines() == [
        "address add 198.51.100.10/32 dev eth0",
        "address add 198.51.100.20/32 dev eth0",
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
        "address add 192.168.1.10/24 dev eth0",
        "link set eth0 up",
        "route add default via 192.168.1.1",
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


def test_both_of_the_kernels_udp_timers_are_the_mapping_lifetime() -> None:
    short = replace(
        PAIR.nats[0],
        profile=replace(
            profile("port-restricted"),
            behavior=replace(profile("port-restricted").behavior, mapping_lifetime=5.0),
        ),
    )
    topology = Topology(public_hosts=PAIR.public_hosts, nats=(short,), hosts=PAIR.hosts)
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
