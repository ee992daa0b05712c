from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from natcore.address import TransportAddress
from natcore.registry import Counters, LinkOptions, Offer, RegistryConfig
from natcore.registry.reflection import Answer, Arrival, Reflector
from natcore.registry.reflection.link import ALIVE_INTERVAL, MAX_ORDERED_SIZE, SILENCE_TIMEOUT, Link
from natcore.stun import (
    AlternatePort,
    Attribute,
    ChangeRequest,
    ClassicRequest,
    Data,
    IntegrityAlgorithm,
    Message,
    MessageClass,
    Method,
    OtherAddress,
    ReceivedMessage,
    ServerLink,
    TransactionId,
    UnknownAttributes,
    XorPeerAddress,
)
from tests.unit.natcore.registry.reflection.world import A1, A2, B1, B2, CLIENT, at, classic, request, said

KEY = b"twenty-two characters!"
BOTH = ChangeRequest(change_ip=True, change_port=True)


def randomness(seed: int) -> Callable[[int], bytes]:
    numbers = itertools.count(seed)
    return lambda length: next(numbers).to_bytes(length, "big")


def options(
    local: TransportAddress,
    remote: TransportAddress,
    *,
    first: int = 1000,
    second: int = 10081,
) -> LinkOptions:
    return LinkOptions(local=local, remote=remote, alternate_port=second, key=KEY, first_sequence=first)


def reflector(
    local: TransportAddress, remote: TransportAddress, seed: int, first: int = 1000, second: int = 10081
) -> Reflector:
    offer = Offer(port=10080, alternate_port=second)
    link = options(local, remote, first=first, second=second)
    return Reflector(offer, RegistryConfig(), Counters(), link, randomness(seed))


class Pair:
    """Two servers and the way between them; what one sends arrives at once, or is kept."""

    def __init__(self, *, second_port_of_b: int = 10081) -> None:
        self.now = 100.0
        self.a = reflector(A1, B1, 1000)
        self.b = reflector(B1, A1, 5000, second=second_port_of_b)
        self.recorded: list[Answer] = []
        self.is_cut = False

    def deliver(self, sent: Answer | None) -> Answer | None:
        """Carries a message, and what answers it, until one is for a client or none is left."""
        for _ in range(10):
            if sent is None or sent.destination not in (A1, B1) or self.is_cut:
                return sent
            self.recorded.append(sent)
            to = self.a if sent.destination == A1 else self.b
            arrival = Arrival(source=sent.origin, local=sent.destination)
            sent = to.receive_link(Message.decode(sent.data), arrival, self.now)
        raise AssertionError("the two never come to rest")

    def tick(self, *servers: Reflector) -> None:
        for server in servers or (self.a, self.b):
            self.deliver(server.handle_timer(self.now))

    def advance(self, seconds: float, *servers: Reflector) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + ALIVE_INTERVAL)
            self.tick(*servers)

    def is_up(self, server: Reflector) -> bool:
        here = A1 if server is self.a else B1
        return said(server.answer(request(), at(here), self.now)).get(OtherAddress) is not None


def test_two_servers_find_each_other_with_their_first_messages() -> None:
    pair = Pair()
    assert not pair.is_up(pair.a)
    pair.tick()
    assert pair.is_up(pair.a)
    assert pair.is_up(pair.b)
    assert pair.a.news(pair.now) == "behaviour discovery: full, together with the server at 198.51.100.20"
    assert pair.a.news(pair.now) is None


def test_an_alive_message_is_not_due_before_its_time_and_due_at_it() -> None:
    link = Link(options(A1, B1), randomness(1))
    assert link.handle_timer(50.0) is not None
    assert link.get_timer() == 50.0 + ALIVE_INTERVAL
    assert link.handle_timer(50.0 + ALIVE_INTERVAL - 0.1) is None
    assert link.handle_timer(50.0 + ALIVE_INTERVAL) is not None


def test_the_other_server_answers_from_the_endpoint_that_was_asked_for() -> None:
    pair = Pair()
    pair.tick()
    for change, origin in ((BOTH, B2), (ChangeRequest(change_ip=True), B1)):
        order = pair.a.answer(request(change), at(A1), pair.now)
        assert (order.origin, order.destination) == (A1, B1)
        answer = pair.deliver(order)
        assert answer is not None
        assert (answer.origin, answer.destination) == (origin, CLIENT)
        assert said(answer).transaction_id == b"transaction!"
    assert pair.a.answer(request(ChangeRequest(change_port=True)), at(A1), pair.now).origin == A2


def test_a_classic_client_is_answered_by_the_other_server_too() -> None:
    pair = Pair()
    pair.tick()
    asked = ClassicRequest.decode(classic(6))
    assert asked is not None
    answer = pair.deliver(pair.a.answer_classic(asked, at(A1), pair.now))
    assert answer is not None
    assert (answer.origin, answer.destination) == (B2, CLIENT)


def test_both_addresses_of_the_pair_name_the_opposite_endpoint() -> None:
    pair = Pair()
    pair.tick()
    assert said(pair.a.answer(request(), at(A1), pair.now)).get(OtherAddress) == OtherAddress(B2)
    assert said(pair.b.answer(request(), at(B1), pair.now)).get(OtherAddress) == OtherAddress(A2)


def test_a_server_that_is_not_heard_is_not_offered() -> None:
    pair = Pair()
    pair.tick()
    assert pair.a.news(pair.now) is not None
    heard_at = pair.now
    pair.is_cut = True
    pair.now = heard_at + SILENCE_TIMEOUT - 0.1
    assert pair.is_up(pair.a)
    pair.now = heard_at + SILENCE_TIMEOUT
    assert not pair.is_up(pair.a)
    refused = pair.a.answer(request(BOTH), at(A1), pair.now)
    assert said(refused).get(UnknownAttributes) is not None
    assert pair.a.news(pair.now) == (
        "behaviour discovery: filtering by port only, the server at 198.51.100.20 is not heard"
    )
    pair.is_cut = False
    pair.advance(2 * ALIVE_INTERVAL)
    assert pair.is_up(pair.a)


def test_a_server_that_is_heard_and_does_not_hear_us_is_not_offered() -> None:
    pair = Pair()
    pair.tick()
    pair.advance(2 * SILENCE_TIMEOUT, pair.b)  # nothing of A's arrives: it does not speak
    assert not pair.is_up(pair.a)


def test_a_server_with_another_second_port_is_not_offered() -> None:
    pair = Pair(second_port_of_b=10082)
    pair.tick()
    pair.advance(10)
    assert not pair.is_up(pair.a)
    assert not pair.is_up(pair.b)


def test_a_server_that_starts_anew_is_found_again() -> None:
    pair = Pair()
    pair.tick()
    pair.b = reflector(B1, A1, 9000, first=1_000_000)
    pair.advance(SILENCE_TIMEOUT + 2 * ALIVE_INTERVAL)
    assert pair.is_up(pair.a)
    assert pair.is_up(pair.b)


def test_a_copy_has_no_effect() -> None:
    pair = Pair()
    pair.tick()
    order = pair.a.answer(request(BOTH), at(A1), pair.now)
    assert pair.deliver(order) is not None
    assert pair.deliver(order) is None
    counters = pair.b._counters
    assert counters.replayed_link_messages == 1


def test_an_order_to_an_earlier_start_has_no_effect() -> None:
    pair = Pair()
    pair.tick()
    order = pair.a.answer(request(BOTH), at(A1), pair.now)
    pair.b = reflector(B1, A1, 9000, first=1_000_000)
    arrival = Arrival(source=A1, local=B1)
    heard = pair.b.receive_link(Message.decode(order.data), arrival, pair.now)
    assert heard is not None
    assert heard.destination == A1, "it is greeted, and nothing goes to a client"


def test_records_of_the_past_do_not_break_a_link_that_is_up() -> None:
    pair = Pair()
    pair.tick()
    old = list(pair.recorded)
    pair.b = reflector(B1, A1, 9000, first=1_000_000)
    pair.advance(SILENCE_TIMEOUT + 2 * ALIVE_INTERVAL)
    for record in old:
        pair.deliver(record)
    assert pair.is_up(pair.a)
    assert pair.is_up(pair.b)


def test_our_own_message_thrown_back_is_forged() -> None:
    link = Link(options(A1, B1), randomness(1))
    own = link.handle_timer(1.0)
    assert own is not None
    heard = link.receive(Message.decode(own.data), Arrival(source=B1, local=A1), 1.0)
    assert not heard.is_authentic


FRESH = ServerLink(sequence=5000, sender=7, receiver=1)


def message(
    *attributes: Attribute,
    link: ServerLink | None = FRESH,
    key: bytes | None = KEY,
    algorithm: IntegrityAlgorithm = IntegrityAlgorithm.SHA256,
) -> ReceivedMessage:
    said_by = () if link is None else (link,)
    built = Message(
        method=Method.SERVER_LINK,
        message_class=MessageClass.INDICATION,
        transaction_id=TransactionId(bytes(12)),
        attributes=(*said_by, *attributes),
    )
    return Message.decode(built.encode(key=key, algorithm=algorithm))


ORDER = (AlternatePort(10081), XorPeerAddress(CLIENT), Data(b"answer"))


@pytest.mark.parametrize(
    ("forged", "source"),
    [
        (message(*ORDER, key=None), B1),
        (message(*ORDER, key=b"another key, as long!!"), B1),
        (message(*ORDER, algorithm=IntegrityAlgorithm.SHA1), B1),
        (message(*ORDER, link=None), B1),
        (message(*ORDER), B2),
        (message(*ORDER), CLIENT),
    ],
    ids=["unsigned", "another key", "SHA-1", "no number", "another port", "another host"],
)
def test_what_is_not_the_other_servers_is_dropped(forged: ReceivedMessage, source: TransportAddress) -> None:
    heard = Link(options(A1, B1), randomness(1)).receive(forged, Arrival(source=source, local=A1), 1.0)
    assert not heard.is_authentic
    assert (heard.order, heard.reply) == (None, None)


@pytest.mark.parametrize(
    "attributes",
    [
        (XorPeerAddress(CLIENT), Data(b"answer")),
        (AlternatePort(10081), Data(b"answer")),
        (AlternatePort(9), XorPeerAddress(CLIENT), Data(b"answer")),
        (AlternatePort(10081), XorPeerAddress(TransportAddress(CLIENT.ip, 0)), Data(b"answer")),
        (AlternatePort(10081), XorPeerAddress(CLIENT), Data(bytes(MAX_ORDERED_SIZE + 1))),
    ],
    ids=["no port", "no client", "a port that is not ours", "port 0", "too long"],
)
def test_an_order_that_cannot_be_carried_out_is_not(attributes: tuple[Attribute, ...]) -> None:
    heard = Link(options(A1, B1), randomness(1)).receive(
        message(*attributes), Arrival(source=B1, local=A1), 1.0
    )
    assert (heard.is_authentic, heard.order) == (True, None)


def test_the_longest_order_is_carried_out() -> None:
    longest = message(AlternatePort(10081), XorPeerAddress(CLIENT), Data(bytes(MAX_ORDERED_SIZE)))
    heard = Link(options(A1, B1), randomness(1)).receive(longest, Arrival(source=B1, local=A1), 1.0)
    assert heard.order is not None
    assert (heard.order.origin, heard.order.destination) == (A2, CLIENT)


@pytest.mark.parametrize(
    ("sequences", "fresh"),
    [
        ([5, 6, 7], [True, True, True]),
        ([7, 5, 6], [True, True, True]),
        ([5, 5], [True, False]),
        ([7, 5, 5], [True, True, False]),
        ([100, 37], [True, True]),
        ([100, 36], [True, False]),
        ([100, 1000, 100, 999], [True, True, False, True]),
        ([2**64 - 1, 2**64 - 1], [True, False]),
    ],
)
def test_a_number_counts_once_within_a_window_of_64(sequences: list[int], fresh: list[bool]) -> None:
    link = Link(options(A1, B1), randomness(1))
    heard = [
        link.receive(
            message(AlternatePort(10081), link=ServerLink(sequence=number, sender=7, receiver=1)),
            Arrival(source=B1, local=A1),
            1.0,
        ).is_fresh
        for number in sequences
    ]
    assert heard == fresh


def test_orders_are_limited_at_the_server_that_sends_as_well() -> None:
    pair = Pair()
    pair.tick()
    pair.b = Reflector(
        Offer(port=10080, alternate_port=10081),
        RegistryConfig(reflection_burst=1, reflection_rate=0.1),
        Counters(),
        options(B1, A1, first=1_000_000),
        randomness(9000),
    )
    pair.advance(SILENCE_TIMEOUT + 2 * ALIVE_INTERVAL)
    sent = [pair.deliver(pair.a.answer(request(BOTH), at(A1), pair.now)) for _ in range(2)]
    assert [one is not None for one in sent] == [True, False]


def test_without_another_server_its_messages_are_unexpected() -> None:
    counters = Counters()
    alone = Reflector(Offer(port=10080, alternate_port=10081), RegistryConfig(), counters)
    assert alone.receive_link(message(*ORDER), Arrival(source=B1, local=A1), 1.0) is None
    assert counters.unexpected_datagrams == 1
