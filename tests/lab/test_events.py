"""What happens to mappings when a router reboots, moves, forgets, is swapped, or loses its cable."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from netlab.backends import backend_named
from netlab.errors import BadTopology, NodeNotFound
from netlab.lab import Lab
from netlab.profiles import profile
from netlab.topology.link import Link
from netlab.topology.scenes import SERVER_ADDRESSES, two_nats
from tests.lab.mirror import Client, start_mirror
from tests.lab.traces import wait_until

pytestmark = pytest.mark.lab

SERVER = str(SERVER_ADDRESSES[0])
ELSA, MOVED = "203.0.113.7", "203.0.113.99"


LABS = [
    *(("namespaces", name) for name in ("port-restricted", "full-cone", "symmetric", "eim-eif-random")),
    pytest.param(("docker", "eim-adf-sequential"), marks=pytest.mark.docker),
]


def lab_of(name: str, backend: str = "namespaces") -> Lab:
    return Lab(two_nats(profile(name), profile("open")), backend=backend_named(backend), prove=False)


@pytest.fixture(scope="module", params=LABS, ids=" ".join)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    backend, name = request.param
    with lab_of(name, backend) as running:
        start_mirror(running, "server", SERVER)
        yield running


def mappings(lab: Lab) -> int:
    return sum(line.startswith("udp") for line in lab.conntrack("nat-elsa"))


def test_a_mapping_stays_while_nothing_happens(lab: Lab) -> None:
    elsa = Client(lab, "elsa", SERVER, port=5001)
    assert elsa.ask() == elsa.ask() is not None


def test_a_router_that_reboots_or_forgets_has_no_mappings(lab: Lab) -> None:
    elsa = Client(lab, "elsa", SERVER, port=5002)
    for event in (lab.events.reboot, lab.events.forget):
        assert elsa.ask() is not None
        assert mappings(lab) > 0
        event("nat-elsa")
        assert mappings(lab) == 0
    assert elsa.ask() is not None


def test_a_random_port_is_another_one_after_a_reboot_and_a_preserved_one_is_not(lab: Lab) -> None:
    elsa = Client(lab, "elsa", SERVER, port=5003)
    before = elsa.ask()
    lab.events.reboot("nat-elsa")
    after = elsa.ask()
    assert before is not None
    assert after is not None
    keeps = lab.topology.nats[0].profile.behavior.allocation.value == "preserving"
    assert (before == after) is keeps


def test_a_router_that_moves_takes_its_home_along(lab: Lab) -> None:
    elsa = Client(lab, "elsa", SERVER, port=5004)
    before = elsa.ask()
    assert before is not None
    lab.events.change_address("nat-elsa", IPv4Address(MOVED))
    after = elsa.ask()
    lab.events.change_address("nat-elsa", IPv4Address(ELSA))
    back = elsa.ask()
    assert [seen and seen[0] for seen in (before, after, back)] == [ELSA, MOVED, ELSA]
    assert Lab.running(lab.name).topology == lab.topology


def test_a_cut_cable_carries_nothing_and_a_restored_one_the_same_mapping(lab: Lab) -> None:
    elsa = Client(lab, "elsa", SERVER, port=5005)
    before = elsa.ask()
    for node in ("elsa", "nat-elsa", "server"):
        lab.events.cut(node)
        assert elsa.ask() is None
        lab.events.restore(node)
        assert wait_until(lambda: elsa.ask() == before), node  # ARP tries again only once a second


def test_one_nat_in_place_of_another_behaves_as_itself() -> None:
    with lab_of("port-restricted") as lab:
        start_mirror(lab, "server", SERVER)
        elsa = Client(lab, "elsa", SERVER)
        for name in ("symmetric", "eim-adf-sequential", "full-cone", "udp-blocked", "naive"):
            lab.events.swap("nat-elsa", profile(name))
            assert [proof.differences for proof in lab.prove()] == [()], name
            assert (elsa.ask() is None) is (name == "udp-blocked")
        assert Lab.running(lab.name).state.nodes[2].profile == "naive"


def test_an_event_that_cannot_be_changes_nothing() -> None:
    with lab_of("port-restricted") as lab:
        before = lab.topology
        with pytest.raises(NodeNotFound, match=r"no router 'elsa' .* did you mean nat-elsa"):
            lab.events.reboot("elsa")
        with pytest.raises(NodeNotFound, match=r"no node 'ana' in this lab, there are: .* did you mean anna"):
            lab.events.cut("ana")
        with pytest.raises(NodeNotFound, match="no interface 'elsa eth1' in this lab, there are: elsa eth0;"):
            lab.events.cut("elsa", interface=1)
        with pytest.raises(BadTopology, match="is used twice"):
            lab.events.change_address("nat-elsa", IPv4Address("203.0.113.33"))
        with pytest.raises(BadTopology, match="cannot become 'stateful-firewall'"):
            lab.events.swap("nat-elsa", profile("stateful-firewall"))
        with pytest.raises(BadTopology, match="expected more than 0 and at most 1000"):
            lab.events.background_traffic("nat-elsa", 5000)
        assert lab.topology == before
        assert lab.run("elsa", ["ping", "-c", "1", "-W", "2", SERVER]).returncode == 0


def test_a_sequential_nat_moves_on_with_its_homes_traffic() -> None:
    with lab_of("symmetric-sequential") as lab:
        start_mirror(lab, "server", SERVER)
        first = Client(lab, "elsa", SERVER, port=5000).ask()
        traffic = lab.events.background_traffic("nat-elsa", 200)
        assert wait_until(lambda: mappings(lab) > 20)
        traffic.stop()
        then = Client(lab, "elsa", SERVER, port=5001).ask()
    assert first is not None
    assert then is not None
    assert then[1] - first[1] > 20


def test_the_command_line_makes_things_happen_to_a_lab_of_another_process(lab: Lab) -> None:
    def event(*words: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "netlab", "event", "--lab", lab.name, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, done.stderr.strip()

    elsa = Client(lab, "elsa", SERVER, port=5006)
    assert elsa.ask() is not None
    assert event("reboot", "nat-elsa") == (0, "")
    assert mappings(lab) == 0
    assert event("cut", "elsa") == (0, "")
    assert elsa.ask() is None
    assert event("restore", "elsa") == (0, "")
    assert wait_until(lambda: elsa.ask() is not None)
    assert event("reboot", "elsa") == (
        2,
        "netlab: no router 'elsa' in this lab, there are: nat-elsa; did you mean nat-elsa?",
    )
    assert event("address", "nat-elsa", "203.0.113.300")[0] == 2
    assert event("swap", "nat-elsa", "symetric")[1].endswith("did you mean symmetric?")


def test_a_link_gets_worse_while_the_lab_runs() -> None:
    home = Link(delay=0.001)
    topology = two_nats(profile("port-restricted"), profile("open"))
    elsa = topology.hosts[1]
    far = replace(elsa, interfaces=(replace(elsa.interfaces[0], link=home),))
    with Lab(replace(topology, hosts=(topology.hosts[0], far, topology.hosts[2])), prove=False) as lab:
        event = [
            sys.executable,
            "-m",
            "netlab",
            "event",
            "--lab",
            lab.name,
            "link",
            "elsa",
            "--delay",
            "50ms",
        ]
        assert subprocess.run(event, capture_output=True, timeout=30, check=False).returncode == 0
        pinged = lab.run("elsa", ["ping", "-U", "-c", "1", SERVER])
        took = re.search(r"time=([\d.]+) ms", pinged.stdout)
        assert took, pinged
        assert float(took[1]) >= 99.8
        assert Lab.running(lab.name).topology.hosts[1].interfaces[0].link == Link(delay=0.05)
        refused = subprocess.run(
            [*event[:-3], "anna", "--loss", "100%"], capture_output=True, text=True, check=False
        )
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


def test_a_router_behind_a_router_reboots_and_moves_as_well() -> None:
    with lab_of("cgn-symmetric") as lab:
        start_mirror(lab, "server", SERVER)
        elsa = Client(lab, "elsa", SERVER)
        before = elsa.ask()
        lab.events.change_address("nat-elsa", IPv4Address("100.64.0.77"))
        after = elsa.ask()
        assert before is not None
        assert after is not None
        assert (after[0], after != before) == (ELSA, True)
        lab.events.reboot("carrier-elsa")
        assert elsa.ask() not in (None, after)
        assert Lab.running(lab.name).topology == lab.topology
