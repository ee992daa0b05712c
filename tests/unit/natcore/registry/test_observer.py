from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from natcore.address import TransportAddress
from natcore.control.messages import Change
from natcore.stun import (
    AwakeSequence,
    ErrorCode,
    IntegrityAlgorithm,
    Message,
    MessageClass,
    Method,
    Padding,
    ResponsePort,
    Software,
    TransactionId,
    UnknownAttribute,
    Username,
    XorMappedAddress,
)
from tests.unit.natcore.registry.conversation import ELSEWHERE, HOME, Conversation, publication

T = TransactionId(b"transaction!")
Damage = Callable[[bytes], bytes]


def binding_request(*attributes: Software | Username) -> bytes:
    message = Message(
        method=Method.BINDING, message_class=MessageClass.REQUEST, transaction_id=T, attributes=attributes
    )
    return message.encode()


@pytest.mark.parametrize("algorithm", list(IntegrityAlgorithm))
def test_an_awake_request_is_answered_with_its_source_and_signed_as_it_was(
    algorithm: IntegrityAlgorithm,
) -> None:
    talk = Conversation()
    registered = talk.session(talk.register("elsa"))
    answer = talk.datagram(talk.awake_request(registered, 1, algorithm=algorithm), HOME)
    assert answer is not None
    assert answer.message_class is MessageClass.SUCCESS_RESPONSE
    assert answer.get(XorMappedAddress) == XorMappedAddress(HOME)
    assert answer.is_authentic(registered.key.encode())
    assert answer.integrity is not None
    assert answer.integrity.algorithm is algorithm


def test_waking_is_reported_and_announced_to_the_others_only() -> None:
    talk = Conversation()
    elsa, anna = talk.register("elsa"), talk.register("anna")
    talk.say(elsa, publication("192.168.1.10:40001"))
    talk.advance(1)
    talk.awake(elsa, 1, TransportAddress.parse("203.0.113.7:40001"))
    assert talk.reports[-1] == "elsa Awake 203.0.113.7:40001"
    assert talk.news(anna)[-1] == ("elsa", Change.AWAKE)
    assert ("elsa", Change.AWAKE) not in talk.news(elsa)


def test_who_is_observed_before_its_publication_arrives_is_announced_when_it_can_be_called() -> None:
    talk = Conversation()
    elsa, anna = talk.register("elsa"), talk.register("anna")
    talk.awake(elsa, 1)
    talk.advance(1)
    assert ("elsa", Change.AWAKE) not in talk.news(anna)
    talk.say(elsa, publication("192.168.1.10:40001"))
    talk.say(elsa, publication("192.168.1.10:40001"))
    talk.advance(1)
    assert talk.news(anna).count(("elsa", Change.AWAKE)) == 1


def test_an_ipv6_client_is_reported_with_brackets() -> None:
    talk = Conversation()
    talk.awake(talk.register("elsa"), 1, TransportAddress.parse("[2001:db8::7]:40001"))
    assert talk.reports[-1] == "elsa Awake [2001:db8::7]:40001"


def test_waking_again_at_the_same_address_is_no_news() -> None:
    talk = Conversation()
    elsa = talk.register("elsa")
    talk.awake(elsa, 1)
    talk.awake(elsa, 2)
    assert talk.reports == ["elsa Asleep", f"elsa Awake {HOME}"]
    assert len(talk.answers) == 2


def test_a_changed_address_is_reported_and_announced_as_moved() -> None:
    talk = Conversation()
    elsa, anna = talk.reachable("elsa"), talk.register("anna")
    talk.awake(elsa, 2, ELSEWHERE)
    talk.advance(1)
    assert talk.reports[-1] == f"elsa Awake {ELSEWHERE}"
    assert talk.news(anna)[-1] == ("elsa", Change.MOVED)


def test_a_retransmission_is_answered_again_and_changes_nothing() -> None:
    talk = Conversation()
    elsa = talk.register("elsa")
    data = talk.awake(elsa, 7)
    assert talk.datagram(data) is not None
    assert talk.answers[0].data == talk.answers[1].data
    assert (talk.registry.counters.awakes, talk.registry.counters.retransmissions) == (1, 1)


def test_a_replay_from_elsewhere_moves_nobody_and_is_not_answered() -> None:
    talk = Conversation()
    data = talk.awake(talk.register("elsa"), 7, HOME)
    assert talk.datagram(data, ELSEWHERE) is None
    assert talk.registry.counters.replayed_awakes == 1
    assert talk.reports[-1] == f"elsa Awake {HOME}"


@pytest.mark.parametrize("sequence", [0, 6, 7])
def test_a_number_that_is_not_above_the_last_is_a_replay(sequence: int) -> None:
    talk = Conversation()
    elsa = talk.register("elsa")
    talk.awake(elsa, 7)
    assert talk.datagram(talk.awake_request(talk.session(elsa), sequence)) is None
    assert talk.registry.counters.replayed_awakes == 1


def test_an_old_request_of_the_client_is_a_replay_after_it_moved() -> None:
    talk = Conversation()
    elsa = talk.register("elsa")
    old = talk.awake(elsa, 1, HOME)
    talk.awake(elsa, 2, ELSEWHERE)
    assert talk.datagram(old, HOME) is None
    assert talk.reports[-1] == f"elsa Awake {ELSEWHERE}"


def test_an_awake_for_another_clients_session_is_refused() -> None:
    talk = Conversation()
    elsa, anna = talk.register("elsa"), talk.register("anna")
    forged = talk.awake_request(talk.session(elsa), 1, key=talk.session(anna).key)
    answer = talk.datagram(forged, ELSEWHERE)
    assert answer is not None
    error = answer.get(ErrorCode)
    assert error is not None
    assert error.code == 401
    assert talk.registry.counters.forged_awakes == 1
    assert all("Awake" not in line for line in talk.reports)


def test_an_unknown_session_and_a_wrong_key_are_told_apart_by_nobody_outside() -> None:
    talk = Conversation()
    registered = talk.session(talk.register("elsa"))
    wrong_key = talk.awake_request(registered, 1, key="x" * 32, transaction=T)
    unknown = talk.awake_request(replace(registered, session="A" * 16), 1, transaction=T)
    assert talk.datagram(wrong_key) is not None
    assert talk.datagram(unknown) is not None
    assert talk.answers[0].data == talk.answers[1].data
    counters = talk.registry.counters
    assert (counters.forged_awakes, counters.unknown_sessions) == (1, 1)


def test_no_error_is_larger_than_what_it_answers() -> None:
    talk = Conversation()
    registered = talk.session(talk.register("elsa"))
    for request in (
        binding_request(Username(registered.session)),
        binding_request(Username("A")),
        binding_request(Username("A" * 200)),
    ):
        answer = talk.datagram(request)
        assert answer is None or len(answer.raw) <= len(request)


def test_an_awake_without_a_sequence_number_is_a_bad_request() -> None:
    talk = Conversation()
    registered = talk.session(talk.register("elsa"))
    answer = talk.datagram(talk.awake_request(registered, None))
    assert answer is not None
    assert answer.get(ErrorCode) == ErrorCode(400, "Bad Request")
    assert talk.reports == ["elsa Asleep"]


@pytest.mark.parametrize("attribute", [UnknownAttribute(0x7FFF, b""), ResponsePort(4000), Padding(64)])
def test_an_awake_with_an_attribute_that_we_must_obey_gets_a_420_and_wakes_nobody(
    attribute: UnknownAttribute | ResponsePort | Padding,
) -> None:
    talk = Conversation()
    registered = talk.session(talk.register("elsa"))
    request = Message(
        method=Method.BINDING,
        message_class=MessageClass.REQUEST,
        transaction_id=T,
        attributes=(Username(registered.session), AwakeSequence(1), attribute),
    )
    answer = talk.datagram(request.encode(key=registered.key.encode()))
    assert answer is not None
    error = answer.get(ErrorCode)
    assert error is not None
    assert error.code == 420
    assert talk.reports == ["elsa Asleep"]


def test_a_plain_binding_request_is_answered_as_any_stun_server_would() -> None:
    talk = Conversation()
    answer = talk.datagram(binding_request(Software("a stranger")), ELSEWHERE)
    assert answer is not None
    assert answer.get(XorMappedAddress) == XorMappedAddress(ELSEWHERE)
    assert not answer.has_integrity
    assert talk.registry.counters.bindings == 1


def test_every_truncation_of_an_awake_request_is_dropped() -> None:
    talk = Conversation()
    data = talk.awake_request(talk.session(talk.register("elsa")))
    for length in range(len(data)):
        assert talk.datagram(data[:length]) is None
    assert talk.registry.counters.undecodable_datagrams == len(data)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data + b"\0",
        lambda data: data + bytes(4),
        lambda data: data + bytes(3000),
        lambda data: data[:4] + b"\x21\x12\xa4\x43" + data[8:],
        lambda data: b"\xff" + data[1:],
    ],
    ids=["one byte too many", "four too many", "oversized", "wrong cookie", "not STUN"],
)
def test_a_damaged_awake_request_is_dropped(damage: Damage) -> None:
    talk = Conversation()
    data = talk.awake_request(talk.session(talk.register("elsa")))
    assert talk.datagram(damage(data)) is None
    assert talk.registry.counters.undecodable_datagrams == 1


def test_one_flipped_bit_anywhere_never_wakes_anybody() -> None:
    talk = Conversation()
    data = talk.awake_request(talk.session(talk.register("elsa")))
    for bit in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        talk.datagram(bytes(flipped), ELSEWHERE)
    assert talk.reports == ["elsa Asleep"]
    assert talk.registry.counters.awakes == 0


@pytest.mark.parametrize(
    "message_class", [MessageClass.INDICATION, MessageClass.SUCCESS_RESPONSE, MessageClass.ERROR_RESPONSE]
)
def test_responses_and_indications_are_counted_and_dropped(message_class: MessageClass) -> None:
    talk = Conversation()
    message = Message(method=Method.BINDING, message_class=message_class, transaction_id=T)
    assert talk.datagram(message.encode()) is None
    assert talk.registry.counters.unexpected_datagrams == 1


def test_nobody_is_at_port_zero() -> None:
    talk = Conversation()
    data = talk.awake_request(talk.session(talk.register("elsa")))
    assert talk.datagram(data, TransportAddress.parse("198.51.100.7:0")) is None
    assert talk.reports == ["elsa Asleep"]


def test_a_flood_of_unknown_sources_leaves_memory_flat() -> None:
    talk = Conversation()
    registered = talk.session(talk.register("elsa"))
    kinds = [
        os.urandom(40),
        binding_request(),
        talk.awake_request(registered, 1, key="x" * 32),
        talk.awake_request(replace(registered, session="A" * 16), 1),
    ]

    def flood(count: int) -> None:
        for number in range(count):
            source = TransportAddress.parse(f"198.51.{number >> 8 & 255}.{number & 255}:{1024 + number}")
            talk.registry.receive_datagram(kinds[number % 4], source, HOME, talk.now)
            while talk.registry.next_command() is not None:
                pass

    flood(400)  # caches fill
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        flood(10_000)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 16 * 1024, f"10,000 datagrams left {grown} bytes behind"
