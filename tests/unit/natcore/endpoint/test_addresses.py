"""Several ways to the server, and addresses that change."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import msgspec

from natcore import stun
from natcore.address import TransportAddress
from natcore.agent import Transmit
from natcore.channel import SessionDoubted
from natcore.control.messages import Connect, Publish
from natcore.endpoint import Awoke, SessionEventOccurred, WakingFailed
from natcore.ice import Credentials, LocalCandidate
from tests.sim.pair import local_host
from tests.unit.natcore.endpoint.rehearsed_server import (
    BASE,
    INTRODUCTION,
    PEER,
    REFLEXIVE,
    REGISTERED,
    SERVER,
    RehearsedServer,
)

SECOND = TransportAddress(IPv4Address("192.0.2.2"), 4000)
THIRD = TransportAddress(IPv4Address("192.0.2.3"), 4000)
BASE6 = TransportAddress(IPv6Address("2001:db8::1"), 4000)
SERVER6 = TransportAddress(IPv6Address("2001:db8:5::1"), 10080)


def hosts(*bases: TransportAddress) -> list[LocalCandidate]:
    return [local_host(base) for base in bases]


def waking(*bases: TransportAddress, endpoints: tuple[TransportAddress, ...] = (SERVER,)) -> RehearsedServer:
    server = RehearsedServer(candidates=hosts(*bases))
    server.endpoint.wake(0.0)
    server.register(msgspec.structs.replace(REGISTERED, endpoints=tuple(map(str, endpoints))))
    return server


def answer(server: RehearsedServer, request: Transmit, mapped: TransportAddress = REFLEXIVE) -> None:
    """Answers an Awake request on the way that it came."""
    data = stun.answer_binding_request(
        stun.Message.decode(request.data), mapped, key=stun.short_term_key(REGISTERED.key)
    )
    assert data is not None
    server.endpoint.receive_datagram(data, request.destination, request.base, server.now)


def sequence_of(request: Transmit) -> stun.AwakeSequence | None:
    return stun.Message.decode(request.data).get(stun.AwakeSequence)


def test_each_repetition_of_the_request_takes_the_next_way() -> None:
    server = waking(BASE, SECOND, THIRD)
    sent = server.sent()
    for at in (0.11, 0.31, 0.71):
        server.at(at)
        sent += server.sent()
    assert [one.base for one in sent] == [BASE, SECOND, THIRD, BASE]
    assert len({one.data for one in sent}) == 1, "one request: the server believes the first that arrives"


def test_the_way_that_is_answered_is_used_from_then_on() -> None:
    server = waking(BASE, SECOND)
    server.sent()
    server.at(0.1)
    answer(server, server.sent()[0])
    assert [type(event) for event in server.events()][-1] is Awoke
    assert server.endpoint.base == SECOND
    server.at(15.1)
    assert [one.base for one in server.sent()] == [SECOND]


def test_after_a_failure_the_ways_that_were_not_tried_come_first() -> None:
    bases = [TransportAddress(IPv4Address(f"192.0.2.{number}"), 4000) for number in range(1, 9)]
    server = waking(*bases)
    server.sent()
    for _ in range(10):
        due = server.endpoint.get_timer()
        assert due is not None
        server.at(due)
        if any(isinstance(event, WakingFailed) for event in server.events()):
            break
        server.sent()
    assert server.endpoint.base == bases[6]


def test_the_family_that_nats_translate_is_observed_where_the_server_has_both() -> None:
    server = waking(BASE6, BASE, endpoints=(SERVER, SERVER6))
    (request,) = server.sent()
    assert (request.base, request.destination) == (BASE, SERVER)
    server.at(0.1)
    (request,) = server.sent()
    assert (request.base, request.destination) == (BASE6, SERVER6)
    answer(server, request, BASE6)
    assert server.endpoint.reflexive_address == BASE6


def test_other_addresses_are_published_and_shown_to_the_server_with_the_next_sequence() -> None:
    server = waking(BASE)
    (first,) = server.sent()
    answer(server, first)
    server.heard()
    server.at(5.0)
    server.endpoint.set_host_candidates(hosts(SECOND, THIRD), 5.0)
    (published,) = server.heard()
    assert isinstance(published, Publish)
    assert [one.address for one in published.candidates] == [str(SECOND), str(THIRD)]
    (request,) = server.sent()
    assert request.base == SECOND == server.endpoint.base
    assert sequence_of(request) == stun.AwakeSequence(2)
    moved = TransportAddress(REFLEXIVE.ip, 50001)
    answer(server, request, moved)
    assert server.endpoint.reflexive_address == moved


def test_an_answer_to_the_address_that_is_gone_proves_nothing() -> None:
    server = waking(BASE)
    (first,) = server.sent()
    server.endpoint.set_host_candidates(hosts(SECOND), 0.01)
    answer(server, first)
    assert server.endpoint.reflexive_address is None


def test_a_machine_without_addresses_stays_as_it_was() -> None:
    server = waking(BASE)
    answer(server, server.sent()[0])
    server.events()
    server.endpoint.set_host_candidates([], 1.0)
    assert server.endpoint.base == BASE
    assert server.events() == []


def test_before_there_is_a_server_addresses_are_only_taken_note_of() -> None:
    server = RehearsedServer(candidates=hosts(BASE))
    server.endpoint.set_host_candidates(hosts(SECOND), 0.0)
    assert server.endpoint.data_to_send() == b""
    server.endpoint.wake(0.0)
    server.register()
    (request,) = server.sent()
    assert request.base == SECOND


def test_what_was_mapped_in_the_old_network_is_offered_in_it_only() -> None:
    server = waking(BASE)
    answer(server, server.sent()[0])
    server.endpoint.set_mapped(TransportAddress(REFLEXIVE.ip, 4000))
    assert server.endpoint.mapped_address is not None
    server.endpoint.set_host_candidates(hosts(BASE, SECOND), 1.0)
    assert server.endpoint.mapped_address is not None, "another address beside it changes nothing"
    server.endpoint.set_host_candidates(hosts(SECOND), 2.0)
    assert server.endpoint.mapped_address is None


def test_a_session_whose_address_is_gone_is_renewed_once_the_server_has_seen_the_new_one() -> None:
    server = waking(BASE)
    answer(server, server.sent()[0])
    server.introduce(controlling=False)
    session = server.endpoint.sessions[0]
    confirm(server)
    assert session.path is not None
    server.events()
    server.heard()
    server.endpoint.set_host_candidates(hosts(SECOND), 1.0)
    doubts = [one for one in server.events() if isinstance(one, SessionEventOccurred)]
    assert [type(one.event) for one in doubts] == [SessionDoubted]
    assert session.timeline.entries[-1].detail == f"our address {BASE.ip} is gone"
    assert not any(isinstance(one, Connect) for one in server.heard()), "the server would tell the old one"
    server.now = 1.0
    requests = [one for one in server.sent() if one.destination == SERVER]
    answer(server, requests[-1], TransportAddress(REFLEXIVE.ip, 50001))
    assert server.heard() == [Connect(target="anna", renews=session.name)]


def confirm(server: RehearsedServer) -> None:
    """The peer answers our check."""
    theirs = Credentials(INTRODUCTION.ufrag, INTRODUCTION.pwd).for_session(INTRODUCTION.session)
    (check,) = [one for one in server.sent() if one.destination == PEER and stun.is_stun(one.data)]
    request = stun.Message.decode(check.data)
    data = stun.success_response(request, (stun.XorMappedAddress(REFLEXIVE),), theirs.key)
    server.endpoint.receive_datagram(data, PEER, BASE, server.now)
