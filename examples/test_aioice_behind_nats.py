"""Somebody else's program behind real NATs: copy this file, and put your own commands where aioice's are.

Run it with ``pytest examples/test_aioice_behind_nats.py``, as root. The fixture ``nat_lab`` is a lab in which
``server`` is public, and ``elsa`` and ``anna`` are each behind the NAT that the marker says. All three are
network namespaces of this machine, so any program that is installed here runs in there.
"""

# ruff: noqa: D103 (a test's name is its sentence)

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from netlab import Lab, Outcome, expected_between

AGENT = str(Path(__file__).with_name("aioice_agent.py"))
RELAY = str(Path(__file__).with_name("line_relay.py"))

SERVER = "198.51.100.10"
ANNA = "203.0.113.33"
"""Where the internet sees anna, whatever her NAT."""

PATIENCE = 3.0
"""Seconds to find a path. Where there is one, 0.3 s are usual; where there is none, all are waited for."""


@pytest.fixture(autouse=True)
def _servers(nat_lab: Lab) -> None:
    """What both agents need on the internet: a STUN server, here the toolkit's own, and signalling."""
    stun = nat_lab.start("server", [sys.executable, "-m", "rendezvous", "--host", SERVER], label="stun")
    relay = nat_lab.start("server", [sys.executable, RELAY, SERVER, "10081"], label="relay")
    stun.wait_for_line("listening on")
    relay.wait_for_line("READY")


def say_hello(lab: Lab) -> list[str | None]:
    """What elsa and what anna heard from the other one; None where there was no path."""
    agents = [
        lab.start(name, [sys.executable, AGENT, role, SERVER, str(PATIENCE)], label=name)
        for name, role in (("elsa", "controlling"), ("anna", "controlled"))
    ]
    lines = [agent.wait_for_line(r"^\{", timeout=PATIENCE + 10) for agent in agents]
    return [json.loads(line)["heard"] for line in lines]


@pytest.mark.nat("port-restricted", "port-restricted", rtt=0.020)
def test_two_ordinary_home_routers_let_a_path_through(nat_lab: Lab) -> None:
    assert say_hello(nat_lab) == ["hello from controlled", "hello from controlling"]
    # Do not take its word: elsa's NAT has seen datagrams to anna's NAT, and answers from there.
    flows = [entry for entry in nat_lab.conntrack("nat-elsa") if f"dst={ANNA}" in entry]
    assert any("[UNREPLIED]" not in flow for flow in flows)


@pytest.mark.nat("symmetric", "port-restricted", rtt=0.020)
def test_a_symmetric_nat_and_a_port_restricted_one_do_not(nat_lab: Lab) -> None:
    assert say_hello(nat_lab) == [None, None]


@pytest.mark.nat_matrix(["address-restricted", "symmetric"], against=["symmetric"])
def test_there_is_a_path_exactly_where_physics_allows_one(nat_lab: Lab) -> None:
    expected = expected_between(nat_lab.topology, "elsa", "anna")
    assert all(say_hello(nat_lab)) == (expected is Outcome.DIRECT)
