"""What others can make us send, and how many sessions they can make us keep."""

from __future__ import annotations

import pytest

from natcore.channel import PeerSession, session_field
from natcore.control.messages import FaultCode, WireCandidate
from natcore.endpoint import ConnectFailed, EndpointConfig, SessionLimits, SessionStarted
from natcore.ice.check import build_success
from natcore.stun import Message
from tests.unit.natcore.endpoint.rehearsed_server import BASE, PEER, RehearsedServer

TWINS = ("872c753d32145400", "70bf59cf75191300")
"""Two names with one session field; a Pollard rho search on two cores found them within two minutes."""


def registered(**limits: int) -> RehearsedServer:
    server = RehearsedServer(config=EndpointConfig(limits=SessionLimits(**limits)))
    server.register()
    server.events()
    return server


def confirm(server: RehearsedServer, session: PeerSession) -> None:
    """The peer answers the check that is on its way to it."""
    for transmit in server.sent():
        request = Message.decode(transmit.data)
        answer = build_success(request, BASE, local=session.ice._remote)
        server.endpoint.receive_datagram(answer, transmit.destination, BASE, server.now)
    assert session.path is not None


def test_a_flood_of_introductions_starts_a_bounded_number_of_checks() -> None:
    server = registered()
    addresses = tuple(
        WireCandidate(type="host", address=f"203.0.113.8:{5000 + n}", priority=n + 1, foundation="1")
        for n in range(20)
    )
    sent = 0
    for tick in range(1000):
        for number in range(4):
            name = f"s{tick}x{number}"
            server.introduce(session=name, peer=name, controlling=False, candidates=addresses)
        server.at(tick / 100)
        server.events()
        sent += sum(transmit.destination.ip == PEER.ip for transmit in server.sent())
    assert len(server.endpoint.sessions) == 32
    assert sent <= 32 * 20 * 14


def test_unconfirmed_sessions_are_bounded_where_we_did_not_ask() -> None:
    server = registered(unconfirmed=2)
    for number in range(3):
        server.introduce(session=f"session{number}", peer=f"peer{number}", controlling=False)
    assert [session.name for session in server.endpoint.sessions] == ["session0", "session1"]
    assert server.endpoint.discarded == 1
    server.events()
    server.endpoint.connect("anna", 0.0)
    server.introduce()
    (started,) = server.events()
    assert isinstance(started, SessionStarted), "what we asked for has its place"


def test_a_confirmed_session_makes_room_for_the_next() -> None:
    server = registered(unconfirmed=1)
    server.introduce(session="first", controlling=False)
    confirm(server, server.endpoint.sessions[0])
    server.introduce(session="second", controlling=False)
    assert len(server.endpoint.sessions) == 2


def test_an_ended_session_makes_room_for_the_next() -> None:
    server = registered(unconfirmed=1)
    server.introduce(session="first", controlling=False)
    server.at(10.0)
    server.introduce(session="second", controlling=False)
    assert [session.name for session in server.endpoint.sessions] == ["second"]


def test_one_peer_cannot_take_all_the_sessions_even_with_paths() -> None:
    server = registered(of_one_peer=2)
    for number in range(3):
        server.introduce(session=f"session{number}", controlling=False)
        confirm(server, server.endpoint.sessions[-1])
    assert len(server.endpoint.sessions) == 2
    server.introduce(session="another", peer="olaf", controlling=False)
    assert server.endpoint.sessions[-1].peer == "olaf"


def test_one_peer_without_a_path_cannot_keep_the_others_out() -> None:
    server = registered(unconfirmed=4, unconfirmed_of_one_peer=2)
    for number in range(3):
        server.introduce(session=f"session{number}", controlling=False)
    server.introduce(session="another", peer="olaf", controlling=False)
    assert [session.peer for session in server.endpoint.sessions] == ["anna", "anna", "olaf"]


@pytest.mark.parametrize("twins", [TWINS, TWINS[::-1]])
def test_two_names_with_one_session_field_are_not_both_taken(twins: tuple[str, str]) -> None:
    assert session_field(twins[0]) == session_field(twins[1])
    server = registered()
    server.introduce(session=twins[0], controlling=False)
    server.events()
    server.endpoint.connect("anna", 0.0)
    server.introduce(session=twins[1])
    (failed,) = server.events()
    assert isinstance(failed, ConnectFailed)
    assert failed.code is FaultCode.BAD_MESSAGE
    for session in server.endpoint.sessions:
        server.endpoint.close_session(session, 0.0)
    assert server.endpoint.sessions == ()
