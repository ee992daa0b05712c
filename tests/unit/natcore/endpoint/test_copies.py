"""Control messages over UDP beside TCP, at a client: what is said, and what is heard once."""

from __future__ import annotations

import pytest

from natcore import stun
from natcore.address import TransportAddress
from natcore.control.copies import clients_copies
from natcore.control.messages import (
    ClientMessage,
    Connect,
    ConnectRefused,
    Decline,
    Declined,
    Fault,
    FaultCode,
    Goodbye,
    Ping,
    Registered,
    ServerMessage,
    Trickle,
    WireCandidate,
)
from natcore.endpoint import (
    AwakeConfig,
    ConnectFailed,
    EndpointConfig,
    SessionEventOccurred,
    SessionLimits,
    SessionStarted,
)
from tests.sim.pair import seeded
from tests.unit.natcore.endpoint.rehearsed_server import (
    BASE,
    INTRODUCTION,
    REFLEXIVE,
    REGISTERED,
    SERVER,
    RehearsedServer,
)

REFUSED = ConnectRefused(target="anna", code=FaultCode.CLIENT_ASLEEP, reason="asleep")


def awake(config: EndpointConfig | None = None) -> RehearsedServer:
    server = RehearsedServer(config=config)
    server.awaken()
    return server


def started(server: RehearsedServer) -> int:
    return len([event for event in server.events() if isinstance(event, SessionStarted)])


# --- what is said -------------------------------------------------------------------------------------------


def test_a_wish_goes_over_udp_as_well_with_one_nonce_for_each() -> None:
    server = awake()
    server.endpoint.connect("anna", 0.0)
    server.endpoint.connect("olaf", 0.0)
    assert server.heard() == server.copies_heard() == [Connect(target="anna"), Connect(target="olaf")]
    assert len(set(server.nonces)) == 2


def test_the_copy_bears_the_nonce_of_what_goes_over_tcp() -> None:
    server = awake()
    server.endpoint.connect("anna", 0.0)
    server.heard()
    (transmit,) = server.sent()
    assert (transmit.destination, transmit.base) == (SERVER, BASE)
    wish = server.copies.receive(stun.Message.decode(transmit.data))
    assert wish == Connect(target="anna", nonce=server.nonces[0])


def test_a_wish_to_renew_goes_over_udp_too() -> None:
    server = awake(EndpointConfig(awake=AwakeConfig(refresh_interval=2.0)))
    server.introduce(controlling=True)
    server.sent()
    server.at(2.0)
    (request,) = (one for one in server.sent() if one.destination == SERVER)
    server.answer_awake(request, TransportAddress.parse("203.0.113.9:40000"))
    assert server.copies_heard() == [Connect(target="anna", renews=INTRODUCTION.session)]


def test_nothing_but_a_wish_goes_over_udp() -> None:
    server = awake(EndpointConfig(limits=SessionLimits(in_all=0)))
    assert [type(one) for one in server.say(INTRODUCTION)] == [Decline]
    server.endpoint.unregister()
    assert server.sent() == []


def test_who_was_not_observed_says_it_over_tcp_alone() -> None:
    server = RehearsedServer()
    server.endpoint.wake(0.0)
    server.register()
    server.sent()
    server.endpoint.connect("anna", 0.0)
    assert server.copies_heard() == []
    assert server.heard() == [Connect(target="anna")]


def test_the_proof_of_our_address_leaves_before_the_first_wish() -> None:
    server = RehearsedServer()
    server.endpoint.wake(0.0)
    server.register()
    (request,) = server.sent()
    seen = stun.XorMappedAddress(REFLEXIVE), stun.AddressToken(b"thistokn")
    key = stun.short_term_key(REGISTERED.key)
    answer = stun.success_response(stun.Message.decode(request.data), seen, key)
    server.endpoint.receive_datagram(answer, SERVER, BASE, 0.0)
    server.endpoint.connect("anna", 0.0)
    proof, copy = (stun.Message.decode(one.data) for one in server.sent())
    assert proof.get(stun.AddressToken) == seen[1]
    assert copy.method is stun.Method.CONTROL


def test_a_wish_that_is_longer_than_a_datagram_goes_over_tcp_alone() -> None:
    server = awake()
    server.endpoint.connect("x" * 1200, 0.0)
    assert server.sent() == []
    assert len(server.heard()) == 1


# --- what is heard ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ways", [("udp", "tcp"), ("tcp", "udp"), ("udp", "udp"), ("tcp", "tcp")])
def test_an_introduction_that_comes_twice_starts_one_session_and_declines_nothing(
    ways: tuple[str, str],
) -> None:
    server = awake()
    server.endpoint.connect("anna", 0.0, early_data=b"hello")
    server.heard()
    answered: list[ClientMessage] = []
    for way in ways:
        answered += server.say_copy(INTRODUCTION) if way == "udp" else server.say(INTRODUCTION)
    assert answered == []
    assert started(server) == 1


def test_an_introduction_that_was_declined_is_declined_once() -> None:
    server = awake(EndpointConfig(limits=SessionLimits(in_all=0)))
    declined = [*server.say_copy(INTRODUCTION), *server.say(INTRODUCTION)]
    assert [type(message) for message in declined] == [Decline]


def test_what_a_session_begins_with_over_udp_goes_on_over_udp() -> None:
    server = awake()
    server.say_copy(INTRODUCTION)
    server.sent()
    late = WireCandidate(type="srflx", address="203.0.113.8:7000", priority=1694498815, foundation="observed")
    trickle = Trickle(session=INTRODUCTION.session, candidates=(late,))
    server.say_copy(trickle)
    checks = [one for one in server.sent() if one.destination == TransportAddress.parse(late.address)]
    server.say(trickle)
    assert len(checks) == 1
    assert [one for one in server.sent() if stun.is_stun(one.data)] == [], "its copy changes nothing"
    declined = Declined(session=INTRODUCTION.session, code=FaultCode.TOO_FAST, reason="full")
    server.say_copy(declined)
    server.say(declined)
    assert server.endpoint.sessions == ()
    ends = [one for one in server.events() if isinstance(one, SessionEventOccurred)]
    assert len(ends) == 1


def test_a_refusal_that_comes_twice_is_told_once() -> None:
    server = awake()
    server.endpoint.connect("anna", 0.0)
    server.say_copy(REFUSED)
    server.say(REFUSED)
    assert [type(event) for event in server.events()] == [ConnectFailed]


def test_a_late_copy_of_a_refusal_does_not_refuse_the_next_wish() -> None:
    server = awake()
    server.endpoint.connect("anna", 0.0)
    server.heard()
    refused = ConnectRefused(
        target="anna", code=FaultCode.CLIENT_ASLEEP, reason="asleep", nonce=server.nonces[0]
    )
    server.say_copy(refused)
    server.events()
    server.endpoint.connect("anna", 0.0)
    server.say(refused)
    assert server.events() == []
    server.say(INTRODUCTION)
    assert started(server) == 1


def test_a_recorded_datagram_has_no_effect() -> None:
    server = awake()
    data = server.copies.encode(INTRODUCTION, seeded(1))
    assert data is not None
    for _ in range(3):
        server.endpoint.receive_datagram(data, SERVER, BASE, 0.0)
    assert started(server) == 1


@pytest.mark.parametrize(
    "message",
    [
        REGISTERED,
        Ping(),
        Goodbye(reason="go away"),
        Fault(code=FaultCode.BAD_MESSAGE, reason="no"),
        Connect(target="anna", nonce="wish1"),
    ],
)
def test_nothing_else_is_heard_over_udp(message: ServerMessage | Registered) -> None:
    server = awake()
    assert server.say_copy(message) == []
    assert server.events() == []


def test_what_is_forged_or_of_another_session_or_from_elsewhere_is_not_heard() -> None:
    server = awake()
    for session, key, source in (
        (REGISTERED.session, "k" * 22, SERVER),
        ("another", REGISTERED.key, SERVER),
        (REGISTERED.session, REGISTERED.key, TransportAddress.parse("203.0.113.66:10080")),
    ):
        data = clients_copies(session, key).encode(INTRODUCTION, seeded(1))
        assert data is not None
        server.endpoint.receive_datagram(data, source, BASE, 0.0)
    assert server.events() == []
