from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator

import pytest

from peer.interfaces import Change, network_changes, watch


@contextlib.asynccontextmanager
async def changes(**options: object) -> AsyncGenerator[AsyncGenerator[Change, None], None]:
    async with contextlib.aclosing(network_changes(**options)) as following:  # type: ignore[arg-type]
        yield following


async def test_where_nothing_is_told_there_is_a_look_every_few_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch, "_open_netlink", lambda: None)
    async with changes(poll_interval=0.0) as following:
        assert [await anext(following), await anext(following)] == [Change.INTERFACES] * 2


async def test_a_machine_without_netlink_is_looked_at_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> socket.socket:
        raise PermissionError

    monkeypatch.setattr(socket, "socket", refuse)
    async with changes(poll_interval=0.0) as following:
        assert await anext(following) is Change.INTERFACES


async def test_what_the_kernel_tells_is_followed_by_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    monkeypatch.setattr(watch, "_open_netlink", lambda: ours)
    monkeypatch.setattr(watch, "SETTLING_TIME", 0.0)
    with theirs:
        async with changes(poll_interval=3600.0) as following:
            for _ in range(3):
                theirs.send(b"a change")
                theirs.send(b"and its route")
                assert await anext(following) is Change.INTERFACES
    assert ours.fileno() == -1, "closed with the watch"


async def test_a_machine_that_slept_says_so_once() -> None:
    slept = iter([100.0, 100.5, 160.5, 160.5])
    async with changes(poll_interval=0.0, asleep=lambda: next(slept)) as following:
        told = [await anext(following) for _ in range(3)]
    assert told == [Change.INTERFACES, Change.SLEPT, Change.INTERFACES]


def test_this_machine_has_not_slept_between_two_looks() -> None:
    before = watch.time_asleep()
    assert watch.time_asleep() - before == pytest.approx(0.0, abs=1.0)


async def test_a_watch_can_be_cancelled() -> None:
    async def follow() -> None:
        async with changes(poll_interval=3600.0) as following:
            await anext(following)

    task = asyncio.create_task(follow())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
