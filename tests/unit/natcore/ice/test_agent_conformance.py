"""What RFC 8445 and RFC 8838 ask of an agent where no other file here is about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from natcore.address import TransportAddress
from natcore.agent import Transmit
from natcore.ice import (
    AgentState,
    CandidateType,
    CheckStarted,
    ConnectivityFailed,
    FailureReason,
    IceConfig,
    PathConfirmed,
    PathDoubted,
    PathSelected,
)
from natcore.ice.checklist import MAX_TRIGGERS
from tests.unit.natcore.ice.scripted_peer import (
    BASE,
    ELSEWHERE,
    PEER,
    ScriptedPeer,
    is_nomination,
    make_agent,
    remote,
    requests,
)

CONFIG = IceConfig()
REFLEXIVE = CandidateType.SERVER_REFLEXIVE
THIRD = TransportAddress(PEER.ip, 5003)


def with_two_valid_pairs(*, is_controlling: bool) -> tuple[ScriptedPeer, list[Transmit]]:
    """PEER's is the better one. Also what was sent when that became valid."""
    peer = ScriptedPeer(make_agent(is_controlling=is_controlling))
    peer.agent.start([remote(PEER), remote(ELSEWHERE, REFLEXIVE)], 0.0)
    better, worse = peer.agent.datagrams_to_send()
    peer.answer(worse)
    sent = peer.answer(better)
    peer.events()
    return peer, sent


# --- section 6.1.2.5: of too many pairs the best ones are kept ---------------------------------------------


def test_a_better_candidate_that_comes_late_takes_the_place_of_the_worst() -> None:
    peer = ScriptedPeer(make_agent(config=replace(CONFIG, max_pairs=3, initial_burst=1)))
    worst = TransportAddress(ELSEWHERE.ip, 1)
    peer.agent.start([remote(PEER)], 0.0)
    peer.agent.add_remote_candidate(remote(ELSEWHERE, REFLEXIVE), 0.0)
    peer.agent.add_remote_candidate(remote(worst, CandidateType.RELAYED), 0.0)
    peer.check(source=THIRD)  # a peer-reflexive candidate, though the list is full
    checked = {one.destination for one in peer.run_until(1.0)}
    assert checked == {PEER, ELSEWHERE, THIRD}


def test_a_candidate_that_is_worse_than_all_is_not_checked_when_the_list_is_full() -> None:
    peer = ScriptedPeer(make_agent(config=replace(CONFIG, max_pairs=2, initial_burst=0)))
    peer.agent.start([remote(PEER), remote(ELSEWHERE, REFLEXIVE)], 0.0)
    peer.agent.add_remote_candidate(remote(THIRD, CandidateType.RELAYED), 0.0)
    assert {one.destination for one in peer.run_until(1.0)} == {PEER, ELSEWHERE}


def test_candidates_without_end_are_not_remembered_without_end() -> None:
    peer = ScriptedPeer(make_agent(config=replace(CONFIG, max_pairs=3)))
    peer.agent.start([], 0.0)
    for port in range(1, 1000):
        unreachable = TransportAddress.parse(f"[2001:db8::1]:{port}")
        peer.agent.add_remote_candidate(remote(unreachable), 0.0)
    peer.agent.add_remote_candidate(remote(PEER), 0.0)
    assert peer.run_until(1.0) == []


# --- section 7.3.1.3 and RFC 8838 section 11: candidates come at any time ----------------------------------


def test_a_candidate_that_its_check_has_revealed_gets_its_type_when_it_is_published() -> None:
    peer = ScriptedPeer(make_agent())
    peer.agent.start([], 0.0)
    (triggered,) = requests(peer.check(source=ELSEWHERE))
    peer.agent.add_remote_candidate(remote(ELSEWHERE, REFLEXIVE), 0.0)
    peer.answer(triggered)
    (confirmed,) = [event for event in peer.events() if isinstance(event, PathConfirmed)]
    assert confirmed.path.kind is REFLEXIVE


def test_a_candidate_that_its_check_has_revealed_is_paired_with_our_other_sockets_when_published() -> None:
    other = TransportAddress(BASE.ip, 4001)
    peer = ScriptedPeer(make_agent(bases=(BASE, other)))
    peer.agent.start([], 0.0)
    peer.check(source=ELSEWHERE)
    assert peer.run_until(0.01) == []
    peer.agent.add_remote_candidate(remote(ELSEWHERE, REFLEXIVE), peer.now)
    assert other in {one.base for one in peer.run_until(0.02)}


def test_a_better_candidate_that_comes_after_the_path_is_checked_and_nominated() -> None:
    peer = ScriptedPeer(make_agent())
    peer.agent.start([remote(THIRD), remote(ELSEWHERE, CandidateType.RELAYED)], 0.0)
    _, relayed = peer.agent.datagrams_to_send()
    peer.answer(relayed)
    assert peer.agent.state is AgentState.CONFIRMED
    peer.agent.add_remote_candidate(remote(PEER, REFLEXIVE), peer.now)
    (check,) = [one for one in peer.at(0.05) if one.destination == PEER]
    peer.answer(check)
    (nomination,) = filter(is_nomination, peer.run_until(CONFIG.nomination_delay))
    assert nomination.destination == PEER


def test_a_candidate_that_comes_when_a_pair_is_selected_or_all_is_over_changes_nothing() -> None:
    peer = ScriptedPeer(make_agent())
    (check,) = peer.start()
    (nomination,) = peer.answer(check)
    peer.answer(nomination)
    peer.agent.add_remote_candidate(remote(ELSEWHERE), peer.now)
    assert {one.destination for one in peer.run_until(20.0)} == {PEER}
    peer.agent.close()
    peer.agent.add_remote_candidate(remote(THIRD), peer.now)
    assert peer.agent.get_timer() is None


def test_that_all_checks_have_failed_is_not_the_end_while_candidates_may_come() -> None:
    peer = ScriptedPeer(make_agent())
    (check,) = peer.start()
    peer.reject(check, code=400)
    assert peer.run_until(8.0) == []
    assert not [event for event in peer.events() if isinstance(event, ConnectivityFailed)]
    peer.agent.add_remote_candidate(remote(ELSEWHERE), peer.now)
    (check,) = peer.at(8.0)
    peer.answer(check)
    assert peer.agent.state is AgentState.CONFIRMED


# --- sections 7.2.5.3.4 and 8: what becomes of nominations -------------------------------------------------


@pytest.mark.parametrize("is_error", [True, False], ids=["an error", "an answer from elsewhere"])
def test_a_pair_whose_nomination_is_turned_down_gives_way_to_the_next(is_error: bool) -> None:
    peer, sent = with_two_valid_pairs(is_controlling=True)
    for expected in (PEER, ELSEWHERE):
        (nomination,) = filter(is_nomination, sent)
        assert nomination.destination == expected
        assert peer.agent.path is not None
        assert peer.agent.path.remote == expected
        sent = peer.reject(nomination, code=500) if is_error else peer.answer(nomination, source=THIRD)
    (failed,) = peer.events()
    assert isinstance(failed, ConnectivityFailed)
    assert failed.reason is FailureReason.REJECTED


def test_two_nominations_of_one_pair_that_are_both_turned_down_cost_that_pair_only() -> None:
    peer, sent = with_two_valid_pairs(is_controlling=True)
    (first,) = filter(is_nomination, sent)
    peer.check(is_controlling=True, tie_breaker=2**64 - 1)  # now we are controlled
    (second,) = filter(is_nomination, peer.check(is_controlling=False, tie_breaker=0))  # and not any more
    (next_best,) = filter(is_nomination, peer.reject(first, code=500))
    assert (second.destination, next_best.destination) == (PEER, ELSEWHERE)
    peer.reject(second, code=500)
    peer.answer(next_best)
    assert peer.agent.path is not None
    assert peer.agent.path.remote == ELSEWHERE


def test_a_refusal_of_a_nomination_that_comes_again_and_again_is_survived() -> None:
    peer, sent = with_two_valid_pairs(is_controlling=True)
    for _ in range(3 * MAX_TRIGGERS):
        sent = [answer for one in filter(is_nomination, sent) for answer in peer.reject(one, code=500)]
        sent += peer.check(source=PEER)
        for one in requests(sent):
            if not is_nomination(one):
                sent += peer.answer(one)
    assert peer.agent.state in (AgentState.CONFIRMED, AgentState.FAILED)


def test_a_nomination_of_a_better_pair_than_the_selected_one_is_followed() -> None:
    # RFC 5245 peers nominate every pair that they check; section 8.1.1 of RFC 8445 leaves them be.
    peer = ScriptedPeer(make_agent(is_controlling=False))
    peer.agent.start([remote(PEER), remote(ELSEWHERE, REFLEXIVE)], 0.0)
    _, worse = peer.agent.datagrams_to_send()
    peer.answer(worse)
    peer.check(source=ELSEWHERE, is_controlling=True, nominates=True)
    (check,) = requests(peer.check(source=PEER, is_controlling=True, nominates=True))
    peer.answer(check)
    moves = [event.path.remote for event in peer.events() if isinstance(event, PathSelected)]
    assert moves == [ELSEWHERE, PEER]


def test_a_check_from_elsewhere_that_nominates_nothing_moves_nothing_while_the_path_answers() -> None:
    peer, _ = with_two_valid_pairs(is_controlling=False)
    peer.check(source=PEER, is_controlling=True, nominates=True)
    (check,) = requests(peer.check(source=THIRD, is_controlling=True))
    peer.answer(check)
    assert requests(peer.check(source=THIRD, is_controlling=True)) == [], "one is enough"
    assert peer.agent.path is not None
    assert peer.agent.path.remote == PEER


# --- the peer's NAT gave it another port, and it does not know ----------------------------------------------


def selected(*, is_controlling: bool = False) -> ScriptedPeer:
    peer, sent = with_two_valid_pairs(is_controlling=is_controlling)
    if is_controlling:
        (nomination,) = filter(is_nomination, sent)
        peer.answer(nomination)
    else:
        peer.check(source=PEER, is_controlling=True, nominates=True)
    peer.events()
    return peer


def until_doubt(peer: ScriptedPeer) -> None:
    """Nothing is answered until an event tells of the doubt, or of another path."""
    for _ in range(100):
        due = peer.agent.get_timer()
        assert due is not None
        peer.at(due)
        if peer.agent.is_in_doubt or peer.agent.path is None or peer.agent.path.remote != PEER:
            return
    raise AssertionError("no doubt")


@pytest.mark.parametrize("is_controlling", [True, False])
def test_in_doubt_the_path_goes_where_the_peer_was_heard_since(is_controlling: bool) -> None:
    peer = selected(is_controlling=is_controlling)
    (check,) = requests(peer.check(source=THIRD, is_controlling=not is_controlling))
    peer.now += 0.04
    peer.answer(check)
    until_doubt(peer)
    assert peer.agent.path is not None
    assert peer.agent.path.remote == THIRD
    told = [type(event) for event in peer.events()]
    assert told == [CheckStarted, PathSelected], "nobody is asked for another path"


def test_a_peer_that_is_heard_from_elsewhere_during_the_doubt_is_followed_once_it_answers() -> None:
    peer = selected()
    until_doubt(peer)
    assert [type(event) for event in peer.events()] == [PathDoubted]
    (check,) = requests(peer.check(source=THIRD, is_controlling=True))
    assert peer.agent.path is not None
    assert peer.agent.path.remote == PEER, "a check may be a copy that somebody else sends"
    peer.answer(check)
    assert peer.agent.path.remote == THIRD
    assert not peer.agent.is_in_doubt


def test_where_the_peer_was_heard_before_the_path_last_answered_it_is_not_followed() -> None:
    peer = selected()
    (check,) = requests(peer.check(source=THIRD, is_controlling=True))
    peer.answer(check)
    (consent,) = requests(peer.run_until(CONFIG.consent_interval * 1.2))[:1]
    peer.answer(consent)
    peer.events()
    until_doubt(peer)
    assert [type(event) for event in peer.events()] == [PathDoubted]


def test_what_a_peer_nominated_before_it_became_controlled_counts_no_more() -> None:
    peer = ScriptedPeer(make_agent(is_controlling=False))
    peer.start()
    (triggered,) = requests(peer.check(is_controlling=True, nominates=True))
    peer.check(is_controlling=False, tie_breaker=0)
    assert peer.agent.is_controlling
    answers = peer.answer(triggered)
    assert not [event for event in peer.events() if isinstance(event, PathSelected)]
    (nomination,) = filter(is_nomination, answers)
    peer.answer(nomination)
    assert [event for event in peer.events() if isinstance(event, PathSelected)]


# --- RFC 7675: consent is to one pair -----------------------------------------------------------------------


def test_a_pair_that_is_selected_late_has_a_consent_of_its_own() -> None:
    peer, _ = with_two_valid_pairs(is_controlling=False)
    asked = peer.run_until(CONFIG.consent_timeout - 1.0)
    assert {one.destination for one in asked} == {PEER}
    assert [event for event in peer.events() if isinstance(event, PathDoubted)]
    peer.check(source=ELSEWHERE, is_controlling=True, nominates=True)
    assert not peer.agent.is_in_doubt
    peer.answer(asked[-1])  # of the pair that was left, it says nothing about this one
    selected_at = peer.now
    peer.run_until(selected_at + CONFIG.consent_timeout - 0.001)
    assert peer.agent.path is not None
    peer.at(selected_at + CONFIG.consent_timeout)
    assert peer.agent.path is None
