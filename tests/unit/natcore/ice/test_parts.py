"""The small parts of ICE: candidates, credentials, pairs, the check list, consent."""

from __future__ import annotations

import random
from dataclasses import replace
from ipaddress import IPv4Address
from itertools import product

import pytest

from natcore.address import TransportAddress
from natcore.control.messages import WireCandidate
from natcore.errors import DecodeError, MisuseError
from natcore.ice import Candidate, CandidateType, Credentials, LocalCandidate, priority_of
from natcore.ice.checklist import MAX_TRIGGERS, CheckList, can_pair
from natcore.ice.config import IceConfig
from natcore.ice.consent import Consent
from natcore.ice.pair import CandidatePair, PairState
from natcore.stun import Message, MessageClass, Method, TransactionId
from tests.unit.natcore.ice.scripted_peer import BASE, ELSEWHERE, PEER, host, remote

# --- candidates ---------------------------------------------------------------------------------------------


def test_priorities_are_those_of_rfc_8445() -> None:
    # Section 5.1.2.1: 2^24 x type preference + 2^8 x local preference + 256 - component.
    assert priority_of(CandidateType.HOST) == 126 * 2**24 + 65535 * 2**8 + 255 == 2130706431
    assert priority_of(CandidateType.SERVER_REFLEXIVE) == 1694498815
    assert priority_of(CandidateType.RELAYED, local_preference=0) == 255


def test_a_candidate_survives_the_wire_without_its_base() -> None:
    own = LocalCandidate.of(CandidateType.SERVER_REFLEXIVE, ELSEWHERE, base=BASE, local_preference=7)
    wire = own.to_wire()
    assert str(BASE) not in str(wire)
    there = Candidate.from_wire(wire)
    assert (there.type, there.address, there.priority, there.foundation) == (
        own.type,
        own.address,
        own.priority,
        own.foundation,
    )
    assert own.local_preference == 7


def test_foundations_tell_types_and_addresses_apart_and_nothing_else() -> None:
    same = {host(TransportAddress(BASE.ip, port)).foundation for port in (1, 2)}
    assert len(same) == 1
    kinds = {LocalCandidate.of(kind, BASE, base=BASE).foundation for kind in CandidateType}
    assert len(kinds) == len(CandidateType)
    assert host(BASE).foundation != host(PEER).foundation


@pytest.mark.parametrize("address", ["", "host.example:1", "192.0.2.1", "192.0.2.1:65536", "192.0.2.1:-1"])
def test_a_candidate_without_an_address_does_not_decode(address: str) -> None:
    with pytest.raises(DecodeError):
        Candidate.from_wire(WireCandidate(type="host", address=address, priority=1, foundation="a"))


# --- credentials --------------------------------------------------------------------------------------------


def test_both_sides_derive_the_same_session_credentials_and_each_session_has_its_own() -> None:
    published = Credentials.generate(random.Random(1).randbytes)
    one, same, other = (published.for_session(name) for name in ("aaaa", "aaaa", "bbbb"))
    assert one == same
    assert one.ufrag == published.ufrag + "aaaa"
    assert len({published.pwd, one.pwd, other.pwd}) == 3


def test_credentials_are_long_enough_and_do_not_show_their_password() -> None:
    credentials = Credentials.generate(random.Random(1).randbytes)
    assert len(credentials.ufrag) >= 4
    assert len(credentials.pwd) >= 22
    assert credentials.pwd not in repr(credentials)


# --- pairs --------------------------------------------------------------------------------------------------


def test_a_pair_has_the_same_priority_on_both_sides() -> None:
    ours, theirs = host(BASE), LocalCandidate.of(CandidateType.SERVER_REFLEXIVE, PEER, base=PEER)
    for ours_controls in (True, False):
        here = CandidatePair(ours, theirs).priority(is_controlling=ours_controls)
        there = CandidatePair(theirs, ours).priority(is_controlling=not ours_controls)
        assert here == there


def test_the_legal_moves_of_a_pair_are_these() -> None:
    legal = {
        ("waiting", "in progress"),
        ("waiting", "failed"),
        ("in progress", "waiting"),
        ("in progress", "succeeded"),
        ("in progress", "failed"),
        ("failed", "waiting"),
        ("failed", "succeeded"),
        ("succeeded", "failed"),
    }
    for before, after in product(PairState, repeat=2):
        pair = CandidatePair(host(BASE), remote(PEER))
        pair.state = before
        if (before.value, after.value) in legal:
            pair.move_to(after)
        else:
            with pytest.raises(MisuseError, match=f"no move from {before.value} to {after.value}"):
                pair.move_to(after)
            assert pair.state is before


# --- the check list -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "destination", "expected"),
    [
        ("192.0.2.1:1", "198.51.100.1:1", True),
        ("192.0.2.1:1", "192.0.2.1:2", True),
        ("192.0.2.1:1", "192.0.2.1:1", False),
        ("192.0.2.1:1", "127.0.0.1:1", False),
        ("127.0.0.1:1", "192.0.2.1:1", False),
        ("127.0.0.1:1", "127.0.0.1:2", True),
        ("192.0.2.1:1", "[2001:db8::1]:1", False),
        ("[2001:db8::2]:1", "[2001:db8::1]:1", True),
        ("[fe80::1]:1", "[fe80::2]:1", True),
        ("[fe80::1]:1", "[2001:db8::1]:1", False),
    ],
)
def test_what_can_be_paired(base: str, destination: str, expected: bool) -> None:
    assert can_pair(TransportAddress.parse(base), TransportAddress.parse(destination)) is expected


def test_a_pair_that_is_the_same_on_the_wire_is_there_once() -> None:
    checklist = CheckList(max_pairs=10)
    reflexive = LocalCandidate.of(CandidateType.SERVER_REFLEXIVE, ELSEWHERE, base=BASE)
    first = checklist.add(host(BASE), remote(PEER))
    assert checklist.add(reflexive, remote(PEER)) is first
    assert len(checklist) == 1


def test_the_check_list_is_full_at_its_limit_and_counts_what_it_drops() -> None:
    checklist = CheckList(max_pairs=2)
    for port in (1, 2):
        assert checklist.add(host(BASE), remote(TransportAddress(PEER.ip, port))) is not None
    assert checklist.add(host(BASE), remote(TransportAddress(PEER.ip, 3))) is None
    assert checklist.add(host(BASE), remote(TransportAddress(PEER.ip, 1))) is not None, "it is there already"
    assert (len(checklist), checklist.dropped_pairs) == (2, 1)


def test_a_triggered_pair_waits_in_a_queue_of_its_own_and_once() -> None:
    checklist = CheckList(max_pairs=10)
    better = checklist.add(host(BASE), remote(PEER))
    worse = checklist.add(host(BASE), remote(ELSEWHERE, CandidateType.SERVER_REFLEXIVE))
    assert better is not None
    assert worse is not None
    assert checklist.trigger(worse)
    assert checklist.trigger(worse)
    assert worse.triggers == 1
    assert checklist.next_triggered() is worse
    assert checklist.next_triggered() is None
    worse.move_to(PairState.IN_PROGRESS)
    assert checklist.next_ordinary(lambda base: True) is better
    better.move_to(PairState.IN_PROGRESS)
    assert checklist.next_ordinary(lambda base: True) is None


def test_a_pair_is_triggered_so_often_and_no_more() -> None:
    checklist = CheckList(max_pairs=1)
    pair = checklist.add(host(BASE), remote(PEER))
    assert pair is not None
    for _ in range(MAX_TRIGGERS):
        assert checklist.trigger(pair)
        assert checklist.next_triggered() is pair
        pair.move_to(PairState.IN_PROGRESS)
    assert not checklist.trigger(pair)
    assert pair.state is PairState.IN_PROGRESS


def test_the_types_of_the_peer_s_candidates_take_turns_the_best_of_each_first() -> None:
    checklist = CheckList(max_pairs=10)
    hosts = [
        replace(remote(TransportAddress(PEER.ip, port)), priority=2_000_000_000 + port) for port in (1, 2, 3)
    ]
    reflexive = remote(ELSEWHERE, CandidateType.SERVER_REFLEXIVE)
    for one in (*hosts, reflexive):
        checklist.pair_with([host(BASE)], one)
    order = []
    while (pair := checklist.next_ordinary(lambda base: base == BASE)) is not None:
        pair.move_to(PairState.IN_PROGRESS)
        order.append(pair.remote)
    assert order == [hosts[2], reflexive, hosts[1], hosts[0]]


def test_a_socket_whose_turn_has_not_come_has_no_ordinary_check() -> None:
    checklist = CheckList(max_pairs=10)
    checklist.pair_with([host(BASE)], remote(PEER))
    assert checklist.next_ordinary(lambda base: base != BASE) is None


# --- consent ------------------------------------------------------------------------------------------------

WAY = (BASE, PEER)
CONFIG = IceConfig()


def response(number: int, message_class: MessageClass = MessageClass.SUCCESS_RESPONSE) -> Message:
    return Message(
        method=Method.BINDING,
        message_class=message_class,
        transaction_id=TransactionId(number.to_bytes(12, "big")),
    )


def make_consent() -> Consent:
    consent = Consent(CONFIG, random.Random(1).randbytes)
    consent.follow(WAY, 0.0)
    return consent


@pytest.mark.parametrize(("draw", "expected"), [(b"\0\0", 3.2), (b"\xff\xff", 4.8)])
def test_consent_checks_are_spread_by_a_fifth_of_4_s(draw: bytes, expected: float) -> None:
    consent = Consent(CONFIG, lambda length: draw)
    consent.follow(WAY, 100.0)
    assert consent.get_timer() == pytest.approx(100.0 + expected)
    assert not consent.is_check_due(99.9 + expected)
    assert consent.is_check_due(100.1 + expected)


def test_consent_expires_at_its_instant_and_not_before() -> None:
    consent = make_consent()
    assert not consent.is_expired(29.999)
    assert consent.is_expired(30.0)


def test_an_answer_to_an_older_check_renews_too_and_each_answer_counts_once() -> None:
    consent = make_consent()
    consent.sent(response(1).transaction_id, 5.0)
    consent.sent(response(2).transaction_id, 10.0)
    assert consent.receive_response(response(1), WAY, 10.1) == pytest.approx(5.1)
    assert consent.expires_at == pytest.approx(40.1)
    assert not consent.is_awaiting(response(1).transaction_id)
    assert consent.is_awaiting(response(2).transaction_id)


def test_consent_remembers_a_bounded_number_of_checks() -> None:
    consent = make_consent()
    for number in range(17):
        consent.sent(response(number).transaction_id, float(number))
    assert not consent.is_awaiting(response(0).transaction_id)
    assert consent.is_awaiting(response(1).transaction_id)


@pytest.mark.parametrize(
    ("answer", "way"),
    [
        (response(1, MessageClass.ERROR_RESPONSE), WAY),
        (response(1), (BASE, ELSEWHERE)),
        (response(1), (TransportAddress(IPv4Address("192.0.2.9"), 4000), PEER)),
    ],
    ids=["an error", "from elsewhere", "at another base"],
)
def test_what_is_no_success_on_the_same_way_renews_nothing(
    answer: Message, way: tuple[TransportAddress, TransportAddress]
) -> None:
    consent = make_consent()
    consent.sent(answer.transaction_id, 5.0)
    assert consent.receive_response(answer, way, 5.1) is None
    assert consent.expires_at == 30.0
