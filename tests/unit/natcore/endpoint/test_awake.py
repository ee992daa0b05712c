from __future__ import annotations

import msgspec
import pytest

from natcore import stun
from natcore.address import TransportAddress
from natcore.control.messages import MAX_CANDIDATES, Ping, Publish, Status
from natcore.endpoint import Awoke, ConnectionUnusable, WakingFailed
from tests.sim.pair import local_host
from tests.unit.natcore.endpoint.rehearsed_server import (
    BASE,
    REFLEXIVE,
    REGISTERED,
    SERVER,
    RehearsedServer,
)


def awoken() -> RehearsedServer:
    server = RehearsedServer()
    server.endpoint.wake(0.0)
    server.register()
    server.answer_awake(server.sent()[0])
    server.events()
    return server


def test_waking_publishes_and_sends_an_authentic_request_with_a_sequence() -> None:
    server = RehearsedServer()
    server.endpoint.wake(0.0)
    (published,) = server.register()
    assert isinstance(published, Publish)
    assert [candidate.address for candidate in published.candidates] == [str(BASE)]
    (request,) = server.sent()
    message = stun.Message.decode(request.data)
    assert (request.base, request.destination) == (BASE, SERVER)
    assert message.get(stun.Username) == stun.Username(REGISTERED.session)
    assert message.get(stun.AwakeSequence) == stun.AwakeSequence(1)
    assert message.is_authentic(stun.short_term_key(REGISTERED.key))


def test_waking_after_the_registration_does_the_same_and_twice_does_it_once() -> None:
    server = RehearsedServer()
    server.register()
    server.endpoint.wake(0.0)
    server.endpoint.wake(0.0)
    assert len(server.heard()) == 1
    assert len(server.sent()) == 1


def test_the_answer_tells_our_public_endpoint() -> None:
    server = RehearsedServer()
    server.endpoint.wake(0.0)
    server.register()
    server.events()
    server.now = 0.04
    server.answer_awake(server.sent()[0])
    (awoke,) = server.events()
    assert isinstance(awoke, Awoke)
    assert awoke.address == REFLEXIVE == server.endpoint.reflexive_address
    assert awoke.rtt == pytest.approx(0.04)
    assert server.endpoint.registration.clients["elsa"] is Status.AWAKE


def test_the_request_is_refreshed_after_15_s_with_the_next_sequence() -> None:
    server = awoken()
    server.at(14.999)
    assert server.sent() == []
    server.at(15.0)
    (refresh,) = server.sent()
    assert stun.Message.decode(refresh.data).get(stun.AwakeSequence) == stun.AwakeSequence(2)
    server.answer_awake(refresh)
    assert server.events() == [], "nothing has changed, so there is nothing to tell"


def test_another_endpoint_is_told() -> None:
    server = awoken()
    server.at(15.0)
    moved = TransportAddress(REFLEXIVE.ip, 50000)
    server.answer_awake(server.sent()[0], mapped=moved)
    (awoke,) = server.events()
    assert isinstance(awoke, Awoke)
    assert awoke.address == moved


def test_no_answer_is_said_after_4_7_s_and_the_requests_go_on() -> None:
    server = RehearsedServer()
    server.endpoint.wake(0.0)
    server.register()
    server.events()
    requests = len(server.sent())
    while (due := server.endpoint.get_timer()) is not None and due <= 4.7001:
        server.at(due)
        requests += len(server.sent())
    assert requests == 6
    assert server.events() == [
        WakingFailed(reason="no answer from 198.51.100.1:10080 to 6 requests over UDP")
    ]
    server.at(15.0)
    (request,) = server.sent()
    server.answer_awake(request)
    assert any(isinstance(event, Awoke) for event in server.events())


def test_refreshes_that_fail_are_said_once() -> None:
    server = awoken()
    told = []
    for _ in range(100):
        due = server.endpoint.get_timer()
        assert due is not None
        if due > 100.0:
            break
        server.at(due)
        server.sent()
        server.say(Ping())  # the connection lives
        told += [event for event in server.events() if isinstance(event, WakingFailed)]
    assert server.now > 60.0
    assert len(told) == 1


@pytest.mark.parametrize("key", [b"wrong", None], ids=["wrong key", "unsigned"])
def test_an_answer_that_is_not_authentic_changes_nothing(key: bytes | None) -> None:
    server = RehearsedServer()
    server.endpoint.wake(0.0)
    server.register()
    server.events()
    request = stun.Message.decode(server.sent()[0].data)
    forged = stun.answer_binding_request(request, TransportAddress.parse("203.0.113.66:1"), key=key)
    assert forged is not None
    server.endpoint.receive_datagram(forged, SERVER, BASE, 0.1)
    assert server.events() == []
    assert server.endpoint.reflexive_address is None


def test_a_forged_rejection_ends_nothing() -> None:
    server = RehearsedServer()
    server.endpoint.wake(0.0)
    server.register()
    server.events()
    (request,) = server.sent()
    forged = stun.error_response(stun.Message.decode(request.data), 401, "Unauthenticated")
    server.endpoint.receive_datagram(forged, SERVER, BASE, 0.1)
    assert server.events() == [WakingFailed(reason="the server says 401")]
    server.answer_awake(request)
    assert [type(event) for event in server.events()] == [Awoke]


def test_an_answer_from_another_address_is_for_nobody() -> None:
    server = RehearsedServer()
    server.endpoint.wake(0.0)
    server.register()
    (request,) = server.sent()
    data = stun.answer_binding_request(
        stun.Message.decode(request.data), REFLEXIVE, key=stun.short_term_key(REGISTERED.key)
    )
    assert data is not None
    server.endpoint.receive_datagram(data, TransportAddress(SERVER.ip, 9), BASE, 0.1)
    assert server.endpoint.discarded == 1
    assert server.endpoint.reflexive_address is None


def test_losing_the_connection_is_falling_asleep_and_a_new_one_wakes_by_itself() -> None:
    server = awoken()
    server.endpoint.connection_lost(1.0)
    assert server.endpoint.reflexive_address is None
    server.register()
    (request,) = server.sent()
    server.answer_awake(request)
    assert [type(event) for event in server.events()][-1] is Awoke


def test_the_first_endpoint_has_the_address_that_tcp_reached() -> None:
    server = RehearsedServer()
    server.endpoint.wake(0.0)
    server.register(msgspec.structs.replace(REGISTERED, endpoints=("10.0.0.5:9999",)))
    (request,) = server.sent()
    assert request.destination == TransportAddress(SERVER.ip, 9999)


def test_the_first_endpoint_that_we_have_a_socket_for_is_used() -> None:
    server = RehearsedServer()
    server.endpoint.wake(0.0)
    endpoints = ("nonsense", "[2001:db8::1]:10080", "198.51.100.1:0", str(SERVER))
    server.register(msgspec.structs.replace(REGISTERED, endpoints=endpoints))
    (request,) = server.sent()
    assert request.destination == SERVER


@pytest.mark.parametrize("endpoint", ["nonsense", "198.51.100.1:0"])
def test_a_server_without_an_endpoint_for_us_is_unusable(endpoint: str) -> None:
    server = RehearsedServer()
    server.endpoint.wake(0.0)
    server.register(msgspec.structs.replace(REGISTERED, endpoints=(endpoint,)))
    (_, event) = server.events()
    assert event == ConnectionUnusable(reason="the server names no UDP endpoint that we can use")


@pytest.mark.parametrize("count", [MAX_CANDIDATES, MAX_CANDIDATES + 1])
def test_no_more_candidates_are_published_than_fit(count: int) -> None:
    bases = [TransportAddress(BASE.ip, 4000 + index) for index in range(count)]
    server = RehearsedServer(candidates=[local_host(base) for base in bases])
    server.endpoint.wake(0.0)
    (published,) = server.register()
    assert isinstance(published, Publish)
    assert [one.address for one in published.candidates] == [str(base) for base in bases[:MAX_CANDIDATES]]


@pytest.mark.parametrize(
    ("lifetime", "interval"), [(None, 15.0), (20.0, 10.0), (0.5, 1.0), (64.0, 30.0), (300.0, 30.0)]
)
def test_how_often_we_are_observed_follows_from_how_long_a_mapping_lives(
    lifetime: float | None, interval: float
) -> None:
    server = awoken()
    server.endpoint.set_mapping_lifetime(lifetime, 0.0)
    if interval <= 15.0:
        server.at(interval - 0.01)
        assert server.sent() == []
        server.at(interval)
        server.answer_awake(server.sent()[0])
    else:
        server.at(15.0)  # was due before the lifetime was known
        server.answer_awake(server.sent()[0])
        server.at(15.0 + interval - 0.01)
        assert server.sent() == []
        server.at(15.0 + interval)
        assert len(server.sent()) == 1


def test_after_a_reconnection_it_is_as_often() -> None:
    server = awoken()
    server.endpoint.set_mapping_lifetime(4.0, 0.0)
    server.endpoint.connection_lost(1.0)
    server.now = 1.0
    server.register()
    server.answer_awake(server.sent()[-1])
    server.at(3.0)
    assert len(server.sent()) == 1
