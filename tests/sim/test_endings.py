"""How a session ends: closed by one side, or silent until the consent expires."""

from __future__ import annotations

import itertools

import pytest

from natcore.channel import (
    MessageUnconfirmed,
    SessionConfig,
    SessionConfirmed,
    SessionDoubted,
    SessionEnded,
    SessionLost,
)
from natcore.errors import MisuseError
from natcore.ice import FailureReason, IceConfig
from tests.sim.pair import SessionPair, make_sites, payloads

CONFIG = IceConfig()


@pytest.fixture
def pair() -> SessionPair:
    pair = SessionPair(make_sites("port-restricted", "port-restricted"))
    pair.start()
    pair.connect()
    return pair


def test_closing_tells_the_peer_half_a_round_trip_later(pair: SessionPair) -> None:
    closed_at = pair.now
    pair.close(pair.elsa)
    pair.drive_until(SessionEnded, pair.elsa, pair.anna)
    assert pair.now - closed_at == pytest.approx(pair.link.latency)
    assert pair.elsa.events(SessionEnded) == [SessionEnded(reason=None, detail="closed by us")]
    assert pair.anna.events(SessionEnded) == [SessionEnded(reason=None, detail="closed by elsa")]


def test_nothing_is_due_after_both_have_ended(pair: SessionPair) -> None:
    pair.close(pair.elsa)
    pair.advance(1.0)
    assert [session.get_timer() for session in pair.sessions] == [None, None]
    assert not pair.step()


def test_closing_twice_and_from_both_sides_ends_each_side_once(pair: SessionPair) -> None:
    pair.close(pair.elsa)
    pair.close(pair.elsa)
    pair.close(pair.anna)
    pair.advance(1.0)
    for side in (pair.elsa, pair.anna):
        assert len(side.events(SessionEnded)) == 1


def test_closing_says_of_every_waiting_message_that_it_is_unconfirmed(pair: SessionPair) -> None:
    pair.link.is_cut = True
    numbers = [pair.send(pair.elsa, b"x") for _ in range(3)]
    pair.close(pair.elsa)
    assert [event.number for event in pair.elsa.events(MessageUnconfirmed)] == numbers
    assert isinstance(pair.elsa.log[-1][1], SessionEnded), "the end must be the last word"


def test_a_lost_close_leaves_the_peer_to_its_consent(pair: SessionPair) -> None:
    pair.link.is_cut = True
    pair.close(pair.elsa)
    pair.drive_until(SessionLost, pair.anna)
    pair.advance(SessionConfig().patience)
    assert pair.anna.events(SessionEnded)[0].reason is FailureReason.CONSENT_EXPIRED


def test_a_cut_link_expires_the_consent_30_s_after_the_last_answer(pair: SessionPair) -> None:
    pair.advance(100.0)
    assert pair.elsa.events(SessionEnded) == [], "consent must have been renewed"
    pair.link.is_cut = True
    cut_at = pair.now
    pair.drive_until(SessionLost, pair.elsa, pair.anna)
    for side in (pair.elsa, pair.anna):
        (lost,) = side.events(SessionLost)
        assert lost.detail == "no answer on the path for 30 s"
        silent_for = side.time_of(SessionLost) - cut_at
        longest_gap = 1.2 * CONFIG.consent_interval
        assert (
            CONFIG.consent_timeout - longest_gap <= silent_for <= CONFIG.consent_timeout + pair.link.latency
        )


def test_nothing_is_sent_on_a_lost_path_and_after_its_patience_the_session_ends(pair: SessionPair) -> None:
    pair.advance(1.0)
    pair.link.is_cut = True
    pair.drive_until(SessionLost, pair.elsa, pair.anna)
    sent, lost_at = len(pair.network.sent), pair.now
    number = pair.send(pair.elsa, b"is anybody there?")
    with pytest.raises(MisuseError, match="no path"):
        pair.elsas.send_datagram(b"or there?", pair.now)
    pair.advance(SessionConfig().patience + 1.0)
    assert len(pair.network.sent) == sent
    (end,) = pair.elsa.events(SessionEnded)
    assert end.reason is FailureReason.CONSENT_EXPIRED
    assert pair.elsa.time_of(SessionEnded) - lost_at == pytest.approx(SessionConfig().patience, abs=6.0)
    assert [event.number for event in pair.elsa.events(MessageUnconfirmed)] == [number]


def test_while_the_path_is_lost_the_wish_for_another_is_repeated_ever_more_rarely(pair: SessionPair) -> None:
    pair.advance(1.0)
    pair.link.is_cut = True
    pair.drive_until(SessionLost, pair.elsa)
    before = len(pair.elsa.events(SessionDoubted))
    pair.advance(60.0)
    assert 3 <= len(pair.elsa.events(SessionDoubted)) - before <= 6


def test_an_outage_shorter_than_the_consent_is_survived(pair: SessionPair) -> None:
    pair.advance(10.0)
    pair.link.is_cut = True
    pair.advance(20.0)
    pair.link.is_cut = False
    pair.send(pair.elsa, b"still here")
    pair.advance(60.0)
    assert payloads(pair.anna) == [b"still here"]
    assert pair.elsa.events(SessionEnded) == []


def test_a_message_into_a_cut_link_is_unconfirmed_after_its_patience(pair: SessionPair) -> None:
    pair.advance(1.0)
    pair.link.is_cut = True
    sent_at = pair.now
    number = pair.send(pair.elsa, b"lost")
    pair.drive_until(MessageUnconfirmed, pair.elsa)
    assert [event.number for event in pair.elsa.events(MessageUnconfirmed)] == [number]
    assert pair.now - sent_at == pytest.approx(10.0)


def test_consent_checks_keep_an_idle_path_alive_at_a_quarter_of_a_hertz(pair: SessionPair) -> None:
    pair.advance(1.0)
    before = len(pair.network.sent)
    pair.advance(300.0)
    # Both sides ask every 4 s and answer as often: 4 datagrams in 4 s.
    assert len(pair.network.sent) - before == pytest.approx(4 * 300 / 4, rel=0.1)


def test_a_machine_that_slept_through_the_consent_asks_for_another_path_at_once(pair: SessionPair) -> None:
    later = pair.now + 3600.0
    pair.elsas.handle_timer(later)
    pair.elsa.drain(later)
    assert pair.elsa.events(SessionEnded) == []
    assert len(pair.elsa.events(SessionLost)) == 1
    assert pair.elsa.events(SessionDoubted)[-1].at == later


def test_closing_before_there_is_a_path_lets_the_peer_give_up_by_itself() -> None:
    pair = SessionPair(make_sites("port-restricted", "port-restricted"))
    pair.start()
    pair.close(pair.elsa)
    pair.advance(CONFIG.give_up_after)
    assert pair.anna.events(SessionConfirmed) == []
    (end,) = pair.anna.events(SessionEnded)
    assert end.reason is FailureReason.ONE_WAY


def test_two_sides_check_their_path_at_the_same_time() -> None:
    pair = SessionPair(make_sites("port-restricted", "port-restricted"))
    pair.start()
    pair.connect()
    pair.advance(60.0)
    before = len(pair.network.sent)
    pair.advance(60.0)
    checks = [at for at, _ in pair.network.sent[before:]]
    # In bursts: a check, its answer and the other's own, within two round trips.
    gaps = sorted(later - earlier for earlier, later in itertools.pairwise(checks))
    assert [gap for gap in gaps if 4 * pair.link.latency < gap < 0.5 * CONFIG.consent_interval] == []
