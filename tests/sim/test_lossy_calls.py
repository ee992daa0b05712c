"""Calls over a link that loses packets, TCP's as well: how long the first payload takes."""

from __future__ import annotations

import pytest

from natcore.channel import DataReceived
from natcore.control import copies
from natcore.endpoint import SessionStarted
from tests.sim.network import Link
from tests.sim.pair import EndpointPair, make_sites, session_events, timed_session_events

SEEDS = range(500)
LOSS = 0.1
RTT = 0.04
TCP_PENALTY = 0.245
"""Seconds by which a lost segment comes late, as it was measured on Linux over 40 ms."""


def make_pair(seed: int, *, loss: float = LOSS) -> EndpointPair:
    pair = EndpointPair(
        make_sites("port-restricted", "port-restricted"),
        link=Link(latency=RTT / 2, drop=loss),
        seed=seed,
        tcp_penalty=TCP_PENALTY,
    )
    pair.start()
    pair.advance(4.0)  # both have proven where they are
    return pair


def call(pair: EndpointPair) -> float:
    """Round trips from ``connect`` to the first payload."""
    began_at = pair.now
    pair.elsas.connect("anna", began_at, early_data=b"hello")
    pair.drain(pair.elsa)
    pair.drive_while(lambda: not session_events(pair.anna, DataReceived), what="the payload")
    ((at, event),) = timed_session_events(pair.anna, DataReceived)
    assert event == DataReceived(payload=b"hello")
    return (at - began_at) / RTT


def slow_call(seeds: range) -> float:
    """The 95th percentile, in round trips."""
    times = sorted(call(make_pair(seed)) for seed in seeds)
    return times[len(times) * 95 // 100]


def test_a_tenth_of_loss_costs_few_calls_more_than_six_round_trips() -> None:
    assert slow_call(SEEDS) < 6.0


def test_without_copies_over_udp_a_lost_segment_costs_more_than_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "MAX_COPY_SIZE", 0)
    assert slow_call(SEEDS[:100]) > 6.0


def test_without_loss_a_call_takes_what_light_needs_and_nothing_comes_twice() -> None:
    pair = make_pair(1, loss=0.0)
    assert call(pair) == pytest.approx(1.5, abs=0.1)
    pair.advance(3.0)
    for side in (pair.elsa, pair.anna):
        assert len(side.events(SessionStarted)) == 1, "the copy starts no session of its own"
    frames = [sent for _, sent in pair.network.sent if sent.data[0] == 81]
    assert len(frames) == 2, "early data went to the host and to the reflexive candidate, once"


def test_a_call_whose_copies_come_late_or_first_makes_one_session() -> None:
    for seed in range(60):
        pair = make_pair(seed)
        call(pair)
        pair.advance(3.0)
        for side, endpoint in ((pair.elsa, pair.elsas), (pair.anna, pair.annas)):
            assert len(side.events(SessionStarted)) == 1, f"seed {seed}"
            assert len(endpoint.sessions) == 1, f"seed {seed}"
