from __future__ import annotations

import pytest

from natcore.address import TransportAddress
from natcore.channel import MAX_PAYLOAD_SIZE, MessageUnconfirmed, SessionEnded
from natcore.channel.frame import Frame, FrameKey, FrameType
from natcore.control.messages import (
    MAX_CANDIDATES,
    Announcement,
    Change,
    ClientChange,
    Connect,
    ConnectRefused,
    FaultCode,
    Publish,
    WireCandidate,
)
from natcore.endpoint import (
    ConnectFailed,
    EndpointConfig,
    SessionEventOccurred,
    SessionLimits,
    SessionStarted,
)
from natcore.errors import MisuseError
from natcore.ice import Credentials
from natcore.stun import is_stun
from tests.sim.pair import local_host
from tests.unit.natcore.endpoint.rehearsed_server import (
    BASE,
    INTRODUCTION,
    PEER,
    REFLEXIVE,
    SERVER,
    RehearsedServer,
)

ICE_CHARS = "a" * 256


def registered(config: EndpointConfig | None = None) -> RehearsedServer:
    server = RehearsedServer(config=config)
    server.register()
    server.events()
    return server


def host_candidates(*addresses: str) -> tuple[WireCandidate, ...]:
    return tuple(
        WireCandidate(type="host", address=address, priority=index + 1, foundation="1")
        for index, address in enumerate(addresses)
    )


# --- asking -------------------------------------------------------------------------------------------------


def test_connecting_asks_the_server_and_its_introduction_starts_a_session() -> None:
    server = registered()
    server.endpoint.connect("anna", 0.0, early_data=b"hello")
    assert server.heard() == [Connect(target="anna")]
    server.say(INTRODUCTION)
    (started,) = server.events()
    assert isinstance(started, SessionStarted)
    assert (started.was_asked, started.early_number) == (True, 1)
    assert started.session.peer == "anna"
    check, early = server.sent()
    assert check.destination == early.destination == PEER
    assert is_stun(check.data)
    assert early.data[0] == FrameType.MESSAGE


def test_being_introduced_without_asking_starts_a_session_too() -> None:
    server = registered()
    server.introduce(controlling=False)
    (started,) = server.events()
    assert isinstance(started, SessionStarted)
    assert not started.was_asked
    assert not started.session.ice.is_controlling


@pytest.mark.parametrize("target", ["elsa", "nobody", "olaf"])
def test_the_server_is_asked_whatever_our_list_says(target: str) -> None:
    server = registered()
    server.endpoint.connect(target, 0.0)
    assert server.heard() == [Connect(target=target)]
    assert server.events() == []


def test_a_refusal_of_the_server_is_told_once_and_the_target_can_be_asked_for_again() -> None:
    server = registered()
    server.endpoint.connect("anna", 0.0)
    refusal = ConnectRefused(target="anna", code=FaultCode.CLIENT_ASLEEP, reason="asleep")
    server.say(refusal, refusal)
    assert [type(event) for event in server.events()] == [ConnectFailed]
    server.endpoint.connect("anna", 0.0)


def test_asking_twice_for_one_target_is_misuse() -> None:
    server = registered()
    server.endpoint.connect("anna", 0.0)
    with pytest.raises(MisuseError, match="asked for already"):
        server.endpoint.connect("anna", 0.0)


def test_asking_without_a_server_is_misuse() -> None:
    server = RehearsedServer()
    with pytest.raises(MisuseError, match="not registered"):
        server.endpoint.connect("anna", 0.0)


def test_early_data_that_is_too_long_is_misuse_and_nothing_is_pending() -> None:
    server = registered()
    with pytest.raises(MisuseError, match="got 1201 bytes, expected at most 1200"):
        server.endpoint.connect("anna", 0.0, early_data=bytes(MAX_PAYLOAD_SIZE + 1))
    assert server.heard() == []
    server.endpoint.connect("anna", 0.0, early_data=bytes(MAX_PAYLOAD_SIZE))


def test_pending_introductions_are_bounded() -> None:
    server = registered(EndpointConfig(max_pending=2))
    for name in ("a", "b", "c"):
        server.say(Announcement(changes=(ClientChange(id=name, change=Change.AWAKE),)))
    server.endpoint.connect("a", 0.0)
    server.endpoint.connect("b", 0.0)
    with pytest.raises(MisuseError, match="2 introductions are pending"):
        server.endpoint.connect("c", 0.0)


def test_losing_the_server_fails_what_was_asked_of_it_and_keeps_the_sessions() -> None:
    server = registered()
    server.introduce(controlling=False)
    server.endpoint.connect("anna", 0.0)
    server.events()
    server.endpoint.connection_lost(1.0)
    (failed,) = server.events()
    assert isinstance(failed, ConnectFailed)
    assert failed.code is FaultCode.NOT_REGISTERED
    assert len(server.endpoint.sessions) == 1


def test_an_abandoned_wish_is_not_told_of_but_the_session_is() -> None:
    server = registered()
    server.endpoint.connect("anna", 0.0, early_data=b"too late")
    server.endpoint.abandon_connect("anna")
    server.say(INTRODUCTION)
    (started,) = server.events()
    assert isinstance(started, SessionStarted)
    assert (started.was_asked, started.early_number) == (False, None)


# --- introductions that make no sense -----------------------------------------------------------------------


def test_twenty_absurd_candidates_are_not_sent_to() -> None:
    absurd = [
        "0.0.0.0:5000",
        "224.0.0.1:5000",
        "239.255.255.250:1900",
        "255.255.255.255:5000",
        "240.0.0.1:5000",
        "127.0.0.1:5000",
        "169.254.1.1:5000",
        "203.0.113.9:0",
        "[::]:5000",
        "[ff02::1]:5000",
        "[::1]:5000",
        "[fe80::1]:5000",
        "[2001:db8::1]:5000",
        str(BASE),
        "example.org:5000",
        "203.0.113.9",
        "203.0.113.9:65536",
        "203.0.113.9:-1",
        "",
        str(PEER),
    ]
    server = registered()
    server.introduce(candidates=host_candidates(*absurd))
    assert {one.destination for one in server.sent()} == {PEER}


def test_an_introduction_that_is_said_twice_counts_once() -> None:
    server = registered()
    server.say(INTRODUCTION, INTRODUCTION)
    assert len(server.endpoint.sessions) == 1
    assert len(server.events()) == 1


def test_sessions_are_bounded_and_whoever_asked_is_told() -> None:
    server = registered(EndpointConfig(limits=SessionLimits(in_all=2)))
    for index in range(2):
        server.introduce(session=f"session{index}", controlling=False)
    server.events()
    server.endpoint.connect("anna", 0.0)
    server.say(INTRODUCTION)
    assert len(server.endpoint.sessions) == 2
    assert server.events() == [
        ConnectFailed(target="anna", code=FaultCode.TOO_FAST, reason="2 sessions are open already")
    ]
    server.endpoint.connect("anna", 0.0)


@pytest.mark.parametrize(
    "changes", [{"session": ICE_CHARS}, {"ufrag": ICE_CHARS}, {"session": ICE_CHARS, "ufrag": ICE_CHARS}]
)
def test_names_that_fit_no_username_are_refused_and_do_not_raise(changes: dict[str, str]) -> None:
    server = registered()
    server.endpoint.connect("anna", 0.0)
    server.introduce(**changes)
    assert server.endpoint.sessions == ()
    (failed,) = server.events()
    assert isinstance(failed, ConnectFailed)
    assert failed.code is FaultCode.BAD_MESSAGE


def test_the_longest_names_that_fit_are_taken() -> None:
    server = registered()
    server.introduce(session="s" * 125, ufrag="u" * 125)
    assert len(server.endpoint.sessions) == 1
    assert server.sent()


# --- whom a datagram is for ---------------------------------------------------------------------------------


def test_a_frame_finds_its_session_from_any_address_and_others_find_nobody() -> None:
    server = registered()
    published = server.endpoint._credentials
    server.introduce(session="one1", controlling=False)
    server.introduce(session="two2", controlling=False)
    server.events()
    for name, expected in (("one1", 0), ("two2", 0), ("none", 1)):
        key = FrameKey.of(name, published.for_session(name))
        data = Frame(FrameType.MESSAGE, 1, name.encode()).encode(key)
        server.endpoint.receive_datagram(data, PEER, BASE, 0.1)
        assert server.endpoint.discarded == expected
    told = [event.session.name for event in server.events() if isinstance(event, SessionEventOccurred)]
    assert told == ["one1", "two2"]


def test_stun_for_nobody_is_counted() -> None:
    server = registered()
    server.introduce()
    (check,) = [one for one in server.sent() if is_stun(one.data)]
    server.endpoint.receive_datagram(check.data, PEER, BASE, 0.1)  # our own check, reflected
    server.endpoint.receive_datagram(check.data[:20], PEER, BASE, 0.1)
    server.endpoint.receive_datagram(b"", PEER, BASE, 0.1)
    server.endpoint.receive_datagram(bytes(1500), SERVER, BASE, 0.1)
    assert server.endpoint.discarded == 4


# --- the end of a session -----------------------------------------------------------------------------------


def test_a_closed_session_is_forgotten_and_its_events_are_told() -> None:
    server = registered()
    server.introduce()
    (session,) = server.endpoint.sessions
    server.events()
    number = server.endpoint.send_message(session, b"x", 0.0)
    server.endpoint.close_session(session, 0.0)
    told = [event.event for event in server.events() if isinstance(event, SessionEventOccurred)]
    assert told == [MessageUnconfirmed(number=number), SessionEnded(reason=None, detail="closed by us")]
    assert server.endpoint.sessions == ()
    server.endpoint.close_session(session, 0.0)
    assert server.events() == []
    with pytest.raises(MisuseError, match="is over"):
        server.endpoint.send_message(session, b"x", 0.0)


def test_the_name_of_an_ended_session_leaves_nothing_behind() -> None:
    server = registered()
    for index in range(50):
        server.introduce(session=f"session{index}")
        server.endpoint.close_session(server.endpoint.sessions[0], 0.0)
    own = server.endpoint._encounters._sessions
    assert not any((own._by_name, own._by_ufrag, own._by_field, own._unasked))


def test_the_endpoint_s_timer_is_the_earliest_of_all() -> None:
    server = registered()
    assert server.endpoint.get_timer() == 25.0, "the server's silence"
    server.introduce()
    assert server.endpoint.get_timer() == pytest.approx(0.05), "the session's next check"
    server.at(10.0)
    (session_ended,) = [
        event.event
        for event in server.events()
        if isinstance(event, SessionEventOccurred) and isinstance(event.event, SessionEnded)
    ]
    assert session_ended.reason is not None
    assert server.endpoint.get_timer() == 25.0


def test_each_introduction_has_credentials_of_its_own() -> None:
    server = registered()
    server.introduce(session="one1")
    server.introduce(session="two2")
    first, second = server.endpoint.sessions
    published: Credentials = server.endpoint._credentials
    assert first.local_ufrag == published.ufrag + "one1"
    assert second.local_ufrag == published.ufrag + "two2"


# --- a mapped port ------------------------------------------------------------------------------------------

MAPPED = TransportAddress(REFLEXIVE.ip, 7000)


def awake() -> RehearsedServer:
    server = registered()
    server.endpoint.wake(0.0)
    server.answer_awake(server.sent()[0])
    server.heard()
    return server


def mapped_candidates(server: RehearsedServer) -> list[list[str]]:
    """The server-reflexive candidates of each publication since the last time."""
    published = [message for message in server.heard() if isinstance(message, Publish)]
    return [[one.address for one in each.candidates if one.type == "srflx"] for each in published]


def test_a_mapped_port_is_published_at_once_and_withdrawn_at_its_end() -> None:
    server = awake()
    server.endpoint.set_mapped(MAPPED)
    assert mapped_candidates(server) == [[str(MAPPED)]]
    assert server.endpoint.mapped_address == MAPPED
    server.endpoint.set_mapped(MAPPED)
    assert mapped_candidates(server) == []
    server.endpoint.set_mapped(None)
    assert mapped_candidates(server) == [[]]
    assert server.endpoint.mapped_address is None


def test_a_mapped_port_is_preferred_a_little_less_than_the_observed_one() -> None:
    server = awake()
    server.endpoint.set_mapped(MAPPED)
    (publication,) = (message for message in server.heard() if isinstance(message, Publish))
    mapped = publication.candidates[-1]
    assert (mapped.priority, mapped.foundation) == (100 << 24 | 65534 << 8 | 255, "mapped")


def test_a_gateway_that_names_another_address_than_the_server_sees_is_not_believed() -> None:
    server = awake()
    server.endpoint.set_mapped(TransportAddress(PEER.ip, 7000))
    assert mapped_candidates(server) == []
    assert server.endpoint.mapped_address is None


def test_a_mapping_that_comes_before_the_observation_waits_for_it() -> None:
    server = registered()
    server.endpoint.wake(0.0)
    server.endpoint.set_mapped(MAPPED)
    assert mapped_candidates(server) == [[]]
    server.answer_awake(server.sent()[0])
    assert mapped_candidates(server) == [[str(MAPPED)]]


def test_a_mapped_port_never_makes_a_publication_too_long() -> None:
    hosts = [local_host(TransportAddress(BASE.ip, 4000 + number)) for number in range(20)]
    server = RehearsedServer(candidates=hosts)
    server.register()
    server.endpoint.wake(0.0)
    server.endpoint.set_mapped(MAPPED)
    server.answer_awake(server.sent()[0])
    lengths = [len(message.candidates) for message in server.heard() if isinstance(message, Publish)]
    assert lengths == [MAX_CANDIDATES, MAX_CANDIDATES]
