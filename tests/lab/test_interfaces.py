"""Which of a machine's interfaces a path takes, in real networks: dead ones, families, one LAN, change."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, ip_address
from pathlib import Path
from typing import Any

import pytest

from netlab.lab import Lab
from netlab.process import NodeProcess
from netlab.profiles import NatProfile, profile
from netlab.topology import Host, Interface, Nat, Topology
from netlab.topology.link import Link
from netlab.topology.scenes import two_nats

pytestmark = pytest.mark.lab

SERVER, SERVER6 = "198.51.100.10", "2001:db8:5::10"
ANNA = "203.0.113.33"
WAIT = 15.0
"""Seconds for a busy machine; no test judges how long anything took."""


def leg(nat: str | None, *addresses: str, delay: float = 0.0) -> Interface:
    return Interface(nat=nat, addresses=tuple(map(ip_address, addresses)), link=Link(delay=delay))


def home(name: str, kind: NatProfile | str, wan: str, network: str) -> Nat:
    return Nat(
        name=name,
        profile=profile(kind) if isinstance(kind, str) else kind,
        wan_address=IPv4Address(wan),
        lan_network=IPv4Network(network),
    )


def start_server(lab: Lab, host: str = SERVER) -> NodeProcess:
    server = lab.start("server", ["rendezvous", "--host", host])
    server.wait_for_line("listening")
    return server


def meet(lab: Lab, *options: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Has elsa call anna; what each reports."""
    server = start_server(lab)
    anna = lab.start("anna", ["peer", "listen", "--id", "anna", "--server", SERVER, "--json", "--once"])
    server.wait_for_line("anna Awake")
    call = ["connect", "anna", "--id", "elsa", "--server", SERVER, "--message", "hello", "--json", *options]
    called = lab.run("elsa", ["peer", "--trace", str(lab.artefacts / "elsa.trace"), *call])
    assert called.returncode == 0, called.stdout + called.stderr
    return json.loads(called.stdout), json.loads(anna.wait_for_line("^{", timeout=WAIT))


def trace_of(lab: Lab) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (lab.artefacts / "elsa.trace").read_text().splitlines()]


def ip_of(endpoint: str) -> str:
    return endpoint.rpartition(":")[0]


def scene(*elsas: Interface, nats: tuple[Nat, ...]) -> Topology:
    """Elsa with these interfaces; anna behind a port-restricted NAT."""
    return Topology(
        nats=(*nats, home("nat-anna", "port-restricted", ANNA, "192.168.9.0/24")),
        hosts=(
            Host(name="server", interfaces=(leg(None, SERVER),)),
            Host(name="elsa", interfaces=elsas),
            Host(name="anna", interfaces=(leg("nat-anna", "192.168.9.20"),)),
        ),
        rtt=0.04,
    )


# --- several interfaces -------------------------------------------------------------------------------------


def test_interfaces_that_are_dead_or_slow_take_no_turn_of_the_live_one_s() -> None:
    nats = tuple(
        home(name, "port-restricted", f"203.0.113.{number}", f"192.168.{number}.0/24")
        for number, name in enumerate(("wifi", "dead", "slow"), 1)
    )
    legs = leg("wifi", "192.168.1.10"), leg("dead", "192.168.2.10"), leg("slow", "192.168.3.10", delay=0.5)
    with Lab(scene(*legs, nats=nats), prove=False) as lab:
        assert lab.run("dead", ["iptables", "-I", "FORWARD", "-j", "DROP"]).returncode == 0
        elsa, anna = meet(lab)
        assert ip_of(elsa["path"]["local"]) == ip_of(anna["path"]["remote"]) == "203.0.113.1"
        trace = trace_of(lab)
    heard = next(at for at, one in enumerate(trace) if ip_of(one.get("source", "")) == ANNA)
    tried = [
        (ip_of(one["base"]), ip_of(one["destination"]))
        for one in trace[:heard]
        if one["event"] == "sent" and ip_of(one["destination"]) != SERVER
    ]
    everything = {(f"192.168.{number}.10", there) for number in (1, 2, 3) for there in ("192.168.9.20", ANNA)}
    assert set(tried[: len(everything)]) == everything, "each way is tried once before any is tried again"


def test_who_may_send_no_udp_by_the_first_interface_is_observed_at_the_second() -> None:
    nats = (
        home("office", "udp-blocked", "203.0.113.1", "192.168.1.0/24"),
        home("phone", "port-restricted", "203.0.113.2", "192.168.2.0/24"),
    )
    with Lab(scene(leg("office", "192.168.1.10"), leg("phone", "192.168.2.10"), nats=nats)) as lab:
        elsa, _ = meet(lab)
        assert ip_of(elsa["path"]["local"]) == "203.0.113.2"


def test_what_a_firewall_of_the_own_machine_forbids_is_counted_and_not_raised() -> None:
    nats = tuple(
        home(name, "port-restricted", f"203.0.113.{number}", f"192.168.{number}.0/24")
        for number, name in enumerate(("wifi", "cell"), 1)
    )
    with Lab(scene(leg("wifi", "192.168.1.10"), leg("cell", "192.168.2.10"), nats=nats)) as lab:
        forbid = ["iptables", "-A", "OUTPUT", "-s", "192.168.2.10", "-j", "REJECT"]  # EPERM for the sender
        assert lab.run("elsa", forbid).returncode == 0
        assert lab.run("elsa", ["ip", "route", "add", "unreachable", "192.168.9.0/24"]).returncode == 0
        elsa, _ = meet(lab)
        refused = [one for one in trace_of(lab) if one["event"] == "refused"]
        assert ip_of(elsa["path"]["local"]) == "203.0.113.1"
        assert {ip_of(one["base"]) for one in refused} == {"192.168.1.10", "192.168.2.10"}


def test_only_the_interface_that_was_named_is_used_and_an_unknown_one_is_said() -> None:
    nats = tuple(
        home(name, "port-restricted", f"203.0.113.{number}", f"192.168.{number}.0/24")
        for number, name in enumerate(("wifi", "cell"), 1)
    )
    with Lab(scene(leg("wifi", "192.168.1.10"), leg("cell", "192.168.2.10"), nats=nats)) as lab:
        wrong = lab.run(
            "elsa", ["peer", "connect", "anna", "--id", "elsa", "--server", SERVER, "--interface", "wlan7"]
        )
        assert wrong.returncode == 2
        expected = "peer: interface 'wlan7': there is none of that name; there are "
        assert wrong.stderr.startswith(expected)
        assert {"eth0", "eth1", "lo"} <= set(wrong.stderr.strip().removeprefix(expected).split(", "))
        elsa, _ = meet(lab, "--interface", "eth1")
        assert ip_of(elsa["path"]["local"]) == "203.0.113.2"
        assert {ip_of(one["base"]) for one in trace_of(lab) if one["event"] == "sent"} == {"192.168.2.10"}


def test_docker_and_vpn_interfaces_are_not_used() -> None:
    with Lab(two_nats(profile("port-restricted"), profile("port-restricted")), prove=False) as lab:
        for name, address in (("docker0", "172.17.0.1"), ("wg0", "10.99.0.2"), ("enp9s0", "10.98.0.2")):
            add = f"link add {name} type veth peer name other-{name}\naddress add {address}/24 dev {name}\n"
            add += f"link set {name} up\nlink set other-{name} up\n"
            assert lab.run("elsa", ["ip", "-batch", "-"], text=add).returncode == 0
        _, anna = meet(lab)
        offer = anna["timeline"][0]["detail"]
        assert "host 10.98.0.2:" in offer, "the control: an interface of any other name is used"
        assert "172.17.0.1" not in offer
        assert "10.99.0.2" not in offer


# --- both families ------------------------------------------------------------------------------------------


def test_ipv6_crosses_two_firewalls_where_no_ipv4_path_can_be() -> None:
    with Lab(two_nats(profile("symmetric"), profile("symmetric"), dual_stack=True), prove=False) as lab:
        elsa, anna = meet(lab)
        assert ip_of(elsa["path"]["local"]) == ip_of(anna["path"]["remote"]) == "[2001:db8:e::10]"
        assert ip_of(elsa["path"]["remote"]) == ip_of(anna["path"]["local"]) == "[2001:db8:a::10]"


def test_who_has_both_families_meets_who_has_one() -> None:
    with Lab(two_nats(profile("port-restricted"), profile("port-restricted"), dual_stack=True)) as lab:
        off = ["sysctl", "-q", "-w", "net.ipv6.conf.all.disable_ipv6=1"]
        assert lab.run("anna", off).returncode == 0
        elsa, anna = meet(lab)
        assert ip_of(elsa["path"]["remote"]) == ANNA
        assert ip_of(anna["path"]["remote"]) == "203.0.113.7"


def test_a_server_that_is_reached_by_name_observes_the_family_that_is_translated() -> None:
    with Lab(two_nats(profile("port-restricted"), profile("port-restricted"), dual_stack=True)) as lab:
        server = start_server(lab, "::")
        names = lab.artefacts / "hosts"
        names.write_text(f"{SERVER6} server.example\n{SERVER} server.example\n", encoding="utf-8")
        peer = Path(sys.executable).with_name("peer")
        listen = f"mount --bind {names} /etc/hosts && exec {peer} listen --id anna --server server.example"
        lab.start("anna", ["unshare", "-m", "sh", "-c", listen])
        server.wait_for_line(f"anna Awake {ANNA}")


# --- one LAN ------------------------------------------------------------------------------------------------


def one_home(kind: NatProfile) -> Topology:
    return Topology(
        nats=(home("home", kind, "203.0.113.7", "192.168.1.0/24"),),
        hosts=(
            Host(name="server", interfaces=(leg(None, SERVER),)),
            Host(name="elsa", interfaces=(leg("home", "192.168.1.10"),)),
            Host(name="anna", interfaces=(leg("home", "192.168.1.11"),)),
        ),
    )


def hairpinning() -> NatProfile:
    plain = profile("port-restricted")
    return replace(plain, name="hairpinning", behavior=replace(plain.behavior, hairpinning=True))


def test_two_peers_in_one_home_take_the_way_through_it_and_not_the_hairpin() -> None:
    with Lab(one_home(hairpinning())) as lab:
        elsa, anna = meet(lab)
        assert elsa["path"]["kind"] == anna["path"]["kind"] == "host"
        assert ip_of(elsa["path"]["remote"]) == "192.168.1.11"
        assert elsa["timeline"][-1]["event"] in ("path selected", "path moved"), (
            "and this is the nominated one"
        )


def test_two_peers_that_their_home_keeps_apart_meet_at_its_hairpin() -> None:
    with Lab(one_home(hairpinning())) as lab:
        for port in ("p1", "p2"):  # client isolation, as of a guest network
            assert lab.run("home", ["bridge", "link", "set", "dev", port, "isolated", "on"]).returncode == 0
        elsa, anna = meet(lab)
        assert ip_of(elsa["path"]["remote"]) == ip_of(anna["path"]["remote"]) == "203.0.113.7"


# --- interfaces that change ---------------------------------------------------------------------------------


@contextmanager
def two_chats(topology: Topology) -> Iterator[tuple[Lab, NodeProcess, NodeProcess]]:
    with Lab(topology, prove=False) as lab:
        start_server(lab)
        chats = []
        for name in ("elsa", "anna"):
            chat = lab.start(name, ["peer", "--log-level", "info", "chat", "--id", name, "--server", SERVER])
            chat.write_line("@awake")
            chat.wait_for_line("you are Awake")
            chats.append(chat)
        elsa, anna = chats
        say(elsa, anna, "anna", "before")
        yield lab, elsa, anna


def say(speaker: NodeProcess, listener: NodeProcess, to: str, text: str) -> None:
    speaker.write_line(f"@chat {to} {text}")
    listener.wait_for_line(f"From .* .{text}.", timeout=WAIT)
    speaker.wait_for_line(f"delivered to {to} .{text}.", timeout=WAIT)


def switch_off_wifi(lab: Lab) -> None:
    """As a machine does: the link goes, and with it its route; the other interface's becomes the default."""
    commands = "link set eth0 down\nroute replace default via 192.168.2.1 dev eth1\n"
    assert lab.run("elsa", ["ip", "-batch", "-"], text=commands).returncode == 0


def lose_the_cable(lab: Lab) -> None:
    lab.events.cut("elsa", 0)
    assert lab.run("elsa", ["ip", "route", "replace", "default", "via", "192.168.2.1"]).returncode == 0


def get_another_address(lab: Lab) -> None:
    commands = "address flush dev eth0\naddress add 192.168.1.77/24 dev eth0\n"
    commands += "route replace default via 192.168.1.1\n"
    assert lab.run("elsa", ["ip", "-batch", "-"], text=commands).returncode == 0


@pytest.mark.parametrize(
    ("change", "seen_at"),
    [
        (switch_off_wifi, "203.0.113.2"),
        (lose_the_cable, "203.0.113.2"),
        (get_another_address, "203.0.113.1"),
    ],
)
def test_a_channel_goes_on_in_another_network_and_loses_nothing(
    change: Callable[[Lab], None], seen_at: str
) -> None:
    nats = tuple(
        home(name, "port-restricted", f"203.0.113.{number}", f"192.168.{number}.0/24")
        for number, name in enumerate(("wifi", "cell"), 1)
    )
    topology = scene(leg("wifi", "192.168.1.10"), leg("cell", "192.168.2.10"), nats=nats)
    with two_chats(topology) as (lab, elsa, anna):
        change(lab)
        say(elsa, anna, "anna", "moved")
        say(anna, elsa, "elsa", "welcome")
        anna.write_line("@why elsa")
        anna.wait_for_line(f"{seen_at}:", timeout=WAIT)
        lines = (*elsa.lines(), *anna.lines())
        assert not any("not delivered" in line for line in lines)
        assert not any("is closed" in line for line in lines)
