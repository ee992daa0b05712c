"""The agent's clock: pacing, retransmission, nomination delay, giving up, consent."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from ipaddress import IPv4Address
from itertools import pairwise
from typing import Any

import pytest

from natcore.address import TransportAddress
from natcore.errors import MisuseError
from natcore.ice import (
    AgentState,
    CandidateType,
    ConnectivityFailed,
    FailureReason,
    IceConfig,
    PathConfirmed,
    PathDoubted,
    PathSelected,
)
from tests.unit.natcore.ice.scripted_peer import (
    BASE,
    PEER,
    ScriptedPeer,
    decode,
    is_nomination,
    make_agent,
    remote,
    requests,
)

CONFIG = IceConfig()
MANY = [TransportAddress(IPv4Address("198.51.100.1"), 5000 + index) for index in range(8)]


def test_the_first_burst_goes_at_once_and_the_rest_one_every_ta() -> None:
    peer = ScriptedPeer(
        make_agent(config=replace(CONFIG, check_schedule=replace(CONFIG.check_schedule, rto=1.0)))
    )
    assert len(peer.start(*MANY)) == CONFIG.initial_burst
    assert peer.at(CONFIG.pacing_interval - 0.001) == []
    assert len(peer.at(CONFIG.pacing_interval)) == 1
    assert peer.at(CONFIG.pacing_interval + 0.001) == []
    assert len(peer.run_until(0.9)) == 2


def test_each_socket_has_a_burst_and_a_pace_of_its_own() -> None:
    bases = tuple(TransportAddress(BASE.ip, BASE.port + number) for number in range(8))
    peer = ScriptedPeer(
        make_agent(
            bases=bases,
            config=replace(CONFIG, check_schedule=replace(CONFIG.check_schedule, rto=1.0)),
        )
    )
    burst = Counter(one.base for one in peer.start(*MANY))
    assert burst == dict.fromkeys(bases, CONFIG.initial_burst)
    assert len(peer.at(CONFIG.pacing_interval)) == 8


def test_a_late_timer_starts_one_ordinary_check_and_does_not_burst() -> None:
    peer = ScriptedPeer(make_agent())
    peer.start(*MANY)
    fresh = {one.destination for one in peer.at(5.0)} - set(MANY[:5])
    assert len(fresh) == 1


def test_checks_go_out_in_order_of_priority() -> None:
    peer = ScriptedPeer(make_agent(config=replace(CONFIG, initial_burst=1)))
    reflexive, near = remote(MANY[0], CandidateType.SERVER_REFLEXIVE), remote(MANY[1])
    peer.agent.start([reflexive, near], 0.0)
    (first,) = peer.agent.datagrams_to_send()
    assert first.destination == near.address


def test_a_check_is_repeated_on_its_schedule() -> None:
    peer = ScriptedPeer(make_agent())
    (first,) = peer.start()
    assert peer.at(0.049) == []
    assert [one.data for one in peer.at(0.05)] == [first.data]
    assert peer.at(0.051) == []
    assert peer.agent.get_timer() == pytest.approx(0.15)


def test_without_an_answer_it_gives_up_exactly_in_time_and_says_silence() -> None:
    peer = ScriptedPeer(make_agent())
    peer.start()
    peer.run_until(CONFIG.give_up_after - 0.001)
    assert peer.agent.state is AgentState.CHECKING
    peer.at(CONFIG.give_up_after)
    (*_, failed) = peer.events()
    assert isinstance(failed, ConnectivityFailed)
    assert failed.reason is FailureReason.SILENCE
    assert failed.detail == "14 checks to 1 addresses in 10 s, 0 received"
    assert peer.agent.get_timer() is None


def test_without_candidates_it_waits_for_the_peer_and_then_says_so() -> None:
    peer = ScriptedPeer(make_agent())
    peer.agent.start([], 0.0)
    assert peer.agent.get_timer() == CONFIG.give_up_after
    peer.at(CONFIG.give_up_after)
    (failed,) = peer.events()
    assert isinstance(failed, ConnectivityFailed)
    assert failed.reason is FailureReason.NO_CANDIDATES


def test_hearing_the_peer_but_no_answer_is_called_one_way() -> None:
    peer = ScriptedPeer(make_agent())
    peer.start()
    peer.check()
    peer.run_until(CONFIG.give_up_after)
    (*_, failed) = peer.events()
    assert isinstance(failed, ConnectivityFailed)
    assert failed.reason is FailureReason.ONE_WAY


def test_being_turned_down_is_called_rejected() -> None:
    peer = ScriptedPeer(make_agent())
    (check,) = peer.start()
    peer.reject(check, code=400)
    peer.run_until(CONFIG.give_up_after)
    (*_, failed) = peer.events()
    assert isinstance(failed, ConnectivityFailed)
    assert failed.reason is FailureReason.REJECTED


def test_the_only_pair_is_nominated_at_once() -> None:
    peer = ScriptedPeer(make_agent())
    (check,) = peer.start()
    (nomination,) = peer.answer(check)
    assert is_nomination(nomination)
    peer.answer(nomination)
    assert [type(event) for event in peer.events()][1:] == [PathConfirmed, PathSelected]


def test_a_better_pair_is_waited_for_no_longer_than_the_nomination_delay() -> None:
    peer = ScriptedPeer(make_agent())
    peer.agent.start([remote(MANY[0]), remote(MANY[1], CandidateType.SERVER_REFLEXIVE)], 0.0)
    _, worse = peer.agent.datagrams_to_send()
    assert requests(peer.answer(worse)) == []
    at = CONFIG.nomination_delay
    assert not any(map(is_nomination, peer.at(at - 0.001)))
    (nomination,) = filter(is_nomination, peer.at(at))
    assert nomination.destination == MANY[1]


def test_a_better_pair_that_answers_in_time_is_nominated_instead() -> None:
    peer = ScriptedPeer(make_agent())
    peer.agent.start([remote(MANY[0]), remote(MANY[1], CandidateType.SERVER_REFLEXIVE)], 0.0)
    better, worse = peer.agent.datagrams_to_send()
    peer.answer(worse)
    peer.now = 0.03
    (nomination,) = filter(is_nomination, peer.answer(better))
    assert nomination.destination == MANY[0]


def test_a_nomination_that_nobody_answers_is_repeated_as_long_as_there_is_consent() -> None:
    peer = ScriptedPeer(make_agent())
    (check,) = peer.start()
    (nomination,) = peer.answer(check)
    sent = peer.run_until(25.0)
    transactions = {decode(one).transaction_id for one in sent if is_nomination(one)}
    assert len(transactions) == 3, "the first, and one every 10.4 s"
    peer.answer(nomination)
    assert peer.agent.path is not None


def test_a_nomination_over_a_very_long_way_is_repeated_every_second_at_most() -> None:
    peer = ScriptedPeer(make_agent())
    (check,) = peer.start()
    peer.answer(check)
    due = peer.agent.get_timer()
    consents = 0
    while due is not None and due < 12.0:
        for one in peer.at(due):
            if not is_nomination(one):
                peer.now = due + 1.5  # the consent check measures a round trip of 1.5 s
                peer.answer(one)
                consents += 1
        due = peer.agent.get_timer()
    assert consents >= 1
    assert peer.agent.path is not None
    assert peer.agent.path.rtt == pytest.approx(1.5)


def test_the_controlled_side_never_nominates() -> None:
    peer = ScriptedPeer(make_agent(is_controlling=False))
    (check,) = peer.start()
    peer.answer(check)
    assert not any(map(is_nomination, peer.run_until(29.0)))


def test_the_consent_expires_exactly_30_s_after_the_last_answer() -> None:
    peer = ScriptedPeer(make_agent(is_controlling=False))
    (check,) = peer.start()
    peer.answer(check)
    peer.run_until(CONFIG.consent_timeout - 0.001)
    assert peer.agent.state is AgentState.CONFIRMED
    peer.at(CONFIG.consent_timeout)
    (*_, failed) = peer.events()
    assert isinstance(failed, ConnectivityFailed)
    assert failed.reason is FailureReason.CONSENT_EXPIRED
    assert peer.agent.path is None
    assert peer.at(100.0) == []


def test_a_consent_check_comes_every_4_s_or_so_and_its_answer_renews() -> None:
    peer = ScriptedPeer(make_agent(is_controlling=False))
    (check,) = peer.start()
    peer.answer(check)
    last = 0.0
    for _ in range(20):
        due = peer.agent.get_timer()
        assert due is not None
        assert 0.8 * CONFIG.consent_interval <= due - last <= 1.2 * CONFIG.consent_interval
        (consent,) = peer.at(due)
        peer.answer(consent)
        last = due
    assert peer.agent.state is AgentState.CONFIRMED


def confirmed(**changes: Any) -> ScriptedPeer:
    peer = ScriptedPeer(make_agent(is_controlling=False, **changes))
    (check,) = peer.start()
    peer.answer(check)
    peer.events()
    return peer


def checks_until(peer: ScriptedPeer, kind: type[object]) -> list[float]:
    """When consent checks went out, unanswered, up to an event."""
    sent: list[float] = []
    for _ in range(30):
        due = peer.agent.get_timer()
        assert due is not None
        sent += [due for _ in peer.at(due)]
        if any(isinstance(event, kind) for event in peer.events()):
            return sent
    raise AssertionError(f"no {kind.__name__}")


def test_a_path_that_does_not_answer_is_in_doubt_within_6_s_and_used_on() -> None:
    peer = confirmed()
    sent = checks_until(peer, PathDoubted)
    assert peer.now - sent[0] == pytest.approx(CONFIG.doubt_checks * CONFIG.doubt_interval)
    assert peer.now <= 6.0
    gaps = [later - earlier for earlier, later in pairwise(sent)]
    assert gaps == pytest.approx([CONFIG.doubt_interval] * CONFIG.doubt_checks)
    assert peer.agent.is_in_doubt
    assert peer.agent.path is not None


def test_doubt_is_told_once_and_ends_with_an_answer() -> None:
    peer = confirmed()
    checks_until(peer, PathDoubted)
    due = peer.agent.get_timer()
    assert due is not None
    (consent,) = peer.at(due)
    assert [event for event in peer.events() if isinstance(event, PathDoubted)] == []
    peer.answer(consent)
    assert not peer.agent.is_in_doubt


def test_who_sends_into_silence_has_the_path_checked_at_once_and_once() -> None:
    peer = confirmed()
    peer.now = 1.0
    peer.agent.hurry(1.0)
    assert len(peer.agent.datagrams_to_send()) == 1
    peer.agent.hurry(1.1)
    assert peer.agent.datagrams_to_send() == []
    checks_until(peer, PathDoubted)
    assert peer.now - 1.0 <= 1.0


def test_a_peer_that_forbids_it_ends_the_consent_at_once() -> None:
    peer = ScriptedPeer(make_agent(is_controlling=False))
    (check,) = peer.start()
    peer.answer(check)
    due = peer.agent.get_timer()
    assert due is not None
    (consent,) = peer.at(due)
    assert peer.reject(consent, code=403) == []
    (*_, failed) = peer.events()
    assert isinstance(failed, ConnectivityFailed)
    assert failed.reason is FailureReason.REJECTED
    assert failed.detail == "the peer withdrew its consent"
    assert peer.agent.path is None


def test_an_early_timer_does_nothing() -> None:
    peer = ScriptedPeer(make_agent())
    peer.start()
    assert peer.at(0.001) == []
    assert peer.agent.counters.checks_sent == 1


def test_a_candidate_that_trickles_in_is_checked() -> None:
    peer = ScriptedPeer(make_agent())
    peer.agent.start([], 0.0)
    peer.now = 2.0
    peer.agent.add_remote_candidate(remote(PEER), peer.now)
    due = peer.agent.get_timer()
    assert due is not None
    assert due <= peer.now, "it must be due at once"
    (check,) = peer.at(2.0)
    assert (check.base, check.destination) == (BASE, PEER)


def test_terminal_states_are_final() -> None:
    for finish in ("fail", "close"):
        peer = ScriptedPeer(make_agent())
        (check,) = peer.start()
        if finish == "fail":
            peer.at(CONFIG.give_up_after)
        else:
            peer.agent.close()
        peer.events()
        assert peer.answer(check) == []
        assert peer.check() == []
        assert peer.at(1000.0) == []
        assert peer.events() == []
        assert peer.agent.get_timer() is None
        assert peer.agent.path is None


def test_starting_twice_is_misuse() -> None:
    peer = ScriptedPeer(make_agent())
    peer.start()
    with pytest.raises(MisuseError, match="no move from checking to checking"):
        peer.agent.start([], 1.0)
