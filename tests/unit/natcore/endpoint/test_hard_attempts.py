"""What an endpoint tells of attempts beyond plain checks, and what becomes of one that cannot be made."""

from __future__ import annotations

import pytest

from natcore.address import TransportAddress
from natcore.channel import PeerSession, TimelineEvent
from natcore.endpoint import SessionNoted, SocketsWanted
from natcore.hardnat import SideSummary, Technique
from natcore.nat import FilteringBehavior, MappingBehavior, PortAllocation
from tests.unit.natcore.endpoint.rehearsed_server import BASE, REFLEXIVE, RehearsedServer

STRICT = SideSummary(
    mapping=MappingBehavior.ENDPOINT_INDEPENDENT,
    filtering=FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT,
    sockets=256,
    packets=2000,
)
SYMMETRIC = SideSummary(
    mapping=MappingBehavior.ADDRESS_AND_PORT_DEPENDENT,
    filtering=FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT,
    allocation=PortAllocation.RANDOM,
    sockets=256,
    packets=2000,
)


def awake_behind_a_symmetric_nat() -> RehearsedServer:
    server = RehearsedServer()
    server.register()
    server.endpoint.wake(server.now)
    (awake,) = server.sent()
    server.answer_awake(awake)
    server.endpoint.set_nat(SYMMETRIC, server.now)
    server.events()
    return server


def introduce(server: RehearsedServer, name: str) -> tuple[list[SocketsWanted], list[SessionNoted]]:
    server.introduce(session=name, nat=STRICT, observed=str(REFLEXIVE))
    told = server.events(with_notes=True)
    return (
        [one for one in told if isinstance(one, SocketsWanted)],
        [one for one in told if isinstance(one, SessionNoted)],
    )


def test_a_plan_is_on_the_timeline_and_for_looking_at() -> None:
    server = awake_behind_a_symmetric_nat()
    (wanted,), noted = introduce(server, "first")
    assert wanted.session.peer_nat == STRICT
    assert wanted.session.plan is not None
    assert wanted.session.plan.technique is Technique.BIRTHDAY
    assert TimelineEvent.PLAN_CHOSEN in [one.entry.event for one in noted]


def test_an_attempt_without_its_sockets_is_told_to_be_skipped_and_the_next_may_begin() -> None:
    server = awake_behind_a_symmetric_nat()
    (wanted,), _ = introduce(server, "first")
    server.endpoint.open_for(wanted.session, [], server.now)
    last = wanted.session.timeline.entries[-1]
    assert (last.event, last.detail) == (TimelineEvent.ATTEMPT_SKIPPED, "0 sockets of 256 are open")
    assert introduce(server, "second")[0], "the budget of the first attempt was not given back"


def sockets_of(server: RehearsedServer) -> list[PeerSession]:
    return [one.session for one in server.events() if isinstance(one, SocketsWanted)]


def open_for(server: RehearsedServer, session: PeerSession) -> None:
    bases = [TransportAddress(BASE.ip, 50000 + index) for index in range(256)]
    server.endpoint.open_for(session, bases, server.now)


@pytest.mark.parametrize("is_begun", [True, False], ids=["begun", "still waiting for its sockets"])
def test_who_comes_during_an_attempt_waits_for_its_end(is_begun: bool) -> None:
    server = awake_behind_a_symmetric_nat()
    (first,), _ = introduce(server, "first")
    if is_begun:
        open_for(server, first.session)
    wanted, noted = introduce(server, "second")
    assert not wanted
    assert (noted[-1].entry.event, noted[-1].entry.detail) == (
        TimelineEvent.ATTEMPT_DELAYED,
        "another one is under way",
    )
    introduce(server, "third")
    server.endpoint.set_nat(SYMMETRIC, server.now)
    server.endpoint.handle_timer(server.now)
    assert not sockets_of(server), "before its turn"
    server.endpoint.close_session(first.session, server.now)
    server.endpoint.handle_timer(server.now)
    (second,) = sockets_of(server)
    assert second.introduction == "second"
    open_for(server, second)
    assert second.timeline.entries[-1].event is TimelineEvent.ATTEMPT_BEGUN
    server.endpoint.handle_timer(server.now)
    assert not sockets_of(server), "the third one's turn has not come"


def test_who_is_gone_before_its_turn_keeps_nobody_waiting() -> None:
    server = awake_behind_a_symmetric_nat()
    (first,), _ = introduce(server, "first")
    introduce(server, "second")
    introduce(server, "third")
    _, second, _ = server.endpoint.sessions
    server.endpoint.close_session(second, server.now)
    server.endpoint.close_session(first.session, server.now)
    server.endpoint.handle_timer(server.now)
    (third,) = sockets_of(server)
    assert third.introduction == "third"
