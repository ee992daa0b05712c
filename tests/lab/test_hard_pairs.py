"""Two peers meet where plain checks cannot, within what they may cost others; or are soon told why not.

Every attempt counts: none is repeated. Birthday probing misses one in some five hundred, by the number of
packets that it may send, and so may one of each pair's here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.discovery_run import start_server
from benchmarks.hard_pairs_run import (
    BIRTHDAY,
    HARD_PAIRS,
    MAX_REFUSAL,
    Attempt,
    HardPair,
    attempt,
    scene,
    start_callee,
)
from benchmarks.hard_pairs_summary import MAX_PACKETS, UNPREDICTABLE
from natcore.discovery import LIFETIME_SOCKETS
from natcore.nat import Outcome, expected_outcome
from netlab.instruments.capture import UDP, read_packets
from netlab.lab import Lab
from netlab.profiles import PROFILES

pytestmark = pytest.mark.lab

PROMISED_RATE = 250
"""Packets a second at most: those of the attempt (``HardNatLimits.packet_rate``) and ICE's own checks."""

ATTEMPTS = 3
CHANCES = 5
"""For two calls at once: the first may be over before the second comes, and leaves it less time."""

PARALLEL_LABS = 4
SLACK = 1.0
"""Seconds more for a busy machine."""

CLOSING_TIMEOUT = 5.0
"""Seconds after a meeting in which the callee's sockets are closed; more than it waits for a goodbye."""

NO_MORE_THAN_BEFORE = (1, 1 + LIFETIME_SOCKETS)
"""UDP sockets of a callee that listens, and perhaps still measures how long its NAT keeps a mapping."""

RECORDED = ("port-restricted", "symmetric")
"""Where the caller sends most and the callee has most sockets."""

ELSA_PUBLIC, ANNA_PUBLIC = "203.0.113.7", "203.0.113.33"
DIRECT_PAIRS = [pair for pair in HARD_PAIRS if pair.technique is not None and not pair.background]
BUSY_PAIRS = [pair for pair in HARD_PAIRS if pair.background]
HOPELESS_PAIRS = [pair for pair in HARD_PAIRS if pair.technique is None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What happened in one lab.

    Attributes:
        attempts: in order.
        sockets: that the callee had open at last, of UDP.
        sent: by public address, when each packet to the other's public address passed its NAT, in seconds.
    """

    attempts: list[Attempt]
    sockets: int
    sent: dict[str, list[float]]


def spend_day(pair: HardPair, folder: Path) -> Day:
    with scene(pair) as lab:
        callee = start_callee(lab, start_server(lab), folder)
        captures = {}
        if (pair.caller, pair.callee) == RECORDED:
            captures[ELSA_PUBLIC, ANNA_PUBLIC] = lab.capture("nat-elsa", "wan0")
            captures[ANNA_PUBLIC, ELSA_PUBLIC] = lab.capture("nat-anna", "wan0")
        attempts = [attempt(lab, callee, f"elsa{number}", folder) for number in range(ATTEMPTS)]
        sockets = sockets_at_last(lab)
        for capture in captures.values():
            capture.stop()
        sent = {
            ours: [
                packet.time
                for packet in read_packets(capture.file)
                if (packet.protocol, packet.source[0], packet.destination[0]) == (UDP, ours, theirs)
            ]
            for (ours, theirs), capture in captures.items()
        }
        return Day(attempts=attempts, sockets=sockets, sent=sent)


def sockets_at_last(lab: Lab) -> int:
    """Anna's, once none of an attempt's are left, or when it should have come to that."""
    deadline = time.monotonic() + CLOSING_TIMEOUT
    while True:
        count = len(lab.run("anna", ["cat", "/proc/net/udp"]).stdout.splitlines()) - 1
        if count in NO_MORE_THAN_BEFORE or time.monotonic() > deadline:
            return count


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[HardPair, Future[Day]]]:
    pool = ThreadPoolExecutor(PARALLEL_LABS)
    yield {pair: pool.submit(spend_day, pair, tmp_path_factory.mktemp("traces")) for pair in HARD_PAIRS}
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("pair", HARD_PAIRS, ids=str)
def test_plain_checks_alone_could_not_connect_any_of_these_pairs(pair: HardPair) -> None:
    seen = (PROFILES[pair.caller].seen, PROFILES[pair.callee].seen)
    assert expected_outcome(*seen) is Outcome.IMPOSSIBLE


@pytest.mark.parametrize("pair", DIRECT_PAIRS, ids=str)
def test_two_peers_meet_in_every_attempt_and_the_message_arrives(
    pair: HardPair, days: dict[HardPair, Future[Day]]
) -> None:
    attempts = days[pair].result().attempts
    missed = [one for one in attempts if not one.is_direct]
    assert len(missed) <= (pair.technique == BIRTHDAY), missed
    for number, one in enumerate(attempts):
        if one in missed:
            assert one.caller["outcome"] == "failed", one
            continue
        assert (one.caller["outcome"], one.code) == ("direct", 0), one
        assert one.callee is not None, one
        assert (one.callee["outcome"], one.callee["message"]) == ("direct", f"elsa{number}"), one
        assert one.caller["technique"] == one.callee["technique"] == pair.technique, one
        assert one.caller["path"]["local"] == one.callee["path"]["remote"], one
        assert one.caller["path"]["remote"] == one.callee["path"]["local"], one
        assert max(one.caller["packets_sent"], one.callee["packets_sent"]) <= MAX_PACKETS, one


@pytest.mark.parametrize("pair", BUSY_PAIRS, ids=str)
def test_others_behind_both_nats_cost_at_most_one_meeting(
    pair: HardPair, days: dict[HardPair, Future[Day]]
) -> None:
    attempts = days[pair].result().attempts
    assert sum(one.is_direct for one in attempts) >= ATTEMPTS - 1, attempts
    for one in attempts:
        assert one.caller["technique"] in (pair.technique, None), one


@pytest.mark.parametrize("pair", HARD_PAIRS, ids=str)
def test_afterwards_no_socket_of_an_attempt_is_open(
    pair: HardPair, days: dict[HardPair, Future[Day]]
) -> None:
    assert days[pair].result().sockets in NO_MORE_THAN_BEFORE


def test_no_more_packets_pass_a_nat_than_were_promised(days: dict[HardPair, Future[Day]]) -> None:
    recorded = next(pair for pair in HARD_PAIRS if (pair.caller, pair.callee) == RECORDED)
    day = days[recorded].result()
    assert set(day.sent) == {ELSA_PUBLIC, ANNA_PUBLIC}
    for address, times in day.sent.items():
        assert len(times) > ATTEMPTS, f"{address} sent next to nothing, so this proves nothing"
        busiest = max(sum(start <= at < start + 1.0 for at in times) for start in times)
        assert busiest <= PROMISED_RATE, f"{address} sent {busiest} packets in one second"
        assert len(times) <= ATTEMPTS * MAX_PACKETS, address


@pytest.mark.parametrize("pair", HOPELESS_PAIRS, ids=str)
def test_who_cannot_meet_is_soon_told_why(pair: HardPair, days: dict[HardPair, Future[Day]]) -> None:
    for one in days[pair].result().attempts:
        assert (one.caller["outcome"], one.code) == ("failed", 1), one
        assert UNPREDICTABLE in one.caller["reason"], one
        assert "random port" in one.caller["reason"], one
        assert one.caller["path"] is one.caller["technique"] is None, one
        assert one.seconds < MAX_REFUSAL + SLACK, one


def test_who_calls_during_another_attempt_waits_for_its_end_and_meets_as_well(tmp_path: Path) -> None:
    pair = next(pair for pair in HARD_PAIRS if (pair.caller, pair.callee) == RECORDED)
    with scene(pair) as lab, ThreadPoolExecutor(2) as pool:
        callee = start_callee(lab, start_server(lab), tmp_path)
        for chance in range(CHANCES):
            names = [f"elsa{chance}{which}" for which in "ab"]
            both = list(pool.map(lambda name: attempt(lab, callee, name, tmp_path), names))
            if all(one.is_direct for one in both) and any(map(was_delayed, both)):
                return
    pytest.fail(
        f"in {CHANCES} rounds there was none in which both met, one after the other; the last: {both}"
    )


def was_delayed(one: Attempt) -> bool:
    assert one.callee is not None
    return any(entry["event"] == "attempt delayed" for entry in one.callee["timeline"])
