"""Control messages over UDP beside TCP, at the server: what is heard once, and who is told."""

from __future__ import annotations

import pytest

from natcore.address import TransportAddress
from natcore.control.copies import MAX_COPY_SIZE, clients_copies
from natcore.control.messages import (
    ClientMessage,
    Connect,
    ConnectRefused,
    Decline,
    Declined,
    FaultCode,
    Introduction,
    Ping,
    Publish,
    Trickle,
    Unregister,
    encode,
)
from natcore.registry import ConnectionId, RegistryConfig
from natcore.registry.client import MAX_REMEMBERED_WISHES
from natcore.stun import (
    ControlSequence,
    Data,
    Message,
    MessageClass,
    Method,
    TransactionId,
    Username,
)
from tests.unit.natcore.registry.conversation import ELSEWHERE, HOME, Conversation, publication

WISH = Connect(target="anna", nonce="wish1")


def met(config: RegistryConfig | None = None) -> tuple[Conversation, ConnectionId, ConnectionId]:
    """Elsa and anna can be introduced, and both have proven where they are."""
    talk = Conversation(config or RegistryConfig())
    elsa, anna = talk.reachable("elsa", HOME), talk.reachable("anna", ELSEWHERE)
    talk.prove(elsa, 2, HOME)
    talk.prove(anna, 2, ELSEWHERE)
    return talk, elsa, anna


def introductions(talk: Conversation, connection: ConnectionId) -> int:
    return len(talk.heard(connection, Introduction))


def indication(talk: Conversation, connection: ConnectionId, data: bytes, *, key: str | None = None) -> bytes:
    """A datagram as no client of ours would send it."""
    registered = talk.session(connection)
    return Message(
        method=Method.CONTROL,
        message_class=MessageClass.INDICATION,
        transaction_id=TransactionId(bytes(12)),
        attributes=(Username(registered.session), ControlSequence(1), Data(data)),
    ).encode(key=(key or registered.key).encode(), fingerprint=True)


# --- what a client says -------------------------------------------------------------------------------------


@pytest.mark.parametrize("ways", [("udp", "tcp"), ("tcp", "udp")])
def test_a_connect_that_comes_twice_is_carried_out_once_whichever_is_first(ways: tuple[str, str]) -> None:
    talk, elsa, anna = met()
    for way in ways:
        if way == "udp":
            talk.say_copy(elsa, WISH)
        else:
            talk.say(elsa, WISH)
    assert introductions(talk, elsa) == introductions(talk, anna) == 1
    assert talk.registry.counters.copies == 1


def test_the_two_copies_take_one_token() -> None:
    talk, elsa, _ = met(RegistryConfig(introduction_burst=2))
    for nonce in ("one1", "two2", "three"):
        talk.say_copy(elsa, Connect(target="anna", nonce=nonce))
        talk.say(elsa, Connect(target="anna", nonce=nonce))
    assert introductions(talk, elsa) == 2
    (refused,) = talk.heard(elsa, ConnectRefused)
    assert (refused.code, refused.nonce) == (FaultCode.TOO_FAST, "three")


def test_a_refusal_is_for_tcp_to_say_since_udp_may_have_overtaken_it() -> None:
    talk = Conversation()
    elsa, anna = talk.register("elsa"), talk.reachable("anna", ELSEWHERE)
    talk.awake(elsa, 1)
    talk.say_copy(elsa, WISH)
    assert introductions(talk, elsa) == 0
    assert talk.heard(elsa, ConnectRefused) == []
    talk.say(elsa, publication("192.0.2.1:5000"))
    talk.say(elsa, WISH)
    assert introductions(talk, elsa) == introductions(talk, anna) == 1


@pytest.mark.parametrize("target", ["nobody", "elsa"])
def test_a_wish_that_cannot_be_granted_is_refused_once(target: str) -> None:
    talk, elsa, _ = met()
    wish = Connect(target=target, nonce="wish1")
    talk.say_copy(elsa, wish)
    talk.say(elsa, wish)
    talk.say_copy(elsa, wish)
    assert len(talk.heard(elsa, ConnectRefused)) == 1
    assert talk.registry.counters.refusals == 1


def test_a_late_copy_of_what_was_refused_over_tcp_changes_nothing() -> None:
    talk = Conversation()
    elsa = talk.reachable("elsa")
    talk.say(elsa, WISH)
    anna = talk.reachable("anna", ELSEWHERE)
    talk.say_copy(elsa, WISH)
    assert introductions(talk, elsa) == introductions(talk, anna) == 0


def test_a_wish_without_a_nonce_could_come_twice_and_is_not_heard_over_udp() -> None:
    talk, elsa, _ = met()
    talk.say_copy(elsa, Connect(target="anna"))
    assert introductions(talk, elsa) == 0


def test_so_many_wishes_are_remembered_and_not_one_more() -> None:
    talk, elsa, _ = met(RegistryConfig(introduction_burst=1000))
    names = [f"wish{number}" for number in range(MAX_REMEMBERED_WISHES + 1)]
    for name in names[:-1]:
        talk.say(elsa, Connect(target="anna", nonce=name))
    talk.say(elsa, Connect(target="anna", nonce=names[0]))
    assert introductions(talk, elsa) == MAX_REMEMBERED_WISHES
    talk.say(elsa, Connect(target="anna", nonce=names[-1]))
    talk.say(elsa, Connect(target="anna", nonce=names[0]))
    assert introductions(talk, elsa) == MAX_REMEMBERED_WISHES + 2


def test_a_recorded_datagram_has_no_effect_from_anywhere() -> None:
    talk, elsa, _ = met()
    data = talk.say_copy(elsa, WISH)
    talk.say_copy(elsa, Connect(target="anna", nonce="wish2"))
    for source in (HOME, ELSEWHERE):
        talk.hear_copy(data, source)
    assert introductions(talk, elsa) == 2
    assert talk.registry.counters.discarded_copies == 2


def test_a_copy_from_elsewhere_moves_nobody() -> None:
    talk, elsa, _ = met()
    data = talk.side(elsa).encode(WISH, bytes)
    assert data is not None
    talk.hear_copy(data, TransportAddress.parse("203.0.113.66:666"))
    assert talk.reports[-1] == f"anna Awake {ELSEWHERE}"
    assert talk.copies_to(elsa), "its introduction goes to where it was proven to be"


@pytest.mark.parametrize(
    "message",
    [
        Ping(),
        Unregister(),
        publication("192.0.2.1:6000"),
        Decline(session="abcd", code=FaultCode.TOO_FAST, reason=""),
    ],
)
def test_nothing_but_a_wish_is_heard_over_udp(message: ClientMessage) -> None:
    talk, elsa, _ = met()
    talk.side(elsa)
    talk.forget_what_was_heard()
    talk.say_copy(elsa, message)
    assert talk.told == {}
    assert talk.closed == {}
    assert talk.registry.counters.discarded_copies == 1


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[" * 1000, b"\xff", b'{"type":"connect"}', b'{"type":"introduction"}']
)
def test_what_is_no_message_is_counted(line: bytes) -> None:
    talk, elsa, _ = met()
    talk.hear_copy(indication(talk, elsa, line))
    assert talk.registry.counters.discarded_copies == 1


def test_a_forged_a_strange_and_a_long_datagram_are_counted() -> None:
    talk, elsa, _ = met()
    whole = indication(talk, elsa, encode(WISH))
    stranger = clients_copies("nosuchsession", "x" * 22).encode(WISH, bytes)
    assert stranger is not None
    bare = Message(
        method=Method.CONTROL,
        message_class=MessageClass.INDICATION,
        transaction_id=TransactionId(bytes(12)),
    )
    for data in (
        indication(talk, elsa, encode(WISH), key="k" * 32),
        stranger,
        indication(talk, elsa, encode(WISH) + b" " * MAX_COPY_SIZE),
        bare.encode(),
    ):
        talk.hear_copy(data)
    assert talk.registry.counters.discarded_copies == 4
    talk.hear_copy(whole)
    assert introductions(talk, elsa) == 1, "none of them has used up the number"


def test_the_copies_of_a_session_that_was_taken_over_are_strangers() -> None:
    talk, elsa, _ = met()
    old = talk.side(elsa)
    talk.register("elsa", resume=talk.session(elsa).key)
    data = old.encode(WISH, bytes)
    assert data is not None
    talk.hear_copy(data)
    assert talk.registry.counters.discarded_copies == 1


# --- what the server says -----------------------------------------------------------------------------------


def test_what_somebody_waits_for_goes_over_udp_as_well() -> None:
    talk, elsa, anna = met()
    talk.say(elsa, WISH)
    assert talk.copies_to(elsa) == talk.heard(elsa, Introduction)
    assert talk.copies_to(anna, ELSEWHERE) == talk.heard(anna, Introduction)
    talk.say(anna, publication("192.0.2.1:6000"))
    assert talk.copies_to(elsa) == talk.heard(elsa, Trickle)
    session = talk.last(anna, Introduction).session
    talk.say(anna, Decline(session=session, code=FaultCode.TOO_FAST, reason="full"))
    assert talk.copies_to(elsa) == talk.heard(elsa, Declined)
    talk.say(elsa, Connect(target="nobody", nonce="wish2"))
    assert talk.copies_to(elsa) == talk.heard(elsa, ConnectRefused)
    assert talk.copies == []


def test_an_address_that_has_proven_nothing_is_sent_nothing() -> None:
    talk = Conversation()
    elsa, _ = talk.reachable("elsa", HOME), talk.reachable("anna", ELSEWHERE)
    talk.say(elsa, WISH)
    assert introductions(talk, elsa) == 1
    assert talk.copies == []


def test_an_address_that_was_proven_is_nothing_once_the_client_is_seen_elsewhere() -> None:
    talk, elsa, _ = met()
    moved = TransportAddress.parse("198.51.100.9:6000")
    talk.awake(elsa, 4, moved)
    talk.say(elsa, WISH)
    assert [one.destination for one in talk.copies] == [ELSEWHERE]
    talk.prove(elsa, 5, moved)
    talk.copies.clear()
    talk.say(elsa, Connect(target="anna", nonce="wish2"))
    assert {one.destination for one in talk.copies} == {moved, ELSEWHERE}


def test_who_has_taken_over_is_told_over_udp_once_it_has_proven_itself_anew() -> None:
    talk, elsa, _ = met()
    elsa = talk.register("elsa", resume=talk.session(elsa).key)
    talk.say(elsa, WISH)
    assert [one.destination for one in talk.copies] == [ELSEWHERE]


def test_what_is_longer_than_a_datagram_goes_over_tcp_alone() -> None:
    talk, elsa, anna = met()
    long = publication(*(f"[2001:db8:1111:2222:3333:4444:5555:{number}]:50000" for number in range(16)))
    talk.say(anna, Publish(ufrag=long.ufrag, pwd=long.pwd, candidates=long.candidates))
    talk.say(elsa, WISH)
    assert introductions(talk, elsa) == 1
    assert talk.copies_to(elsa) == []
    assert len(talk.copies_to(anna, ELSEWHERE)) == 1


def test_a_copy_is_no_larger_than_a_datagram_should_be() -> None:
    side = clients_copies("session", "k" * 22)
    sizes = []
    for length in range(900, MAX_COPY_SIZE):
        data = side.encode(
            Declined(session="abcd", code=FaultCode.TOO_FAST, reason="x" * length), lambda n: bytes(n)
        )
        sizes.append(0 if data is None else len(data))
    assert max(sizes) == MAX_COPY_SIZE
    assert sizes[-1] == 0


def test_the_server_s_own_words_do_not_come_back_as_a_client_s() -> None:
    talk, elsa, _ = met()
    talk.say(elsa, WISH)
    for one in list(talk.copies):
        talk.hear_copy(one.data)
    assert talk.registry.counters.discarded_copies == 2
