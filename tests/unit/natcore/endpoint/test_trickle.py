"""What changes with a peer after the introduction, and what changes with us."""

from __future__ import annotations

import msgspec
import pytest

from natcore.address import TransportAddress
from natcore.channel import SessionEnded, TimelineEvent
from natcore.control.messages import Connect, Decline, Declined, FaultCode, Publish, Trickle, WireCandidate
from natcore.endpoint import AwakeConfig, EndpointConfig, SessionEventOccurred, SessionLimits, SocketsWanted
from natcore.hardnat import Plan, SideSummary, Technique
from natcore.ice import FailureReason
from natcore.nat import FilteringBehavior, MappingBehavior, PortAllocation
from natcore.stun import is_stun
from tests.unit.natcore.endpoint.rehearsed_server import INTRODUCTION, PEER, SERVER, RehearsedServer

LATE = "203.0.113.8:7000"
HARD = SideSummary(
    mapping=MappingBehavior.ADDRESS_AND_PORT_DEPENDENT,
    filtering=FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT,
    allocation=PortAllocation.RANDOM,
    lowest=1024,
    highest=65535,
    seen=20,
    sockets=256,
    packets=2000,
)
CONE = SideSummary(
    mapping=MappingBehavior.ENDPOINT_INDEPENDENT,
    filtering=FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT,
    allocation=PortAllocation.PRESERVING,
    sockets=256,
    packets=2000,
)


def candidate(address: str) -> WireCandidate:
    return WireCandidate(type="srflx", address=address, priority=1694498815, foundation="observed")


def trickle(*addresses: str, nat: SideSummary | None = None, observed: str | None = None) -> Trickle:
    return Trickle(
        session=INTRODUCTION.session,
        candidates=tuple(candidate(address) for address in addresses),
        nat=nat,
        observed=observed,
    )


def introduced(config: EndpointConfig | None = None) -> RehearsedServer:
    server = RehearsedServer(config=config)
    server.endpoint.wake(0.0)
    server.register()
    server.answer_awake(server.sent()[0])
    server.introduce(controlling=False)
    server.events()
    server.sent()
    return server


def plan_of(server: RehearsedServer) -> Plan | None:
    (session,) = server.endpoint.sessions
    return session.plan


def ended(server: RehearsedServer) -> list[SessionEnded]:
    return [
        event.event
        for event in server.events()
        if isinstance(event, SessionEventOccurred) and isinstance(event.event, SessionEnded)
    ]


def test_a_candidate_that_comes_late_is_checked_at_once() -> None:
    server = introduced()
    server.say(trickle(LATE))
    server.at(0.05)
    assert LATE in {str(sent.destination) for sent in server.sent() if is_stun(sent.data)}


def test_one_that_is_known_already_changes_nothing() -> None:
    server = introduced()
    server.say(trickle(str(PEER)))
    assert server.sent() == []


def test_what_trickles_for_an_unknown_introduction_is_ignored() -> None:
    server = introduced()
    server.say(msgspec.structs.replace(trickle(LATE), session="another"))
    assert server.sent() == []


def test_a_nat_that_the_peer_learns_late_leads_to_a_plan() -> None:
    server = introduced()
    server.endpoint.set_nat(CONE, 0.1)
    assert plan_of(server) is None
    server.say(trickle(nat=HARD, observed="203.0.113.8:5000"))
    made = plan_of(server)
    assert made is not None
    assert made.technique is Technique.BIRTHDAY


def test_so_does_our_own_that_we_learn_late_and_it_is_published() -> None:
    server = introduced()
    server.say(trickle(nat=CONE, observed="203.0.113.8:5000"))
    server.endpoint.set_nat(HARD, 0.1)
    (session,) = server.endpoint.sessions
    assert session.plan is not None
    assert [event.count for event in server.events() if isinstance(event, SocketsWanted)] == [
        session.plan.sockets
    ]
    assert isinstance(server.heard()[-1], Publish)


def test_an_address_that_is_proven_late_lets_the_attempt_begin_once() -> None:
    server = introduced()
    server.endpoint.set_nat(HARD, 0.1)
    server.say(trickle(nat=CONE))
    assert not [event for event in server.events() if isinstance(event, SocketsWanted)]
    server.say(trickle(nat=CONE, observed="203.0.113.8:5000"))
    assert [event for event in server.events() if isinstance(event, SocketsWanted)]
    server.say(trickle(nat=CONE, observed="203.0.113.8:5000"))
    assert not [event for event in server.events() if isinstance(event, SocketsWanted)]
    (session,) = server.endpoint.sessions
    plans = [entry for entry in session.timeline.entries if entry.event is TimelineEvent.PLAN_CHOSEN]
    assert len(plans) == 1


def test_an_introduction_that_is_declined_ends_its_session_with_the_reason() -> None:
    server = introduced()
    server.say(
        Declined(session=INTRODUCTION.session, code=FaultCode.TOO_FAST, reason="too many sessions are open")
    )
    (end,) = ended(server)
    assert end.reason is FailureReason.REJECTED
    assert end.detail == "anna declined: too many sessions are open"


def test_one_that_we_do_not_follow_is_declined() -> None:
    server = introduced(EndpointConfig(limits=SessionLimits(in_all=1)))
    server.heard()
    (said,) = server.say(msgspec.structs.replace(INTRODUCTION, session="second", controlling=False))
    assert isinstance(said, Decline)
    assert (said.session, said.code) == ("second", FaultCode.TOO_FAST)


def test_a_renewal_of_a_session_that_we_do_not_know_is_declined() -> None:
    server = introduced()
    (said,) = server.say(msgspec.structs.replace(INTRODUCTION, session="second", renews="longGone"))
    assert isinstance(said, Decline)
    assert (said.session, said.code) == ("second", FaultCode.UNKNOWN_SESSION)


@pytest.mark.parametrize("is_same_program", [True, False])
def test_a_peer_that_has_started_anew_is_not_taken_for_the_old_one(is_same_program: bool) -> None:
    server = introduced()
    (session,) = server.endpoint.sessions
    renewal = msgspec.structs.replace(INTRODUCTION, session="second", renews=INTRODUCTION.session)
    if not is_same_program:
        renewal = msgspec.structs.replace(renewal, ufrag="anotherFragment")
    server.say(renewal)
    assert session.introduction == ("second" if is_same_program else INTRODUCTION.session)
    assert Connect(target="anna", renews=INTRODUCTION.session) not in server.heard()


def test_who_is_seen_elsewhere_asks_for_paths_anew_and_again_until_the_server_answers() -> None:
    ask = Connect(target="anna", renews=INTRODUCTION.session)
    server = introduced(EndpointConfig(awake=AwakeConfig(refresh_interval=2.0)))
    server.heard()
    server.at(2.0)
    (request,) = (sent for sent in server.sent() if sent.destination == SERVER)
    server.answer_awake(request, TransportAddress.parse("203.0.113.9:40000"))
    assert ask in server.heard()

    for is_answered in (False, True):
        if is_answered:
            server.say(msgspec.structs.replace(INTRODUCTION, session="second", renews=INTRODUCTION.session))
        server.endpoint.connection_lost(server.now)
        server.sent()
        server.register()
        (request,) = (sent for sent in server.sent() if sent.destination == SERVER)
        server.answer_awake(request, TransportAddress.parse("203.0.113.9:40000"))
        assert (ask in server.heard()) is not is_answered
