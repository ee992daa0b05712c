"""``peer connect`` meets ``peer listen`` by plain checks exactly where physics lets it.

Every pair of profiles, one lab a pair, held against :func:`natcore.nat.expected_outcome`; who calls whom
alternates. Where plain checks cannot, the two may still meet by another technique and must then say so: the
server here has one address, so what the NATs do is known in part. tests/lab/test_hard_pairs.py holds such
pairs to more.

Then the control: anna behind each profile does not punch. She may answer whoever reaches her, but sends
nothing to elsa first, and so only those can succeed whose NAT lets strangers in. If punching were not what
opens the others, this run would show it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import pytest

from natcore.nat import EarlyInbound, FilteringBehavior, Outcome, expected_outcome
from netlab.lab import Lab
from netlab.profiles import PROFILES, NatProfile
from netlab.topology.scenes import two_nats

pytestmark = pytest.mark.lab

SERVER = "198.51.100.10"
PORT = "443"
"""Of the rendezvous server: a port to which a corporate firewall lets TCP out."""

ELSA_PUBLIC = "203.0.113.7"
RTT = 0.200
"""Seconds. A NAT that remaps can only be met where no packet arrives before the other side has sent, so this
leaves a busy machine 100 ms between the two sides' first checks."""

PARALLEL_LABS = 6

BEYOND_PLAIN_CHECKS = ("port-prediction", "birthday-probing")

Pair = tuple[str, str]
PAIRS: list[Pair] = [
    pair if number % 2 else (pair[1], pair[0])
    for number, pair in enumerate(combinations_with_replacement(PROFILES, 2))
]
CALLER_OF_CONTROLS = "port-restricted"
CALLEES = [name for name, profile in PROFILES.items() if not profile.seen.udp_blocked]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """What elsa, who calls, and anna, who listens, reported.

    Attributes:
        code: elsa's exit code.
        elsa: her report.
        anna: hers, or None where nobody came.
    """

    code: int
    elsa: dict[str, Any]
    anna: dict[str, Any] | None


def meet(pair: Pair, *, timeout: float, is_punching: bool) -> Meeting:
    """Lets elsa behind the first profile call anna behind the second."""
    profiles = [PROFILES[name] for name in pair]
    needs_distance = any(one.seen.early_inbound is EarlyInbound.REMAPS for one in profiles)
    with Lab(two_nats(*profiles, rtt=RTT if needs_distance else 0.0)) as lab:
        if not is_punching:
            keep_from_punching(lab)
        server = lab.start("server", ["rendezvous", "--host", SERVER, "--port", PORT])
        server.wait_for_line("listening")
        anna = lab.start("anna", ["peer", "listen", "--id", "anna", "--server", f"{SERVER}:{PORT}", "--json"])
        server.wait_for_line("anna Asleep" if profiles[1].seen.udp_blocked else "anna Awake")
        options = ("--id", "elsa", "--server", f"{SERVER}:{PORT}", "--timeout", str(timeout), "--json")
        called = lab.run("elsa", ["peer", "connect", "anna", *options, "--message", "hello"])
        elsa = json.loads(called.stdout)
        told = anna.wait_for_line("^{") if elsa["outcome"] == "direct" else None
        return Meeting(code=called.returncode, elsa=elsa, anna=None if told is None else json.loads(told))


def keep_from_punching(lab: Lab) -> None:
    """Drops what anna would send to elsa before she has heard from her."""
    rule = ["-p", "udp", "-d", ELSA_PUBLIC, "-m", "conntrack", "--ctstate", "NEW", "-j", "DROP"]
    assert lab.run("anna", ["iptables", "-A", "OUTPUT", *rule]).returncode == 0


@pytest.fixture(scope="module")
def labs() -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(PARALLEL_LABS)
    yield pool
    pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def meetings(labs: ThreadPoolExecutor) -> dict[Pair, Future[Meeting]]:
    return {pair: labs.submit(meet, pair, timeout=3, is_punching=True) for pair in PAIRS}


@pytest.fixture(scope="module")
def controls(labs: ThreadPoolExecutor) -> dict[Pair, Future[Meeting]]:
    pairs = [(CALLER_OF_CONTROLS, name) for name in CALLEES]
    return {pair: labs.submit(meet, pair, timeout=1, is_punching=False) for pair in pairs}


def lets_strangers_in(profile: NatProfile) -> bool:
    return profile.seen.filtering is FilteringBehavior.ENDPOINT_INDEPENDENT


@pytest.mark.parametrize("pair", PAIRS, ids=" calls ".join)
def test_two_peers_meet_where_their_nats_allow_it(pair: Pair, meetings: dict[Pair, Future[Meeting]]) -> None:
    caller, callee = (PROFILES[name].seen for name in pair)
    meeting = meetings[pair].result()
    is_plain = expected_outcome(caller, callee) is not Outcome.IMPOSSIBLE
    if not is_plain and meeting.elsa["outcome"] == "failed":
        code = 6 if caller.udp_blocked else 5 if callee.udp_blocked else 1
        assert meeting.code == code, meeting
        assert meeting.elsa["reason"]
        assert meeting.elsa["path"] is meeting.elsa["technique"] is None
        return
    assert not caller.udp_blocked, meeting
    assert not callee.udp_blocked, meeting
    assert (meeting.elsa["outcome"], meeting.code) == ("direct", 0), meeting
    assert meeting.anna is not None
    assert (meeting.anna["outcome"], meeting.anna["message"]) == ("direct", "hello")
    if not is_plain:
        assert meeting.elsa["technique"] in BEYOND_PLAIN_CHECKS, meeting
    assert meeting.elsa["path"]["local"] == meeting.anna["path"]["remote"]
    assert meeting.elsa["path"]["remote"] == meeting.anna["path"]["local"]
    assert meeting.elsa["path"]["local"].startswith(f"{ELSA_PUBLIC}:")


@pytest.mark.parametrize("callee", CALLEES)
def test_without_punching_they_meet_only_where_the_callee_lets_strangers_in(
    callee: str, controls: dict[Pair, Future[Meeting]]
) -> None:
    meeting = controls[CALLER_OF_CONTROLS, callee].result()
    expected = "direct" if lets_strangers_in(PROFILES[callee]) else "failed"
    assert meeting.elsa["outcome"] == expected, meeting
