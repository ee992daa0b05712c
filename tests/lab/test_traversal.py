"""The real programs behind real NATs come to what the law says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from natcore.nat import Outcome, expected_outcome
from netlab.lab import Lab
from netlab.profiles import profile
from netlab.topology import two_nats

pytestmark = pytest.mark.lab

SERVER = "198.51.100.10"
RTT = 0.020

PAIRS = [
    ("open", "port-restricted"),
    ("port-restricted", "port-restricted"),
    ("port-restricted", "full-cone"),
    ("address-restricted", "symmetric"),
    ("port-restricted", "symmetric"),
    ("symmetric", "symmetric"),
    ("udp-blocked", "open"),
]


def connect(profile_a: str, profile_b: str) -> tuple[int, dict[str, Any]]:
    """Elsa connects to anna; her exit code and the JSON object that she prints."""
    with Lab(two_nats(profile(profile_a), profile(profile_b), rtt=RTT)) as lab:
        server = lab.start("server", ["rendezvous", "--host", SERVER, "--port", "10080"])
        server.wait_for_line("server starts on ip")
        lab.start("anna", ["peer", "listen", "--id", "anna", "--server", SERVER, "--once", "--json"])
        server.wait_for_line("anna Awake" if profile_b != "udp-blocked" else "anna Asleep")
        options = ["--id", "elsa", "--server", SERVER, "--message", "hello", "--timeout", "2", "--json"]
        done = lab.run("elsa", ["peer", "connect", "anna", *options])
    result: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, result


@pytest.mark.parametrize(("profile_a", "profile_b"), PAIRS)
def test_two_peers_meet_where_physics_lets_them_and_say_so_where_not(profile_a: str, profile_b: str) -> None:
    expected = expected_outcome(profile(profile_a).behavior, profile(profile_b).behavior)
    code, result = connect(profile_a, profile_b)
    if expected is Outcome.DIRECT:
        assert (result["outcome"], code) == ("direct", 0), result["reason"]
    else:
        assert result["outcome"] == "failed"
        assert result["reason"]
        assert code != 0
