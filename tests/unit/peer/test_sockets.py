from __future__ import annotations

import asyncio
import errno
import socket
from ipaddress import ip_address

import pytest

from natcore.address import TransportAddress
from natcore.agent import Transmit
from peer.sockets import UdpSocket, address_towards

LOOPBACK = ip_address("127.0.0.1")


async def closed(udp: UdpSocket) -> None:
    udp.close()
    await asyncio.sleep(0)  # asyncio closes in its next round


def to(destination: str, base: TransportAddress, *, ttl: int | None = None) -> Transmit:
    return Transmit(data=b"x", destination=TransportAddress.parse(destination), base=base, ttl=ttl)


@pytest.mark.parametrize("code", [errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EPERM, errno.EADDRNOTAVAIL])
async def test_what_the_system_refuses_is_counted_and_not_raised(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: socket.socket, data: bytes, address: object) -> int:
        raise OSError(code, "refused")

    udp = await UdpSocket.open(LOOPBACK)
    assert udp.base is not None
    assert udp.send(to("127.0.0.1:9", udp.base))
    monkeypatch.setattr(socket.socket, "sendto", refuse)
    assert not udp.send(to("127.0.0.1:9", udp.base))
    assert udp.refused == 1
    monkeypatch.undo()
    assert udp.send(to("127.0.0.1:9", udp.base)), "and the next one goes out as if nothing had been"
    await closed(udp)
    assert not udp.send(to("127.0.0.1:9", udp.base))


async def test_an_interface_that_takes_nothing_lets_no_queue_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    def block(self: socket.socket, data: bytes, address: object) -> int:
        raise BlockingIOError

    udp = await UdpSocket.open(LOOPBACK)
    assert udp.base is not None
    monkeypatch.setattr(socket.socket, "sendto", block)
    data = bytes(1200)
    taken = [udp.send(Transmit(data=data, destination=udp.base, base=udp.base)) for _ in range(100)].count(
        True
    )
    assert 64 * 1024 <= taken * len(data) < 66 * 1024
    assert udp.refused == 100 - taken
    await closed(udp)


async def test_an_address_of_another_family_is_refused_like_any_other_that_cannot_be_reached() -> None:
    udp = await UdpSocket.open(LOOPBACK)
    assert udp.base is not None
    assert not udp.send(to("[2001:db8::1]:9", udp.base))
    await closed(udp)


def test_the_way_to_loopback_begins_at_loopback() -> None:
    assert address_towards(LOOPBACK) == LOOPBACK
