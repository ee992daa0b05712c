from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack

import pytest

from natcore.address import TransportAddress
from rendezvous.datagrams import (
    MAX_DATAGRAM_SIZE,
    MAX_DATAGRAMS_A_WAKE,
    DatagramSocket,
    DatagramSockets,
)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.9"])
async def test_an_answer_comes_from_the_address_that_was_written_to(address: str) -> None:
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[tuple[bytes, TransportAddress, TransportAddress]] = asyncio.Queue()
    with ExitStack() as stack:
        server, client = (
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2)
        )
        for udp, host in ((server, "0.0.0.0"), (client, "127.0.0.1")):
            udp.bind((host, 0))
            udp.setblocking(False)
        port = server.getsockname()[1]
        datagrams = DatagramSocket(server, lambda *one: arrived.put_nowait(one))
        datagrams.start(loop)
        try:
            client.sendto(b"x" * 5000, (address, port))
            client.sendto(b"question", (address, port))
            async with asyncio.timeout(10):
                cut, _, _ = await arrived.get()
                data, source, base = await arrived.get()
                datagrams.send(b"answer", source, base)
                answer, answered_from = await loop.sock_recvfrom(client, 100)
        finally:
            datagrams.stop(loop)
    assert len(cut) == MAX_DATAGRAM_SIZE + 1, "too long to be STUN, and it can be seen"
    assert (data, source.to_sockaddr()) == (b"question", ("127.0.0.1", source.port))
    assert base == TransportAddress.from_sockaddr((address, port))
    assert (answer, answered_from) == (b"answer", (address, port))


async def test_what_the_system_refuses_to_send_is_no_error() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        datagrams = DatagramSocket(udp, lambda *_: None)
        base = TransportAddress.from_sockaddr(udp.getsockname())
        datagrams.send(b"x" * 70_000, TransportAddress.parse("127.0.0.1:9"), base)
        datagrams.send(b"x", TransportAddress.parse("[2001:db8::1]:9"), base)


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
async def test_of_two_sockets_the_one_sends_that_has_the_port_of_the_base(host: str) -> None:
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        first, second, client = (
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(3)
        )
        for udp, at in ((first, host), (second, host), (client, "127.0.0.1")):
            udp.bind((at, 0))
            udp.setblocking(False)
        datagrams = DatagramSockets((first, second), lambda *_: None)
        destination = TransportAddress.from_sockaddr(client.getsockname())
        for udp in (second, first):
            base = TransportAddress.from_sockaddr(("127.0.0.1", udp.getsockname()[1]))
            datagrams.send(b"answer", destination, base)
            async with asyncio.timeout(10):
                assert await loop.sock_recvfrom(client, 100) == (b"answer", base.to_sockaddr())
        datagrams.send(b"from nowhere", destination, TransportAddress.parse("198.51.100.1:9"))
        with pytest.raises(BlockingIOError):
            client.recv(100)


async def test_a_flood_on_every_socket_takes_one_turn_of_the_bounded_length() -> None:
    loop = asyncio.get_running_loop()
    arrived: list[bytes] = []
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(4)]
        for udp in sockets:
            udp.bind(("127.0.0.1", 0))
            udp.setblocking(False)
        client = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        for udp in sockets:
            for _ in range(MAX_DATAGRAMS_A_WAKE):
                client.sendto(b"x", udp.getsockname())
        datagrams = DatagramSockets(sockets, lambda data, *_: arrived.append(data))
        datagrams.start(loop)
        try:
            turns: list[int] = []
            async with asyncio.timeout(10):
                while len(arrived) < len(sockets) * MAX_DATAGRAMS_A_WAKE:
                    before = len(arrived)
                    await asyncio.sleep(0)
                    turns.append(len(arrived) - before)
        finally:
            datagrams.stop(loop)
    assert max(turns) <= MAX_DATAGRAMS_A_WAKE
