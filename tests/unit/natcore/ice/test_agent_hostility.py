"""What strangers and misbehaving peers send to an agent, and the bounds of what it remembers."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from natcore import stun
from natcore.address import TransportAddress
from natcore.ice import (
    AgentState,
    CandidateType,
    CheckStarted,
    Credentials,
    IceConfig,
    PathConfirmed,
)
from natcore.ice.check import build_success
from natcore.ice.checklist import MAX_TRIGGERS
from tests.unit.natcore.ice.scripted_peer import (
    BASE,
    ELSEWHERE,
    OURS,
    PEER,
    THEIRS,
    ScriptedPeer,
    decode,
    make_agent,
    remote,
    requests,
    responses,
)

CONFIG = IceConfig()


def addresses(count: int) -> list[TransportAddress]:
    return [TransportAddress(IPv4Address("203.0.113.1"), 1024 + index) for index in range(count)]


@pytest.mark.parametrize(
    ("local", "remote_"),
    [
        (THEIRS, Credentials("ourfrag", "a wrong password")),
        (THEIRS, Credentials("otherfrag", OURS.pwd)),
        (Credentials("strangerfrag", THEIRS.pwd), OURS),
        (OURS, THEIRS),
    ],
    ids=["wrong password", "not our fragment", "not the peer's fragment", "our own check, reflected"],
)
def test_a_forged_check_is_neither_answered_nor_remembered(local: Credentials, remote_: Credentials) -> None:
    peer = ScriptedPeer(make_agent())
    peer.start()
    assert peer.check(local=local, remote=remote_, source=ELSEWHERE) == []
    assert (peer.agent.counters.discarded, peer.agent.counters.checks_received) == (1, 0)


def test_a_check_is_answered_to_where_it_came_from_with_its_address() -> None:
    peer = ScriptedPeer(make_agent())
    peer.start()
    (answer,) = responses(peer.check(source=ELSEWHERE))
    assert (answer.base, answer.destination) == (BASE, ELSEWHERE)
    message = decode(answer)
    assert message.is_authentic(OURS.key)
    assert message.has_fingerprint
    assert message.get(stun.XorMappedAddress) == stun.XorMappedAddress(ELSEWHERE)


def test_a_check_from_an_unknown_address_makes_a_peer_reflexive_candidate_that_is_checked() -> None:
    peer = ScriptedPeer(make_agent())
    peer.start()
    (triggered,) = requests(peer.check(source=ELSEWHERE))
    assert triggered.destination == ELSEWHERE
    peer.answer(triggered)
    (confirmed,) = [event for event in peer.events() if isinstance(event, PathConfirmed)]
    assert confirmed.path.kind is CandidateType.PEER_REFLEXIVE
    assert confirmed.path.remote == ELSEWHERE


def test_a_check_triggers_a_new_one_at_once_and_the_answer_to_the_old_one_still_counts() -> None:
    peer = ScriptedPeer(make_agent())
    (old,) = peer.start()
    (new,) = requests(peer.check())
    assert decode(new).transaction_id != decode(old).transaction_id
    peer.answer(old)
    assert peer.agent.state is AgentState.CONFIRMED


def test_a_response_from_another_address_makes_no_path() -> None:
    # RFC 8445 section 7.2.5.2.1: a pair is valid only if the answer came the way that the check went.
    peer = ScriptedPeer(make_agent())
    (check,) = peer.start()
    peer.answer(check, source=ELSEWHERE)
    assert peer.agent.state is AgentState.CHECKING
    assert peer.agent.path is None


def test_a_response_at_another_base_makes_no_path() -> None:
    other = TransportAddress(BASE.ip, 4001)
    peer = ScriptedPeer(make_agent(bases=(BASE, other)))
    check = next(one for one in peer.start() if one.base == BASE)
    data = build_success(decode(check), BASE, local=THEIRS)
    peer.deliver(data, source=PEER, base=other)
    assert peer.agent.state is AgentState.CHECKING


def test_a_response_with_the_wrong_key_is_discarded_and_the_right_one_still_counts() -> None:
    peer = ScriptedPeer(make_agent())
    (check,) = peer.start()
    peer.answer(check, key=OURS)
    assert peer.agent.path is None
    assert peer.agent.counters.discarded == 1
    peer.answer(check)
    assert peer.agent.state is AgentState.CONFIRMED


def test_a_response_is_taken_once() -> None:
    peer = ScriptedPeer(make_agent())
    (check,) = peer.start()
    peer.answer(check)
    peer.answer(check)
    assert peer.agent.counters.discarded == 1
    assert len([event for event in peer.events() if isinstance(event, PathConfirmed)]) == 1


def test_a_success_without_an_address_makes_no_path() -> None:
    peer = ScriptedPeer(make_agent())
    (check,) = peer.start()
    bare = stun.Message(
        method=stun.Method.BINDING,
        message_class=stun.MessageClass.SUCCESS_RESPONSE,
        transaction_id=decode(check).transaction_id,
    )
    peer.deliver(bare.encode(key=THEIRS.key))
    assert peer.agent.state is AgentState.CHECKING


def test_every_truncation_of_a_check_and_of_a_response_is_survived() -> None:
    peer = ScriptedPeer(make_agent())
    (check,) = peer.start()
    answer = build_success(decode(check), BASE, local=THEIRS)
    for data in (check.data, answer):
        for length in range(len(data)):
            assert peer.deliver(data[:length]) == []
    assert peer.agent.state is AgentState.CHECKING


@pytest.mark.parametrize("method", [stun.Method.ALLOCATE, stun.Method.REFRESH])
def test_another_method_is_discarded(method: stun.Method) -> None:
    peer = ScriptedPeer(make_agent())
    peer.start()
    message = stun.Message(
        method=method, message_class=stun.MessageClass.REQUEST, transaction_id=stun.TransactionId(bytes(12))
    )
    assert peer.deliver(message.encode(key=OURS.key)) == []
    assert peer.agent.counters.discarded == 1


def test_a_binding_indication_is_a_keepalive_and_nothing_more() -> None:
    peer = ScriptedPeer(make_agent())
    peer.start()
    message = stun.Message(
        method=stun.Method.BINDING,
        message_class=stun.MessageClass.INDICATION,
        transaction_id=stun.TransactionId(bytes(12)),
    )
    assert peer.deliver(message.encode()) == []
    assert peer.agent.counters.discarded == 0


def test_peer_reflexive_candidates_are_bounded_and_the_one_over_is_answered_but_not_checked() -> None:
    peer = ScriptedPeer(make_agent())
    peer.start()
    checked = [
        len(requests(peer.check(source=source))) for source in addresses(CONFIG.max_peer_reflexive + 1)
    ]
    assert checked == [1] * CONFIG.max_peer_reflexive + [0]
    assert len(responses(peer.check(source=ELSEWHERE))) == 1


def test_pairs_are_bounded() -> None:
    peer = ScriptedPeer(make_agent(config=replace(CONFIG, max_pairs=3, initial_burst=100)))
    assert len(peer.start(*addresses(4))) == 3
    assert len(requests(peer.check(source=PEER))) == 0


def test_a_peer_that_checks_and_never_answers_cannot_make_us_check_without_end() -> None:
    peer = ScriptedPeer(make_agent())
    peer.start()
    sent = sum(len(requests(peer.check())) for _ in range(1000))
    assert sent == MAX_TRIGGERS


def test_a_peer_whose_answers_come_from_elsewhere_cannot_make_us_check_without_end() -> None:
    peer = ScriptedPeer(make_agent())
    peer.start()
    sent = 0
    for _ in range(1000):
        for check in requests(peer.check()):
            sent += 1
            peer.answer(check, source=ELSEWHERE)
    assert sent == MAX_TRIGGERS


def test_outstanding_checks_are_forgotten_oldest_first() -> None:
    peer = ScriptedPeer(make_agent(config=replace(CONFIG, max_pairs=100, max_peer_reflexive=100)))
    (first,) = peer.start()
    for source in addresses(100):
        for _ in range(MAX_TRIGGERS):
            peer.check(source=source)
    assert not peer.agent.is_awaiting(decode(first).transaction_id)


def test_candidates_that_cannot_be_reached_from_the_base_are_not_checked() -> None:
    peer = ScriptedPeer(make_agent())
    unreachable = [
        TransportAddress.parse(text)
        for text in ("127.0.0.1:5000", "[::1]:5000", "[2001:db8::1]:5000", "169.254.1.1:5000", str(BASE))
    ]
    assert peer.start(*unreachable) == []


def test_the_same_candidate_twice_is_checked_once() -> None:
    peer = ScriptedPeer(make_agent())
    peer.agent.start([remote(PEER), remote(PEER, CandidateType.SERVER_REFLEXIVE)], 0.0)
    assert len(peer.agent.datagrams_to_send()) == 1


def test_each_repetition_of_a_check_is_told_and_no_triggered_one() -> None:
    peer = ScriptedPeer(make_agent())
    peer.start()
    repeated = len(peer.run_until(3.0))
    peer.check()
    opened = [event for event in peer.events() if isinstance(event, CheckStarted)]
    assert opened == [CheckStarted(base=BASE, destination=PEER)] * (1 + repeated)


def test_the_error_response_to_a_consent_check_renews_nothing() -> None:
    peer = ScriptedPeer(make_agent(is_controlling=False))
    (check,) = peer.start()
    peer.answer(check)
    for _ in range(20):
        due = peer.agent.get_timer()
        if due is None:
            break
        for consent in peer.at(due):
            peer.reject(consent, code=500)
    assert peer.now == CONFIG.consent_timeout
    assert peer.agent.state is AgentState.FAILED


def test_a_consent_response_from_another_address_renews_nothing() -> None:
    peer = ScriptedPeer(make_agent(is_controlling=False))
    (check,) = peer.start()
    peer.answer(check)
    for _ in range(20):
        due = peer.agent.get_timer()
        if due is None:
            break
        for consent in peer.at(due):
            peer.answer(consent, source=ELSEWHERE)
    assert peer.agent.state is AgentState.FAILED


def test_a_trace_replayed_gives_the_same_output() -> None:
    def play() -> list[bytes]:
        peer = ScriptedPeer(make_agent())
        (check,) = peer.start()
        sent = [check, *peer.check(), *peer.run_until(0.2), *peer.answer(check), *peer.run_until(20.0)]
        return [one.data for one in sent]

    assert play() == play()
