"""Labs of other shapes than two NATs: nested, shared, multi-homed, IPv6 behind a firewall, side by side."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from pathlib import Path

import pytest

from netlab.backends import backend_named
from netlab.lab import Lab
from netlab.profiles import profile
from netlab.topology import Host, Interface, Nat, Topology
from netlab.topology.scenes import two_nats
from tests.lab.mirror import Client, start_mirror
from tests.lab.traces import wait_until

pytestmark = pytest.mark.lab

SERVER, SERVER6 = "198.51.100.10", "2001:db8:5::10"
PREFIX = IPv6Network("2001:db8:e::/64")

FILE = """
[nats.flat]
profile = "full-cone"
behind = "carrier"
address = "100.64.0.2"
network = "192.168.1.0/24"

[nats.carrier]
profile = "symmetric-sequential"
address = "203.0.113.7"
network = "100.64.0.0/24"

[hosts.server]
addresses = ["198.51.100.10"]

[hosts.desk]
behind = "flat"
addresses = ["192.168.1.10"]

[hosts.phone]
behind = "flat"
addresses = ["192.168.1.11"]
"""


def leg(nat: str | None, *addresses: str) -> Interface:
    return Interface(nat=nat, addresses=tuple(map(ip_address, addresses)))


def home(name: str, kind: str, wan: str, network: str, *, lan6: IPv6Network | None = None) -> Nat:
    return Nat(
        name=name,
        profile=profile(kind),
        wan_address=IPv4Address(wan),
        lan_network=IPv4Network(network),
        lan6_network=lan6,
    )


def pings(lab: Lab, node: str, target: str, *options: str) -> bool:
    return lab.run(node, ["ping", "-c", "1", "-W", "1", *options, target]).returncode == 0


@pytest.mark.parametrize("shared", ["port-restricted", "full-cone", "eim-apdf-preserving"])
def test_two_hosts_behind_one_nat_with_the_same_source_port_keep_one_endpoint_each(shared: str) -> None:
    topology = Topology(
        nats=(home("home", shared, "203.0.113.7", "192.168.1.0/24"),),
        hosts=(
            Host(name="server", interfaces=(leg(None, SERVER, "198.51.100.20"),)),
            Host(name="elsa", interfaces=(leg("home", "192.168.1.10"),)),
            Host(name="anna", interfaces=(leg("home", "192.168.1.11"),)),
        ),
    )
    with Lab(topology) as lab:
        for address in (SERVER, "198.51.100.20"):
            start_mirror(lab, "server", address)
        clients = [Client(lab, name, SERVER, port=5000) for name in ("elsa", "anna")]
        seen = [[client.ask(server) for server in (SERVER, "198.51.100.20", SERVER)] for client in clients]
    elsa, anna = ({*endpoints} for endpoints in seen)
    assert len(elsa) == len(anna) == 1, seen
    assert None not in elsa | anna
    assert elsa != anna


def test_a_host_with_two_interfaces_is_seen_at_either_nat() -> None:
    topology = Topology(
        nats=(
            home("wifi", "port-restricted", "203.0.113.7", "192.168.1.0/24"),
            home("cell", "symmetric", "203.0.113.8", "10.0.0.0/24"),
        ),
        hosts=(
            Host(name="server", interfaces=(leg(None, SERVER),)),
            Host(
                name="elsa",
                interfaces=(leg("wifi", "192.168.1.10"), leg("cell", "10.0.0.10"), leg(None, "203.0.113.9")),
            ),
        ),
    )
    with Lab(topology) as lab:
        start_mirror(lab, "server", SERVER)
        by = {
            address: Client(lab, "elsa", SERVER, address=address, port=5000 + number)
            for number, address in enumerate(("", "192.168.1.10", "10.0.0.10", "203.0.113.9"))
        }
        seen = {address: (client.ask() or ("nobody", 0))[0] for address, client in by.items()}
        assert seen == {
            "": "203.0.113.7",
            "192.168.1.10": "203.0.113.7",
            "10.0.0.10": "203.0.113.8",
            "203.0.113.9": "203.0.113.9",
        }
        lab.events.cut("elsa", interface=1)
        assert by["10.0.0.10"].ask() is None
        assert by["203.0.113.9"].ask() is not None
        lab.events.restore("elsa", interface=1)
        assert wait_until(lambda: by["10.0.0.10"].ask() is not None)


def test_a_lab_from_a_file_comes_up_and_is_what_it_says(tmp_path: Path) -> None:
    file = tmp_path / "nested.toml"
    file.write_text(FILE, encoding="utf-8")
    netlab = [sys.executable, "-m", "netlab"]
    up = subprocess.run(
        [*netlab, "up", "--topology", str(file), "--name", "from-file", "--rtt", "10ms"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    try:
        assert up.returncode == 0, up.stderr
        with Lab.running("from-file") as lab:
            assert lab.topology.node_names == ("server", "flat", "carrier", "desk", "phone")
            assert lab.topology.rtt == 0.01
            start_mirror(lab, "server", SERVER)
            ports = [Client(lab, node, SERVER).ask() for node in ("desk", "phone")]
            assert [seen and seen[0] for seen in ports] == ["203.0.113.7"] * 2
    finally:
        subprocess.run([*netlab, "down", "from-file"], timeout=60, check=True, capture_output=True)


def test_ipv6_behind_a_firewall_is_reached_by_whom_it_has_called_and_by_nobody_else() -> None:
    with Lab(two_nats(profile("port-restricted"), profile("stateful-firewall"), dual_stack=True)) as lab:
        elsa, anna = "2001:db8:e::10", "2001:db8:a::10"
        start_mirror(lab, "server", SERVER6)
        for name, address in (("elsa", elsa), ("anna", anna)):
            assert Client(lab, name, SERVER6, address=address).ask() == (address, 5000)
            assert pings(lab, name, SERVER6)
            assert not pings(lab, "server", address, "-W", "0.2")
        assert not pings(lab, "elsa", anna, "-W", "0.2")
        assert pings(lab, "anna", SERVER)


def test_an_ipv6_only_host_on_the_core_is_reached() -> None:
    topology = Topology(
        nats=(home("home", "symmetric", "203.0.113.7", "192.168.1.0/24", lan6=PREFIX),),
        hosts=(
            Host(name="modern", interfaces=(leg(None, "2001:db8:9::9"),)),
            Host(name="elsa", interfaces=(leg("home", "192.168.1.10", "2001:db8:e::10"),)),
        ),
    )
    with Lab(topology) as lab:
        assert pings(lab, "elsa", "2001:db8:9::9")
        assert not pings(lab, "modern", "2001:db8:e::10", "-W", "0.2")


def test_ipv6_comes_back_when_a_router_has_forgotten_its_neighbours() -> None:
    with Lab(two_nats(profile("port-restricted"), profile("open"), dual_stack=True), prove=False) as lab:
        assert pings(lab, "elsa", SERVER6)
        assert lab.run("nat-elsa", ["ip", "-6", "neigh", "flush", "dev", "lan0"]).returncode == 0
        assert pings(lab, "elsa", SERVER6), "the router asks for no neighbour on behalf of what it forwards"


def test_a_second_interface_has_ipv6_as_well() -> None:
    topology = Topology(
        nats=(
            home("wifi", "port-restricted", "203.0.113.7", "192.168.1.0/24"),
            home("cell", "symmetric", "203.0.113.8", "10.0.0.0/24", lan6=PREFIX),
        ),
        hosts=(
            Host(name="server", interfaces=(leg(None, SERVER, SERVER6),)),
            Host(
                name="elsa",
                interfaces=(
                    leg("wifi", "192.168.1.10"),
                    leg("cell", "10.0.0.10", "2001:db8:e::10"),
                    leg(None, "203.0.113.9", "2001:db8:9::9"),
                ),
            ),
        ),
    )
    with Lab(topology) as lab:
        start_mirror(lab, "server", SERVER6)
        for number, address in enumerate(("2001:db8:e::10", "2001:db8:9::9")):
            seen = Client(lab, "elsa", SERVER6, address=address, port=5000 + number).ask()
            assert seen == (address, 5000 + number)


@pytest.mark.parametrize(
    ("backend", "count"), [("namespaces", 16), pytest.param("docker", 3, marks=pytest.mark.docker)]
)
def test_many_labs_stand_side_by_side_and_each_reaches_its_own_server(backend: str, count: int) -> None:
    pair = profile("symmetric-sequential"), profile("full-cone")

    def reach(number: int) -> tuple[str, int] | None:
        with Lab(two_nats(*pair), backend=backend_named(backend), prove=False) as lab:
            start_mirror(lab, "server", SERVER)
            return Client(lab, "elsa", SERVER, port=6000 + number).ask()

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(reach, range(count)))
    assert len({endpoint for endpoint in seen if endpoint}) == 1, "each lab's NAT begins at the same port"
    assert None not in seen
