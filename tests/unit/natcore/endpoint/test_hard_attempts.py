"""What an endpoint tells of attempts beyond plain checks, and what becomes of one that cannot be made."""

from __future__ import annotations

from natcore.channel import TimelineEvent
from natcore.endpoint import SessionNoted, SocketsWanted
from natcore.hardnat import SideSummary, Technique
from natcore.nat import FilteringBehavior, MappingBehavior, PortAllocation
from tests.unit.natcore.endpoint.rehearsed_server import REFLEXIVE, RehearsedServer

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
