from __future__ import annotations

import asyncio
import socket
from itertools import islice

import pytest

from peer import link
from peer.errors import ServerUnreachable
from peer.link import FIRST_RETRY_DELAY, MAX_RETRY_DELAY, ServerLink, retry_delays
from peer.server_address import ServerAddress


def highest(_low: float, high: float) -> float:
    return high


def lowest(low: float, _high: float) -> float:
    return low


def test_delays_double_up_to_the_limit_and_stay_there() -> None:
    assert list(islice(retry_delays(highest), 8)) == [0.5, 1, 2, 4, 8, 10, 10, 10]


def test_each_delay_may_be_as_short_as_its_half() -> None:
    assert list(islice(retry_delays(lowest), 8)) == [0.25, 0.5, 1, 2, 4, 5, 5, 5]


def test_delays_are_spread_by_chance() -> None:
    firsts = {next(retry_delays()) for _ in range(20)}
    assert len(firsts) > 1
    assert all(FIRST_RETRY_DELAY / 2 <= first <= FIRST_RETRY_DELAY <= MAX_RETRY_DELAY for first in firsts)


async def test_a_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_address: object, **_options: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(link, "CONNECT_TIMEOUT", 0.01)
    monkeypatch.setattr(asyncio, "open_connection", never)
    with pytest.raises(ServerUnreachable, match=r"192\.0\.2\.1:10080: no answer in 0 s$"):
        await ServerLink(ServerAddress("192.0.2.1")).open()


@pytest.mark.parametrize(
    ("failure", "detail"),
    [
        (ConnectionRefusedError(111, "x"), "connection refused"),
        (OSError(113, "x"), "no route to host"),
        (OSError("Multiple exceptions: [a, b]"), "Multiple exceptions"),
        (socket.gaierror(-2, "x"), "its name does not resolve"),
        (UnicodeError("label too long"), "its name does not resolve"),
    ],
)
async def test_what_stands_between_us_and_the_server_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, failure: Exception, detail: str
) -> None:
    async def fail(*_address: object, **_options: object) -> None:
        raise failure

    monkeypatch.setattr(asyncio, "open_connection", fail)
    with pytest.raises(ServerUnreachable) as caught:
        await ServerLink(ServerAddress("192.0.2.1")).open()
    assert detail in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_ipv4_is_tried_first_and_then_any_family(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    async def refuse(*_address: object, family: int = socket.AF_UNSPEC) -> None:
        tried.append(family)
        raise ConnectionRefusedError(111, "x")

    monkeypatch.setattr(asyncio, "open_connection", refuse)
    with pytest.raises(ServerUnreachable):
        await ServerLink(ServerAddress("server.example")).open()
    assert tried == [socket.AF_INET, socket.AF_UNSPEC]


async def test_without_a_connection_nothing_is_sent_and_the_end_is_read() -> None:
    unopened = ServerLink(ServerAddress("192.0.2.1"))
    unopened.send(b"into the void")
    unopened.cut()
    assert await unopened.receive() == b""
    await unopened.close()


async def test_a_server_that_does_not_read_is_not_read_from() -> None:
    is_to_read, has_ended = asyncio.Event(), asyncio.Event()

    async def deaf_for_a_while(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"first")
        await is_to_read.wait()
        while await reader.read(1024 * 1024):
            pass
        writer.close()
        await writer.wait_closed()
        has_ended.set()

    server = await asyncio.start_server(deaf_for_a_while, "127.0.0.1", 0)
    async with server:
        opened = ServerLink(ServerAddress("127.0.0.1", server.sockets[0].getsockname()[1]))
        await opened.open()
        opened.send(bytes(32 * 1024 * 1024))
        reading = asyncio.create_task(opened.receive())
        for _ in range(100):
            await asyncio.sleep(0)
        assert not reading.done(), "what we said waits to be read, so nothing more is asked of us"
        is_to_read.set()
        assert await reading == b"first"
        await opened.close()
        await has_ended.wait()
