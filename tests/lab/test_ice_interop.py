"""Our ICE agent behind the lab's NATs: against the real aioice in both roles, and what its opener saves."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from netlab.lab import Lab
from netlab.matrix import programs
from netlab.profiles import profile
from netlab.topology import Host, Interface, Topology
from netlab.topology.scenes import PEERS, SERVER, SERVER_ADDRESSES, two_nats
from tests.lab.ice_side import RELAY_PORT

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
AT_HOME = "sister"
"""A host beside elsa, behind her NAT."""

RTT = 0.020

PAIRS = [
    ("port-restricted", "port-restricted"),
    ("full-cone", "symmetric"),
    ("symmetric", "full-cone"),
    ("port-restricted", "full-cone"),
]

OPENER_TTL = 2
"""The lab's homes have one router on the way out: one hop to it, and one more."""

LATE, LEAD = "0.05", "0.15"
"""Seconds. Far more than a packet takes, and far less than the lead: no busy machine can turn this round.
What the lead of everyday use is good for is told exactly by tests/sim/test_opener.py."""


@contextmanager
def lab_of(first: str, second: str, rtt: float = RTT) -> Iterator[Lab]:
    topology = with_a_sister(two_nats(profile(first), profile(second), rtt=rtt))
    with Lab(topology, prove=False) as lab:
        here = str(SERVER_ADDRESSES[0])
        lab.start(SERVER, ["rendezvous", "--host", here]).wait_for_line("listening")
        relay = Path(programs.__file__).parent / "line_relay.py"
        lab.start(SERVER, [sys.executable, str(relay), str(RELAY_PORT)], label="relay").wait_for_line("READY")
        yield lab


def with_a_sister(topology: Topology) -> Topology:
    leg = Interface(nat=f"nat-{PEERS[0]}", addresses=(IPv4Address("192.168.1.11"),))
    return replace(topology, hosts=(*topology.hosts, Host(name=AT_HOME, interfaces=(leg,))))


def meet(
    lab: Lab, caller: tuple[str, ...], callee: tuple[str, ...], *, at: str = PEERS[1]
) -> list[dict[str, Any]]:
    """The two reports: of elsa, who calls, and of whoever is ``at`` the other end."""

    def side(node: str, role: str, agent: str, *options: str) -> dict[str, Any]:
        program = ["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "tests.lab.ice_side"]
        done = lab.run(node, [*program, agent, role, *options])
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout.splitlines()[-1]))

    with ThreadPoolExecutor(2) as pool:
        called = pool.submit(side, at, "callee", *callee)
        calling = pool.submit(side, PEERS[0], "caller", *caller)
        return [calling.result(), called.result()]


def assert_they_talk(reports: list[dict[str, Any]]) -> None:
    for report, other in zip(reports, ("callee", "caller"), strict=True):
        assert report["outcome"] == "direct", reports
        assert report["heard"] == f"from the {other}", reports
    assert [report["is_controlling"] for report in reports] == [True, False]


@pytest.mark.parametrize("agents", [("ours", "aioice"), ("aioice", "ours")], ids=" calls ".join)
@pytest.mark.parametrize("pair", PAIRS, ids=" x ".join)
def test_we_and_aioice_meet_through_their_nats_and_talk(
    pair: tuple[str, str], agents: tuple[str, str]
) -> None:
    with lab_of(*pair) as lab:
        assert_they_talk(meet(lab, (agents[0],), (agents[1],)))


@pytest.mark.parametrize("agents", [("ours", "aioice"), ("aioice", "ours")], ids=" calls ".join)
def test_we_and_aioice_meet_inside_one_home(agents: tuple[str, str]) -> None:
    with lab_of("port-restricted", "port-restricted") as lab:
        reports = meet(lab, (agents[0],), (agents[1],), at=AT_HOME)
        assert_they_talk(reports)
        ours = reports[agents.index("ours")]
        assert ours["kind"] == "host"
        assert ours["remote"].startswith("192.168.1."), ours


@pytest.mark.parametrize("agents", [("ours", "aioice"), ("aioice", "ours")], ids=" calls ".join)
def test_an_opener_does_not_disturb_aioice(agents: tuple[str, str]) -> None:
    with lab_of("port-restricted", "port-restricted") as lab:
        options = {"ours": ("ours", "--opener-ttl", str(OPENER_TTL)), "aioice": ("aioice",)}
        reports = meet(lab, options[agents[0]], options[agents[1]])
        assert_they_talk(reports)
        assert reports[agents.index("ours")]["openers"] == 1


@pytest.mark.parametrize("pair", [("naive", "naive"), ("port-restricted", "naive")], ids=" x ".join)
def test_the_opener_saves_a_router_that_remaps_on_early_packets(pair: tuple[str, str]) -> None:
    common = ("ours", "--lead", LEAD, "--give-up-after", "2")
    opener = ("--opener-ttl", str(OPENER_TTL))
    with lab_of(*pair, rtt=0.002) as lab:
        without = meet(lab, common, (*common, "--late", LATE))
        assert [report["outcome"] for report in without] == ["failed"] * 2, without
    with lab_of(*pair, rtt=0.002) as lab:
        reports = meet(lab, (*common, *opener), (*common, *opener, "--late", LATE))
        assert_they_talk(reports)
        assert [report["kind"] for report in reports] == ["srflx"] * 2, (
            "a port that was moved is peer-reflexive"
        )
        assert [report["openers"] for report in reports] == [1, 1]
