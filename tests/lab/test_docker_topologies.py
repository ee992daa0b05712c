"""Everything that a lab can be and that can happen to it, at once and in containers.

One lab of nested routers, a host with two interfaces, both address families, a firewall and links with delay
comes up from a file, and then every event takes its turn.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from netlab.docker.backend import DockerBackend
from netlab.lab import Lab
from netlab.profiles import profile
from netlab.topology.file import load_topology
from netlab.topology.link import Link
from tests.lab.mirror import Client, start_mirror
from tests.lab.traces import traces_of, wait_until

pytestmark = [pytest.mark.lab, pytest.mark.docker]

SERVER, SERVER6 = "198.51.100.10", "2001:db8:5::10"
CARRIER, CELL, MOVED = "203.0.113.7", "203.0.113.8", "203.0.113.99"
PHONE6, DESK, DESK6 = "2001:db8:e::10", "203.0.113.34", "2001:db8:a::10"

EARLY = 0.5
"""Milliseconds by which the fastest of a few packets may be too fast; 0.2 were measured."""

FILE = """
rtt = "4ms"

[nats.home]
profile = "port-restricted"
behind = "carrier"
address = "100.64.0.2"
network = "192.168.1.0/24"

[nats.carrier]
profile = "eim-eif-random"
address = "203.0.113.7"
network = "100.64.0.0/24"

[nats.cell]
profile = "symmetric-sequential"
address = "203.0.113.8"
network = "10.0.0.0/24"
network6 = "2001:db8:e::/64"

[nats.office]
profile = "stateful-firewall"
address = "192.0.2.33"
network = "203.0.113.32/28"
network6 = "2001:db8:a::/64"

[hosts.server]
addresses = ["198.51.100.10", "2001:db8:5::10"]

[hosts.phone]
interfaces = [
    { behind = "cell", addresses = ["10.0.0.10", "2001:db8:e::10"] },
    { behind = "home", addresses = ["192.168.1.10"], link = { delay = "10ms" } },
]

[hosts.desk]
behind = "office"
addresses = ["203.0.113.34", "2001:db8:a::10"]
"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    file = tmp_path / "everything.toml"
    file.write_text(FILE, encoding="utf-8")
    with Lab(load_topology(file), backend=DockerBackend()) as running:
        yield running
    assert traces_of(running.name) == []


def netlab_event(lab: Lab, *words: str) -> None:
    """Makes it happen from another process, as a user would."""
    command = [sys.executable, "-m", "netlab", "event", "--lab", lab.name, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def mappings(lab: Lab, nat: str) -> int:
    return sum(line.startswith("udp") for line in lab.conntrack(nat))


def seen_at(endpoint: tuple[str, int] | None) -> str | None:
    return None if endpoint is None else endpoint[0]


def fastest_ping(lab: Lab, source: str) -> float:
    """Milliseconds of the fastest of five round trips to the server."""
    printed = lab.run("phone", ["ping", "-U", "-c", "5", "-i", "0.05", "-I", source, SERVER]).stdout
    return min(float(time) for time in re.findall(r"time=([\d.]+)", printed))


def test_every_event_works_on_a_lab_with_everything_in_it(lab: Lab) -> None:
    for address in (SERVER, SERVER6):
        start_mirror(lab, "server", address)
    wifi = Client(lab, "phone", SERVER, address="192.168.1.10")
    cell = Client(lab, "phone", SERVER, address="10.0.0.10")
    cell6 = Client(lab, "phone", SERVER6, address=PHONE6)
    desk = Client(lab, "desk", SERVER)
    desk6 = Client(lab, "desk", SERVER6, address=DESK6)

    first = wifi.ask()
    assert seen_at(first) == CARRIER
    assert seen_at(cell.ask()) == CELL
    assert [client.ask() for client in (cell6, desk, desk6)] == [(PHONE6, 5000), (DESK, 5000), (DESK6, 5000)]

    for event in (lab.events.reboot, lab.events.forget):
        event("carrier")
        assert mappings(lab, "carrier") == 0
        assert seen_at(wifi.ask()) == CARRIER
    assert wifi.ask() != first, "a random NAT has mapped it to the same port after its reboot"

    lab.events.change_address("carrier", IPv4Address(MOVED))
    assert seen_at(wifi.ask()) == MOVED
    lab.events.change_address("home", IPv4Address("100.64.0.77"))
    assert seen_at(wifi.ask()) == MOVED
    assert "src=100.64.0.77" in "".join(lab.conntrack("carrier"))

    lab.events.cut("phone", interface=0)
    assert [client.ask() for client in (cell, cell6)] == [None, None]
    assert wifi.ask() is not None
    lab.events.restore("phone", interface=0)
    assert wait_until(lambda: None not in (cell.ask(), cell6.ask()))
    netlab_event(lab, "cut", "office")
    assert [client.ask() for client in (desk, desk6)] == [None, None]
    netlab_event(lab, "restore", "office")
    assert wait_until(lambda: None not in (desk.ask(), desk6.ask()))

    assert fastest_ping(lab, "192.168.1.10") >= 24 - EARLY
    lab.events.change_link("phone", Link(delay=0.030), interface=1)
    assert fastest_ping(lab, "192.168.1.10") >= 64 - EARLY
    assert 4 - EARLY <= fastest_ping(lab, "10.0.0.10") < 24 - EARLY

    before = cell.ask()
    traffic = lab.events.background_traffic("cell", 200)
    assert wait_until(lambda: mappings(lab, "cell") > 20)
    traffic.stop()
    after = Client(lab, "phone", SERVER, address="10.0.0.10", port=5001).ask()
    assert before is not None
    assert after is not None
    assert after[1] - before[1] > 20, "its ports come one after the other"

    lab.events.swap("cell", profile("udp-blocked"))
    assert [client.ask() for client in (cell, cell6)] == [None, None]
    lab.events.swap("cell", profile("short-lifetime"))
    lab.events.swap("home", profile("symmetric-small-pool"))
    assert Lab.running(lab.name).topology == lab.topology
    proofs = {(proof.node, proof.profile): proof.differences for proof in lab.prove()}
    assert proofs == dict.fromkeys(
        [
            ("home", "symmetric-small-pool behind eim-eif-random"),
            ("cell", "short-lifetime"),
            ("cell", "short-lifetime, IPv6"),
            ("office", "stateful-firewall"),
            ("office", "stateful-firewall, IPv6"),
        ],
        (),
    )
