from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack

import pytest

from natcore.address import TransportAddress
from rendezvous.datagrams import MAX_DATAGRAM_SIZE, DatagramSocket


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
