"""Another device in a home opens as many new mappings as was asked for, behind every NAT."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from netlab.errors import BadTopology
from netlab.lab import Lab
from netlab.process import NodeProcess
from netlab.profiles import PROFILES, Boundary, profile
from netlab.topology.scenes import two_nats

pytestmark = pytest.mark.lab

PUBLIC = {"nat-elsa": "203.0.113.7", "carrier-anna": "203.0.113.33"}
NATS = [
    name
    for name, known in PROFILES.items()
    if known.boundary is Boundary.NAT and known.carrier is None and not known.behavior.udp_blocked
]

SEND = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    sender.sendto(b"x", ("198.51.100.10", 5555))
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    home = profile("port-restricted")
    with Lab(two_nats(home, replace(home, carrier=home.behavior)), prove=False) as lab:
        yield lab


def mappings(lab: Lab, nat: str) -> list[str]:
    """What the background traffic has left in a NAT; port 5555 is ours."""
    return [entry for entry in lab.conntrack(nat) if entry.startswith("udp") and "dport=5555 " not in entry]


def wait_until(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def stop(traffic: NodeProcess) -> int:
    """Ends it, and returns how many it says it has sent."""
    traffic.stop()
    return int(traffic.wait_for_line("^SENT").split()[1])


@pytest.mark.parametrize("name", NATS)
def test_every_datagram_is_a_new_mapping_of_the_public_address(lab: Lab, name: str) -> None:
    lab.events.swap("nat-elsa", profile(name))
    traffic = lab.events.background_traffic("nat-elsa", 200)
    wait_until(lambda: len(mappings(lab, "nat-elsa")) >= 20)
    sent = stop(traffic)
    opened = mappings(lab, "nat-elsa")
    assert len(opened) == sent
    assert all("src=192.168.1.254 dst=192.0.2.3" in entry for entry in opened)
    assert all(f"src=192.0.2.3 dst={PUBLIC['nat-elsa']}" in entry for entry in opened), opened[0]


def test_behind_two_routers_it_passes_both(lab: Lab) -> None:
    lab.events.forget("carrier-anna")
    traffic = lab.events.background_traffic("nat-anna", 200)
    wait_until(lambda: len(mappings(lab, "carrier-anna")) >= 20)
    sent = stop(traffic)
    opened = mappings(lab, "carrier-anna")
    assert len(opened) == sent
    assert all(f"dst={PUBLIC['carrier-anna']}" in entry for entry in opened), opened[0]


@pytest.mark.parametrize("rate", [20.0, 500.0])
def test_there_are_as_many_a_second_as_was_asked_for(lab: Lab, rate: float) -> None:
    lab.events.forget("nat-elsa")
    begun = time.monotonic()
    traffic = lab.events.background_traffic("nat-elsa", rate)
    ready = time.monotonic()
    wait_until(lambda: len(mappings(lab, "nat-elsa")) >= rate / 2)
    at_least = time.monotonic() - ready
    sent = stop(traffic)
    assert sent <= rate * (time.monotonic() - begun) + 1
    assert sent >= rate * at_least - 5 * rate * 0.02 - 1, "late by more than a few looks at the table"


def external_port(lab: Lab) -> int:
    """The port that elsa's NAT gives to a new flow of hers."""
    before = set(lab.conntrack("nat-elsa"))
    lab.run("elsa", [sys.executable, "-c", SEND])
    ours = [entry for entry in lab.conntrack("nat-elsa") if "dport=5555 " in entry and entry not in before]
    return int(re.findall(r"dport=(\d+)", ours[-1])[1])


def test_it_moves_the_next_port_of_a_sequential_nat_by_as_many(lab: Lab) -> None:
    lab.events.swap("nat-elsa", profile("symmetric-sequential"))
    first = external_port(lab)
    lab.run("nat-elsa", ["conntrack", "-D", "-p", "udp", "--dport", "5555"])
    traffic = lab.events.background_traffic("nat-elsa", 200)
    wait_until(lambda: len(mappings(lab, "nat-elsa")) >= 20)
    sent = stop(traffic)
    assert external_port(lab) == first + sent + 1


@pytest.mark.parametrize("rate", [0.0, -1.0, 1000.1])
def test_more_than_the_lab_can_do_is_refused(lab: Lab, rate: float) -> None:
    with pytest.raises(BadTopology, match="background traffic: got"):
        lab.events.background_traffic("nat-elsa", rate)
