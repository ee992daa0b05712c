"""The first datagram to a peer's public address dies behind our NAT, where we know how far away that is."""

from __future__ import annotations

import msgspec
import pytest

from natcore.control.messages import WireCandidate
from tests.unit.natcore.endpoint.rehearsed_server import INTRODUCTION, RehearsedServer

PUBLIC = WireCandidate(type="srflx", address="203.0.113.8:6000", priority=1694498815, foundation="observed")


def ttls_of_first_datagrams(distance: int | None, **changes: object) -> list[int | None]:
    server = RehearsedServer()
    server.endpoint.wake(0.0)
    server.register()
    server.answer_awake(server.sent()[0])
    server.endpoint.set_nat(None, 0.0, distance=distance)
    server.sent()
    server.introduce(candidates=(PUBLIC,), **changes)
    return [one.ttl for one in server.sent() if str(one.destination) == PUBLIC.address]


@pytest.mark.parametrize(("distance", "ttls"), [(1, [2]), (3, [4]), (None, [None])])
def test_it_lives_for_one_hop_more_than_our_nat_is_away(distance: int | None, ttls: list[int | None]) -> None:
    assert ttls_of_first_datagrams(distance) == ttls


def test_so_it_does_when_a_path_is_looked_for_anew() -> None:
    server = RehearsedServer()
    server.endpoint.wake(0.0)
    server.register()
    server.answer_awake(server.sent()[0])
    server.introduce()
    server.endpoint.set_nat(None, 0.0, distance=1)
    server.sent()
    server.say(
        msgspec.structs.replace(
            INTRODUCTION, session="second", renews=INTRODUCTION.session, candidates=(PUBLIC,)
        )
    )
    assert [one.ttl for one in server.sent() if str(one.destination) == PUBLIC.address] == [2]
