"""Links are as long, as unsteady, as lossy and as slow as was asked for.

Never early is exact. How late a packet may be depends on the other work of the machine, so it is the fastest
packet that must be on time, and half of them that must not be far off.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from statistics import median

import pytest

from netlab.distance import with_link
from netlab.errors import BadTopology
from netlab.lab import Lab
from netlab.profiles import profile
from netlab.topology import Host, Interface, Topology
from netlab.topology.link import Link
from netlab.topology.scenes import two_nats

pytestmark = pytest.mark.lab

SERVER, SERVER6 = "198.51.100.10", "2001:db8:5::10"
HOME_GATEWAY, CARRIER_GATEWAY, SISTER = "192.168.1.1", "100.64.0.1", "192.168.1.11"

EARLY, LATE, USUALLY_LATE = 0.2, 1.0, 5.0
"""Milliseconds by which the fastest packet may miss its time, and by which half of them may."""

ATTEMPTS = 3
"""Until one is found that no other work of the machine got in the way of."""

CONNECT = """
import socket, sys, time
kind, address, count = getattr(socket, sys.argv[1]), sys.argv[2], int(sys.argv[3])
for _ in range(count):
    with socket.socket(socket.AF_INET, kind) as asker:
        asker.settimeout(2)
        begun = time.monotonic()
        try:
            asker.connect((address, 9))
            asker.send(b"x")
            asker.recv(1)
        except ConnectionRefusedError:
            print(f"time={(time.monotonic() - begun) * 1000}")
"""
"""A round trip to a closed port, which refuses TCP and UDP alike."""

BULK = """
import socket, sys, time
with socket.create_server(("198.51.100.10", 8000)) as server:
    print("READY", flush=True)
    peer, _ = server.accept()
    size, received = int(sys.argv[1]), len(peer.recv(65536))
    begun = time.monotonic()
    first = received
    while received < size:
        received += len(peer.recv(65536))
    print((received - first) * 8 / (time.monotonic() - begun), flush=True)
    peer.sendall(bytes(size))
    peer.recv(1)
"""

BULK_CLIENT = """
import socket, sys, time
size = int(sys.argv[1])
with socket.create_connection(("198.51.100.10", 8000)) as peer:
    peer.sendall(bytes(size))
    received = first = len(peer.recv(65536))
    begun = time.monotonic()
    while received < size:
        received += len(peer.recv(65536))
    print((received - first) * 8 / (time.monotonic() - begun))
"""

BURST = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    for _ in range(5):
        sender.sendto(b"x", ("198.51.100.10", 5555))
"""


def topology_with(topology: Topology, **links: Link) -> Topology:
    """Links by node, at its first interface or towards the internet; ``_`` stands for a hyphen."""
    for name, link in links.items():
        node = name.replace("_", "-")
        is_router = any(nat.name == node for nat in topology.nats)
        topology = with_link(topology, node, "wan0" if is_router else "eth0", link)
    return topology


def with_a_sister(topology: Topology, link: Link) -> Topology:
    leg = Interface(nat="nat-anna", addresses=(IPv4Address(SISTER),), link=link)
    return replace(topology, hosts=(*topology.hosts, Host(name="sister", interfaces=(leg,))))


def ping(lab: Lab, node: str, address: str, count: int = 25) -> list[float]:
    """Milliseconds of each round trip, as a program sees it (-U)."""
    done = lab.run(node, ["ping", "-U", "-c", str(count), "-i", "0.01", "-W", "2", address])
    return times_in(done.stdout)


def refusals(lab: Lab, node: str, kind: str, address: str) -> list[float]:
    """Milliseconds until a closed port refuses; the kernel answers no more than six UDP packets at once."""
    return times_in(lab.run(node, [sys.executable, "-c", CONNECT, kind, address, "5"]).stdout)


def times_in(text: str) -> list[float]:
    return [float(time) for time in re.findall(r"time=([\d.]+)", text)]


def assert_round_trip(lab: Lab, node: str, address: str, expected: float) -> None:
    """Of ``expected`` milliseconds."""
    for _ in range(ATTEMPTS):
        times = ping(lab, node, address)
        assert len(times) == 25, f"{25 - len(times)} pings from {node} to {address} were lost"
        assert min(times) >= expected - EARLY, f"{node} to {address}: {sorted(times)}"
        if min(times) <= expected + LATE and median(times) <= expected + USUALLY_LATE:
            return
    pytest.fail(f"{node} to {address}: got {sorted(times)} ms, expected {expected:g}")


@pytest.fixture(scope="module")
def wide() -> Iterator[Lab]:
    """Every kind of link at once, over a core of 10 ms."""
    home = profile("port-restricted")
    scene = two_nats(replace(home, carrier=home.behavior), home, rtt=0.010, dual_stack=True)
    scene = topology_with(
        with_a_sister(scene, Link(delay=0.006)),
        server=Link(delay=0.001),
        carrier_elsa=Link(delay=0.002),
        nat_elsa=Link(delay=0.005),
        elsa=Link(delay=0.003),
        anna=Link(delay=0.004),
    )
    with Lab(scene, prove=False) as lab:
        yield lab


@pytest.mark.parametrize(
    ("node", "address", "milliseconds"),
    [
        pytest.param("nat-anna", SERVER, 10 + 2 * 1, id="the core and a public host's link"),
        pytest.param("anna", SERVER, 10 + 2 * (4 + 1), id="and a home link"),
        pytest.param("anna", SERVER6, 10 + 2 * (4 + 1), id="with IPv6"),
        pytest.param("elsa", SERVER, 10 + 2 * (3 + 5 + 2 + 1), id="and a router behind a router"),
        pytest.param("elsa", HOME_GATEWAY, 2 * 3, id="inside a home"),
        pytest.param("nat-elsa", CARRIER_GATEWAY, 2 * 5, id="inside a carrier's network"),
        pytest.param("anna", SISTER, 2 * (4 + 6), id="between two hosts of a home"),
    ],
)
def test_a_path_is_as_long_as_its_links_together(
    wide: Lab, node: str, address: str, milliseconds: float
) -> None:
    assert_round_trip(wide, node, address, milliseconds)


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_DGRAM"])
def test_tcp_and_udp_take_as_long_as_ping(wide: Lab, kind: str) -> None:
    times = refusals(wide, "elsa", kind, SERVER)
    assert len(times) == 5
    assert 32 - EARLY <= min(times) <= 32 + USUALLY_LATE, times


@pytest.mark.parametrize("rtt", [0.040, 0.150])
def test_a_round_trip_takes_as_long_as_was_asked_for_whatever_the_two_ends(rtt: float) -> None:
    with Lab(two_nats(profile("port-restricted"), profile("open"), rtt=rtt), prove=False) as lab:
        for node, address in (("elsa", SERVER), ("anna", SERVER), ("server", "203.0.113.33")):
            assert_round_trip(lab, node, address, rtt * 1000)


def test_without_a_distance_a_round_trip_takes_no_time_to_speak_of() -> None:
    with Lab(two_nats(profile("port-restricted"), profile("open")), prove=False) as lab:
        assert_round_trip(lab, "elsa", SERVER, 0)


def test_one_far_link_leaves_all_other_paths_alone() -> None:
    scene = topology_with(two_nats(profile("port-restricted"), profile("open")), nat_elsa=Link(delay=0.02))
    with Lab(scene, prove=False) as lab:
        assert_round_trip(lab, "elsa", SERVER, 40)
        assert_round_trip(lab, "anna", SERVER, 0)


def test_the_delay_line_costs_no_hop(wide: Lab) -> None:
    reached = wide.run("anna", ["ping", "-c", "1", SERVER]).stdout
    assert "ttl=62" in reached  # 64, less the core, less the NAT


def test_jitter_spreads_round_trips_around_their_delay() -> None:
    unsteady = Link(delay=0.020, jitter=0.010)
    scene = topology_with(two_nats(profile("port-restricted"), profile("open")), nat_elsa=unsteady)
    with Lab(scene, prove=False) as lab:
        times = ping(lab, "elsa", SERVER, 100)
    assert len(times) == 100
    assert min(times) >= 20 - EARLY
    assert max(times) <= 60 + 4 * USUALLY_LATE
    assert min(times) < 35  # each has a probability of 0.28 to be so early
    assert max(times) > 45


def test_what_is_lost_is_what_was_asked_for_of_the_core_and_of_a_link_together() -> None:
    scene = two_nats(profile("port-restricted"), profile("open"), loss=0.2)
    with Lab(topology_with(scene, elsa=Link(loss=0.1)), prove=False) as lab:
        done = lab.run("elsa", ["ping", "-c", "300", "-i", "0.002", "-W", "0.2", "-q", SERVER])
    lost = float(re.findall(r"([\d.]+)% packet loss", done.stdout)[0])
    # Both pass both ways: 1 - (0.8 x 0.9)^2 is 48 %; the bounds are over five standard deviations away.
    assert 33 < lost < 63


def test_a_rate_is_what_passes_in_both_directions() -> None:
    rate, size = 8e6, 400_000
    expected = rate * 1448 / 1514  # what TCP carries in a full frame
    scene = two_nats(profile("port-restricted"), profile("open"))
    with Lab(topology_with(scene, nat_elsa=Link(rate=rate)), prove=False) as lab:
        for attempt in range(ATTEMPTS):
            server = lab.start("server", [sys.executable, "-c", BULK, str(size)], label=f"bulk-{attempt}")
            server.wait_for_line("READY")
            down = float(lab.run("elsa", [sys.executable, "-c", BULK_CLIENT, str(size)]).stdout)
            up = float(server.wait_for_line(r"^\d"))
            assert max(up, down) <= 1.1 * expected
            if min(up, down) >= 0.9 * expected:
                return
    pytest.fail(f"got {up:.0f} bit/s up and {down:.0f} down, expected {expected:.0f}")


def test_a_symmetric_nat_maps_a_flow_once_though_its_packets_wait() -> None:
    scene = two_nats(profile("symmetric"), profile("open"), rtt=0.01)
    with Lab(topology_with(scene, elsa=Link(delay=0.02), nat_elsa=Link(delay=0.01)), prove=False) as lab:
        lab.run("elsa", [sys.executable, "-c", BURST])
        ping(lab, "elsa", SERVER, 1)  # comes after the burst
        flows = [entry for entry in lab.conntrack("nat-elsa") if "dport=5555" in entry]
    assert len(flows) == 1, flows


def test_a_link_changes_while_the_lab_runs() -> None:
    scene = two_nats(profile("port-restricted"), profile("open"), rtt=0.01)
    near = Link(delay=0.001)
    with Lab(topology_with(scene, elsa=near, nat_elsa=near), prove=False) as lab:
        lab.events.change_link("elsa", Link(delay=0.010))
        assert_round_trip(lab, "elsa", SERVER, 10 + 2 * (10 + 1))
        Lab.running(lab.name).events.change_link("nat-elsa", Link())  # as another process does
        assert_round_trip(lab, "elsa", SERVER, 10 + 2 * 10)


def test_a_link_stays_as_long_when_the_address_of_its_router_changes(wide: Lab) -> None:
    wide.events.change_address("nat-elsa", IPv4Address("100.64.0.99"))
    assert_round_trip(wide, "nat-elsa", CARRIER_GATEWAY, 2 * 5)


def test_a_perfect_link_cannot_become_another_one_without_netem() -> None:
    with Lab(two_nats(profile("port-restricted"), profile("open"), rtt=0.01), prove=False) as lab:
        with pytest.raises(BadTopology, match="no delay line holds elsa eth0"):
            lab.events.change_link("elsa", Link(delay=0.010))
        assert_round_trip(lab, "elsa", SERVER, 10)


@pytest.mark.parametrize(
    ("rtt", "home"),
    [pytest.param(0.01, Link(), id="of the core"), pytest.param(0.0, Link(delay=0.001), id="of a home")],
)
def test_traffic_stops_when_the_delay_line_dies(rtt: float, home: Link) -> None:
    scene = two_nats(profile("port-restricted"), profile("open"), rtt=rtt, dual_stack=True)
    with Lab(topology_with(scene, elsa=home), prove=False) as lab:
        for address in (SERVER, SERVER6):
            assert len(ping(lab, "elsa", address, 1)) == 1
        for process in lab.state.processes:
            process.kill()
        for address in (SERVER, SERVER6):
            assert lab.run("elsa", ["ping", "-c", "2", "-i", "0.1", "-W", "0.2", address]).returncode != 0
