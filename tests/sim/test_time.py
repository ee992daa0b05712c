"""How long things take, exactly, where every path takes half a round trip: docs/design.md, "Time"."""

from __future__ import annotations

import pytest

from natcore.channel import DataReceived, MessageConfirmed, SessionConfirmed, SessionMoved
from natcore.endpoint import SessionStarted
from tests.sim.network import Link
from tests.sim.pair import EndpointPair, SessionPair, make_sites, payloads, timed_session_events

LATENCY = 0.02
ROUND_TRIP = 2 * LATENCY

CROSSING_PAIRS: list[tuple[str, str]] = [
    ("port-restricted", "port-restricted"),
    ("full-cone", "port-restricted"),
    ("open", "port-restricted"),
]


@pytest.mark.parametrize("profiles", CROSSING_PAIRS)
def test_the_first_payload_arrives_one_and_a_half_round_trips_after_connect(
    profiles: tuple[str, str],
) -> None:
    pair = EndpointPair(make_sites(*profiles), link=Link(latency=LATENCY))
    pair.start()
    asked_at = pair.now
    pair.connect(early_data=b"hello")

    ((received_at, received),) = timed_session_events(pair.anna, DataReceived)
    assert received.payload == b"hello"
    assert received_at - asked_at == pytest.approx(1.5 * ROUND_TRIP, abs=1e-9)


@pytest.mark.parametrize("profiles", CROSSING_PAIRS)
def test_both_sides_have_a_confirmed_path_two_round_trips_after_connect(
    profiles: tuple[str, str],
) -> None:
    pair = EndpointPair(make_sites(*profiles), link=Link(latency=LATENCY))
    pair.start()
    asked_at = pair.now
    pair.connect()
    for side in (pair.elsa, pair.anna):
        ((confirmed_at, _),) = timed_session_events(side, SessionConfirmed)
        assert confirmed_at - asked_at == pytest.approx(2 * ROUND_TRIP, abs=1e-9)


def test_early_data_is_confirmed_with_the_path() -> None:
    pair = EndpointPair(make_sites("port-restricted", "port-restricted"), link=Link(latency=LATENCY))
    pair.start()
    asked_at = pair.now
    pair.connect(early_data=b"hello")
    (started,) = pair.elsa.events(SessionStarted)
    ((confirmed_at, event),) = timed_session_events(pair.elsa, MessageConfirmed)
    assert event.number == started.early_number
    assert confirmed_at - asked_at == pytest.approx(2 * ROUND_TRIP, abs=1e-9)
    pair.advance(5.0)
    assert len(timed_session_events(pair.anna, DataReceived)) == 1, "a copy was delivered twice"


def test_a_symmetric_nat_costs_half_a_round_trip_against_a_full_cone() -> None:
    # The first check of the symmetric side shows its real endpoint; the path goes there.
    pair = SessionPair(make_sites("full-cone", "symmetric"), link=Link(latency=LATENCY))
    pair.start()
    pair.connect()
    assert pair.anna.time_of(SessionConfirmed) == pytest.approx(ROUND_TRIP)
    assert pair.elsa.time_of(SessionConfirmed) == pytest.approx(1.5 * ROUND_TRIP)


@pytest.mark.parametrize("latency", [0.0005, 0.02, 0.3, 1.0])
def test_the_measured_round_trip_is_the_true_one(latency: float) -> None:
    pair = SessionPair(make_sites("port-restricted", "port-restricted"), link=Link(latency=latency))
    pair.start()
    pair.connect()
    pair.advance(10 * latency + 15.0)
    for session in pair.sessions:
        assert session.rtt == pytest.approx(2 * latency), session.peer


def test_the_late_side_waits_no_longer_than_the_gap_between_two_checks() -> None:
    # Elsa's first checks die at anna's NAT; the check that anna's start finds under way gets through.
    for skew in (0.001, 0.05, 0.13, 0.4, 1.0, 3.0):
        pair = SessionPair(make_sites("port-restricted", "port-restricted"), link=Link(latency=LATENCY))
        pair.start(skew=skew)
        pair.connect()
        assert pair.now - skew <= 1.5 * ROUND_TRIP + 1e-9, f"skew {skew} s"


@pytest.mark.parametrize("skew", [0.05, 0.4, 2.0])
def test_early_data_that_died_at_a_late_peer_s_nat_follows_the_path_at_once(skew: float) -> None:
    pair = SessionPair(make_sites("port-restricted", "port-restricted"), link=Link(latency=LATENCY))
    pair.start(skew=skew, early_data=b"early")
    pair.drive_until(DataReceived, pair.anna)
    assert pair.now - skew <= 2 * ROUND_TRIP + 0.1


def test_a_path_is_nominated_once_and_the_session_does_not_move_without_need() -> None:
    pair = SessionPair(make_sites("port-restricted", "port-restricted"), link=Link(latency=LATENCY))
    pair.start()
    pair.advance(20.0)
    for side in (pair.elsa, pair.anna):
        assert len(side.events(SessionConfirmed)) == 1
        assert side.events(SessionMoved) == []


def test_a_message_is_confirmed_after_one_round_trip() -> None:
    pair = SessionPair(make_sites("port-restricted", "port-restricted"), link=Link(latency=LATENCY))
    pair.start()
    pair.connect()
    pair.advance(1.0)
    sent_at = pair.now
    pair.send(pair.elsa, b"x")
    pair.drive_until(MessageConfirmed, pair.elsa)
    assert pair.now - sent_at == pytest.approx(ROUND_TRIP)
    assert payloads(pair.anna) == [b"x"]
