"""What makes links long, lossy and slow, as text; for netem that is all a kernel without it can show."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest

from netlab.distance import NodeDistance, change_link, plan_distance, with_link
from netlab.profiles import profile
from netlab.topology import CORE, Host, Interface, Topology
from netlab.topology.link import PERFECT, Link
from netlab.topology.scenes import two_nats
from netlab.wiring import Cable, cables

NAT = profile("port-restricted")
SCENE = two_nats(NAT, NAT)
FAR = Link(delay=0.005, jitter=0.001, loss=0.1)


def rules(node: NodeDistance) -> dict[str, list[str]]:
    """The lines of each tool, without those that every script has."""
    frame = (":NL_DELAY", "-A PREROUTING -j NL_DELAY", "-A FORWARD -j NL_DELAY", "COMMIT")
    found = {}
    for script in node.rules:
        lines = [line for line in script.text.splitlines() if not line.startswith(frame)]
        found[script.tool[0]] = [line.removeprefix("-A NL_DELAY ") for line in lines]
    return found


def cable_of(topology: Topology, node: str, interface: str) -> Cable:
    return next(cable for cable in cables(topology) if (cable.node, cable.interface) == (node, interface))


def home_of_two(link_a: Link, link_b: Link) -> Topology:
    """Elsa and a sister in one home."""
    sister = Interface(nat="nat-elsa", addresses=(IPv4Address("192.168.1.11"),), link=link_b)
    scene = with_link(SCENE, "elsa", "eth0", link_a)
    return replace(scene, hosts=(*scene.hosts, Host(name="sister", interfaces=(sister,))))


def test_a_perfect_lab_needs_nothing() -> None:
    assert plan_distance(SCENE, has_netem=False) == {}
    assert plan_distance(SCENE, has_netem=True) == {}


def test_a_round_trip_of_the_core_is_one_queue_for_everything_that_it_forwards() -> None:
    plan = plan_distance(replace(SCENE, rtt=0.04, loss=0.01), has_netem=False)
    assert list(plan) == [CORE]
    assert plan[CORE].delay_line == ("--link=inet=0.020000,0.000000,0.010000", "--queue=0=inet")
    assert [script.tool for script in plan[CORE].rules] == [("iptables-restore", "--noflush")]
    assert plan[CORE].rules[0].text == (
        "*mangle\n:NL_DELAY - [0:0]\n-A FORWARD -j NL_DELAY\n-A NL_DELAY -j NFQUEUE --queue-num 0\nCOMMIT\n"
    )
    assert plan[CORE].tc == ""


def test_loss_alone_needs_a_line_too() -> None:
    assert list(plan_distance(replace(SCENE, loss=0.1), has_netem=False)) == [CORE]


def test_a_link_to_the_core_is_passed_in_both_directions_in_the_queue_of_the_core() -> None:
    scene = with_link(SCENE, "nat-elsa", "wan0", FAR)
    plan = plan_distance(replace(scene, rtt=0.04), has_netem=False)
    assert list(plan) == [CORE]
    assert plan[CORE].delay_line == (
        "--link=nat-elsa.wan0=0.005000,0.001000,0.100000",
        "--link=inet=0.020000,0.000000,0.000000",
        "--queue=0=inet",
        "--port=v2=nat-elsa.wan0",
    )


def test_where_the_core_is_perfect_only_packets_of_far_ports_are_queued() -> None:
    plan = plan_distance(with_link(SCENE, "nat-elsa", "wan0", FAR), has_netem=False)
    assert plan[CORE].delay_line[1:] == ("--queue=0=", "--port=v2=nat-elsa.wan0")
    assert rules(plan[CORE]) == {
        "iptables-restore": [
            "*mangle",
            "-i v2 -j NFQUEUE --queue-num 0",
            "-o v2 -j NFQUEUE --queue-num 0",
        ]
    }


def test_a_link_of_a_home_is_delayed_at_both_ends_before_connection_tracking() -> None:
    plan = plan_distance(with_link(SCENE, "elsa", "eth0", FAR), has_netem=False)
    assert set(plan) == {"elsa", "nat-elsa"}
    assert plan["nat-elsa"].delay_line == (
        "--link=elsa.eth0=0.005000,0.001000,0.100000",
        "--queue=0=",
        "--queue=1=elsa.eth0",
    )
    assert rules(plan["nat-elsa"]) == {
        "iptables-restore": ["*raw", "-i lan0 -s 192.168.1.10 -j NFQUEUE --queue-num 1"]
    }
    assert plan["elsa"].delay_line[1:] == ("--queue=0=", "--port=eth0=elsa.eth0")
    assert rules(plan["elsa"]) == {"iptables-restore": ["*raw", "-i eth0 -j NFQUEUE --queue-num 0"]}


def test_what_hosts_of_one_home_send_each_other_pays_for_both_links_on_arrival() -> None:
    plan = plan_distance(home_of_two(FAR, Link(delay=0.003)), has_netem=False)
    assert set(plan) == {"elsa", "sister", "nat-elsa"}
    assert plan["sister"].delay_line == (
        "--link=elsa.eth0=0.005000,0.001000,0.100000",
        "--link=sister.eth0=0.003000,0.000000,0.000000",
        "--queue=0=",
        "--queue=1=elsa.eth0",
        "--port=eth0=sister.eth0",
    )
    assert rules(plan["sister"])["iptables-restore"][1:] == [
        "-i eth0 -s 192.168.1.10 -d 192.168.1.11 -j NFQUEUE --queue-num 1",
        "-i eth0 -j NFQUEUE --queue-num 0",
    ]


def test_a_host_with_a_perfect_link_still_pays_for_that_of_its_sister() -> None:
    plan = plan_distance(home_of_two(PERFECT, FAR), has_netem=False)
    assert rules(plan["elsa"])["iptables-restore"][1:] == [
        "-i eth0 -s 192.168.1.11 -d 192.168.1.10 -j NFQUEUE --queue-num 1"
    ]
    assert not [option for option in plan["elsa"].delay_line if option.startswith("--port")]


def test_a_router_in_a_home_is_a_host_there() -> None:
    scene = with_link(two_nats(profile("cgn-cone"), NAT), "nat-elsa", "wan0", FAR)
    plan = plan_distance(scene, has_netem=False)
    assert rules(plan["carrier-elsa"])["iptables-restore"][1:] == [
        "-i lan0 -s 100.64.0.2 -j NFQUEUE --queue-num 1"
    ]
    assert rules(plan["nat-elsa"])["iptables-restore"][1:] == ["-i wan0 -j NFQUEUE --queue-num 0"]


def test_a_firewall_in_a_home_sends_from_the_addresses_of_its_own_home() -> None:
    scene = two_nats(profile("cgn-cone"), NAT)
    home = IPv4Network("192.168.1.0/24")
    wall = replace(scene.nat("nat-elsa"), profile=profile("stateful-firewall"), link=FAR, lan_network=home)
    nats = tuple(wall if nat.name == "nat-elsa" else nat for nat in scene.nats)
    plan = plan_distance(replace(scene, nats=nats), has_netem=False)
    assert rules(plan["carrier-elsa"])["iptables-restore"][1:] == [
        "-i lan0 -s 100.64.0.2 -j NFQUEUE --queue-num 1",
        "-i lan0 -s 192.168.1.0/24 -j NFQUEUE --queue-num 1",
    ]


def test_ipv6_waits_in_the_same_queues_and_neighbors_are_discovered_at_once() -> None:
    scene = with_link(two_nats(NAT, NAT, dual_stack=True), "elsa", "eth0", FAR)
    plan = plan_distance(replace(scene, rtt=0.04), has_netem=False)
    free = [f"-p icmpv6 --icmpv6-type {kind} -j RETURN" for kind in (133, 134, 135, 136)]
    assert rules(plan[CORE])["ip6tables-restore"] == ["*mangle", "-j NFQUEUE --queue-num 0"]
    assert rules(plan["elsa"])["ip6tables-restore"] == ["*raw", *free, "-i eth0 -j NFQUEUE --queue-num 0"]
    assert rules(plan["nat-elsa"])["ip6tables-restore"] == [
        "*raw",
        *free,
        "-i lan0 -s 2001:db8:e::10 -j NFQUEUE --queue-num 1",
    ]


def test_no_queue_has_a_bypass() -> None:
    scene = with_link(two_nats(NAT, NAT, dual_stack=True), "elsa", "eth0", FAR)
    for node in plan_distance(replace(scene, rtt=0.04), has_netem=False).values():
        assert all("bypass" not in script.text for script in node.rules)


@pytest.mark.parametrize(
    ("rate", "burst", "limit"),
    [(1e3, 3028, 15140), (1e6, 3028, 15140), (10e6, 3028, 125000), (1e9, 250000, 12500000)],
)
def test_a_rate_is_a_bucket_at_both_ends(rate: float, burst: int, limit: int) -> None:
    plan = plan_distance(with_link(SCENE, "elsa", "eth0", Link(rate=rate)), has_netem=False)
    bucket = f"root tbf rate {rate:.0f}bit burst {burst} limit {limit}\n"
    assert plan == {
        "nat-elsa": NodeDistance(tc=f"qdisc replace dev p1 {bucket}"),
        "elsa": NodeDistance(tc=f"qdisc replace dev eth0 {bucket}"),
    }


def netem(device: str, delay: int, jitter: int = 0, loss: int = 0) -> str:
    """A line for tc; delays in microseconds, loss in percent."""
    length = f"delay {delay}us {jitter}us loss {loss}.0000%"
    return f"qdisc replace dev {device} root handle 1: netem limit 65536 {length}\n"


def test_netem_stands_at_both_ends_and_the_core_adds_its_half_at_every_port() -> None:
    scene = with_link(replace(SCENE, rtt=0.04, loss=0.5), "nat-elsa", "wan0", FAR)
    scene = with_link(scene, "anna", "eth0", Link(delay=0.003))
    plan = plan_distance(scene, has_netem=True)
    assert {node: needed.tc for node, needed in plan.items()} == {
        CORE: (netem("v1", 20000, 0, 50) + netem("v2", 25000, 1000, 55) + netem("v3", 20000, 0, 50)),
        "nat-elsa": netem("wan0", 5000, 1000, 10),
        "nat-anna": netem("p1", 3000),
        "anna": netem("eth0", 3000),
    }
    assert not any(needed.delay_line or needed.rules for needed in plan.values())


def test_with_netem_a_bucket_stands_inside_it() -> None:
    plan = plan_distance(with_link(SCENE, "elsa", "eth0", Link(delay=0.01, rate=1e6)), has_netem=True)
    assert plan["elsa"].tc == (
        "qdisc replace dev eth0 root handle 1: netem limit 65536 delay 10000us 0us loss 0.0000%\n"
        "qdisc replace dev eth0 parent 1:1 tbf rate 1000000bit burst 3028 limit 15140\n"
    )


def test_the_longest_links_and_the_widest_core_can_be_planned() -> None:
    scene = with_link(replace(SCENE, rtt=60), "nat-elsa", "wan0", Link(delay=60))
    assert "delay 90000000us" in plan_distance(scene, has_netem=True)[CORE].tc
    assert plan_distance(scene, has_netem=False)[CORE].tc == ""


def change(before: Link, after: Link, *, node: str = "elsa", has_netem: bool = False) -> tuple[object, ...]:
    interface = "eth0" if node == "elsa" else "wan0"
    old = cable_of(with_link(SCENE, node, interface, before), node, interface)
    scene = with_link(SCENE, node, interface, after)
    made = change_link(old, cable_of(scene, node, interface), scene, has_netem=has_netem)
    return made.setting, made.holders, made.tc


def test_a_changed_link_of_a_home_is_told_to_all_delay_lines_there() -> None:
    setting, holders, tc = change(FAR, Link(delay=0.02))
    assert setting == "elsa.eth0=0.020000,0.000000,0.000000"
    assert holders == ("nat-elsa", "elsa")
    assert tc == {
        "elsa": "qdisc replace dev eth0 root noqueue\n",
        "nat-elsa": "qdisc replace dev p1 root noqueue\n",
    }


def test_a_changed_link_to_the_core_is_told_to_the_core() -> None:
    setting, holders, _ = change(FAR, PERFECT, node="nat-elsa")
    assert setting == "nat-elsa.wan0=0.000000,0.000000,0.000000"
    assert holders == (CORE,)


def test_with_netem_a_change_is_another_queue_and_nobody_is_told() -> None:
    _, holders, tc = change(Link(delay=0.01), Link(delay=0.02), has_netem=True)
    assert holders == ()
    assert tc == {
        "elsa": netem("eth0", 20000),
        "nat-elsa": netem("p1", 20000),
    }


def test_a_rate_that_changes_is_a_bucket_that_changes_and_no_delay_line_is_told() -> None:
    _, holders, tc = change(Link(rate=1e6), Link(rate=2e6))
    assert holders == ()
    assert tc == {
        "elsa": "qdisc replace dev eth0 root tbf rate 2000000bit burst 3028 limit 25000\n",
        "nat-elsa": "qdisc replace dev p1 root tbf rate 2000000bit burst 3028 limit 25000\n",
    }


@pytest.mark.parametrize("has_netem", [False, True])
def test_a_rate_that_goes_takes_its_bucket_along(has_netem: bool) -> None:
    _, _, tc = change(Link(delay=0.01, rate=1e6), Link(delay=0.01), has_netem=has_netem)
    assert isinstance(tc, dict)
    assert all("noqueue" in text and "tbf" not in text for text in tc.values())
