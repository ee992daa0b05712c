"""Role conflicts (RFC 8445 sections 7.2.5.1 and 7.3.1.1) and what nominations come to."""

from __future__ import annotations

import pytest

from natcore import stun
from natcore.ice import CandidateType, IceConfig, PathSelected
from tests.unit.natcore.ice.scripted_peer import (
    BASE,
    ELSEWHERE,
    PEER,
    ScriptedPeer,
    decode,
    is_nomination,
    make_agent,
    remote,
    requests,
    responses,
)

LOWEST, HIGHEST = 0, 2**64 - 1


@pytest.mark.parametrize(
    ("is_controlling", "tie_breaker", "keeps_role"),
    [(True, LOWEST, True), (True, HIGHEST, False), (False, LOWEST, False), (False, HIGHEST, True)],
)
def test_the_larger_tie_breaker_becomes_controlling(
    is_controlling: bool, tie_breaker: int, keeps_role: bool
) -> None:
    peer = ScriptedPeer(make_agent(is_controlling=is_controlling))
    peer.start()
    answers = peer.check(is_controlling=is_controlling, tie_breaker=tie_breaker)
    (answer,) = responses(answers)
    error = decode(answer).get(stun.ErrorCode)
    assert (error is not None and error.code == 487) is keeps_role
    assert (peer.agent.is_controlling is is_controlling) is keeps_role


def test_equal_tie_breakers_keep_the_controlling_side_controlling() -> None:
    peer = ScriptedPeer(make_agent())
    (check,) = peer.start()
    ours = decode(check).get(stun.IceControlling)
    assert ours is not None
    peer.check(is_controlling=True, tie_breaker=ours.tie_breaker)
    assert peer.agent.is_controlling


def test_a_487_switches_the_role_and_the_tie_breaker_and_repeats_the_check() -> None:
    peer = ScriptedPeer(make_agent())
    (check,) = peer.start()
    (again,) = peer.reject(check)
    before, after = decode(check).get(stun.IceControlling), decode(again).get(stun.IceControlled)
    assert before is not None
    assert after is not None
    assert after.tie_breaker != before.tie_breaker
    assert not peer.agent.is_controlling


def test_a_second_487_to_a_check_of_the_old_role_switches_nothing() -> None:
    peer = ScriptedPeer(make_agent())
    first, second = peer.start(PEER, ELSEWHERE)
    peer.reject(first)
    peer.reject(second)
    assert not peer.agent.is_controlling


def test_a_forged_487_switches_nothing() -> None:
    peer = ScriptedPeer(make_agent())
    (check,) = peer.start()
    forged = stun.error_response(decode(check), 487, "Role Conflict", b"wrong key")
    peer.deliver(forged)
    unsigned = stun.error_response(decode(check), 487, "Role Conflict")
    peer.deliver(unsigned)
    assert peer.agent.is_controlling
    assert peer.agent.counters.discarded == 2


def test_a_peer_that_answers_487_for_ever_is_not_asked_for_ever() -> None:
    peer = ScriptedPeer(make_agent())
    checks = peer.start()
    count = 0
    while checks and count < 100:
        checks = peer.reject(checks[0])
        count += 1
    assert count < 20
    assert peer.agent.get_timer() == IceConfig().give_up_after


def test_a_switch_to_controlled_after_the_path_is_there_leaves_no_busy_timer() -> None:
    peer = ScriptedPeer(make_agent())
    peer.agent.start([remote(PEER, CandidateType.SERVER_REFLEXIVE), remote(ELSEWHERE)], 0.0)
    check = peer.agent.datagrams_to_send()[1]
    peer.answer(check)
    peer.check(is_controlling=True, tie_breaker=HIGHEST)
    assert not peer.agent.is_controlling
    peer.run_until(5.0)  # asserts that every timer lies ahead


def test_a_switch_to_controlling_after_the_path_is_there_nominates() -> None:
    peer = ScriptedPeer(make_agent(is_controlling=False))
    (check,) = peer.start()
    peer.answer(check)
    answers = peer.check(is_controlling=False, tie_breaker=LOWEST)
    assert peer.agent.is_controlling
    assert any(map(is_nomination, requests(answers)))


def test_a_nomination_selects_the_pair_on_the_controlled_side() -> None:
    peer = ScriptedPeer(make_agent(is_controlling=False))
    (check,) = peer.start()
    peer.answer(check)
    peer.check(is_controlling=True, nominates=True)
    assert [event for event in peer.events() if isinstance(event, PathSelected)]


def test_a_nomination_that_comes_before_the_pair_is_valid_selects_it_later() -> None:
    peer = ScriptedPeer(make_agent(is_controlling=False))
    peer.start()
    (triggered,) = requests(peer.check(is_controlling=True, nominates=True))
    assert not [event for event in peer.events() if isinstance(event, PathSelected)]
    peer.answer(triggered)
    assert [event for event in peer.events() if isinstance(event, PathSelected)]


@pytest.mark.parametrize("best_first", [True, False])
def test_of_two_nominated_pairs_the_better_one_counts_in_any_order(best_first: bool) -> None:
    # An RFC 5245 peer nominates aggressively: every check carries USE-CANDIDATE.
    peer = ScriptedPeer(make_agent(is_controlling=False))
    peer.agent.start([remote(PEER), remote(ELSEWHERE, CandidateType.SERVER_REFLEXIVE)], 0.0)
    for check in peer.agent.datagrams_to_send():
        peer.answer(check)
    for source in (PEER, ELSEWHERE) if best_first else (ELSEWHERE, PEER):
        peer.check(source=source, is_controlling=True, nominates=True)
    peer.check(source=ELSEWHERE, is_controlling=True)  # not a nomination: a keepalive, or a late copy
    assert peer.agent.path is not None
    assert peer.agent.path.remote == PEER


def test_use_candidate_from_a_controlled_peer_selects_nothing() -> None:
    peer = ScriptedPeer(make_agent())
    peer.agent.start([remote(PEER, CandidateType.SERVER_REFLEXIVE), remote(ELSEWHERE)], 0.0)
    peer.answer(peer.agent.datagrams_to_send()[1])
    peer.check(is_controlling=False, nominates=True)
    assert not [event for event in peer.events() if isinstance(event, PathSelected)]
    assert peer.agent.path is not None
    assert peer.agent.path.base == BASE
