"""The kernel's extended errors, byte for byte; and that sockets of a check are real ones."""

from __future__ import annotations

import asyncio
import socket
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from natcore.address import TransportAddress
from natcore.agent import Transmit
from peer.check.sockets import ProbeSocket, dead_at

LOCAL, ICMP, ICMPV6 = 1, 2, 3
ROUTER = IPv4Address("192.0.2.1")
ROUTER6 = IPv6Address("2001:db8::1")


def extended_error(origin: int, kind: int, *, errno: int = 113, code: int = 0) -> bytes:
    """struct sock_extended_err of linux/errqueue.h."""
    return struct.pack("=IBBBBII", errno, origin, kind, code, 0, 0, 0)


def sockaddr_in(ip: IPv4Address) -> bytes:
    return struct.pack("=HH", socket.AF_INET, 0) + ip.packed + bytes(8)


def sockaddr_in6(ip: IPv6Address) -> bytes:
    return struct.pack("=HHI", socket.AF_INET6, 0, 0) + ip.packed + bytes(4)


EXPIRED = extended_error(ICMP, 11) + sockaddr_in(ROUTER)
EXPIRED6 = extended_error(ICMPV6, 3) + sockaddr_in6(ROUTER6)


@pytest.mark.parametrize(("information", "router"), [(EXPIRED, ROUTER), (EXPIRED6, ROUTER6)])
def test_the_router_where_the_hops_ran_out_is_named(
    information: bytes, router: IPv4Address | IPv6Address
) -> None:
    assert dead_at(information) == router


@pytest.mark.parametrize(
    ("origin", "kind"),
    [
        (ICMP, 3),
        (ICMP, 0),
        (ICMP, 12),
        (ICMPV6, 1),
        (ICMPV6, 11),
        (ICMPV6, 2),
        (LOCAL, 11),
        (0, 0),
        (ICMP, 255),
    ],
    ids=[
        *("unreachable", "echo reply", "parameter problem", "unreachable over IPv6"),
        *("IPv4's number over IPv6", "too big", "our own host's", "none", "unheard of"),
    ],
)
def test_no_other_error_names_a_router(origin: int, kind: int) -> None:
    assert dead_at(extended_error(origin, kind) + sockaddr_in(ROUTER)) is None
    assert dead_at(extended_error(origin, kind) + sockaddr_in6(ROUTER6)) is None


def test_an_error_without_an_offender_names_nobody() -> None:
    unspecified = struct.pack("=HH", socket.AF_UNSPEC, 0) + bytes(24)
    assert dead_at(extended_error(ICMP, 11) + unspecified) is None


@pytest.mark.parametrize("length", range(len(EXPIRED)))
def test_a_truncated_error_names_the_router_or_nobody(length: int) -> None:
    complete = 16 + 8  # the error itself, and the family, port and address of the offender
    assert dead_at(EXPIRED[:length]) == (ROUTER if length >= complete else None)


@pytest.mark.parametrize("length", range(len(EXPIRED6)))
def test_a_truncated_error_of_ipv6_names_the_router_or_nobody(length: int) -> None:
    complete = 16 + 24
    assert dead_at(EXPIRED6[:length]) == (ROUTER6 if length >= complete else None)


# --- the sockets themselves ---------------------------------------------------------------------------------


class Pair:
    """Two sockets on loopback, and what the second received."""

    def __init__(self) -> None:
        self.ours, self.theirs = (ProbeSocket(ip_address("127.0.0.1")) for _ in range(2))
        self.received: list[tuple[bytes, TransportAddress, TransportAddress]] = []
        self.has_received = asyncio.Event()
        self.theirs.start(self.take, lambda _base, _router: None)

    def take(self, data: bytes, source: TransportAddress, base: TransportAddress) -> None:
        self.received.append((data, source, base))
        self.has_received.set()

    def send(
        self, data: bytes, *, destination: TransportAddress | None = None, ttl: int | None = None
    ) -> None:
        to = self.theirs.base if destination is None else destination
        self.ours.send(Transmit(data=data, destination=to, base=self.ours.base, ttl=ttl))

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


async def test_a_datagram_arrives_with_its_source_and_the_socket_that_took_it() -> None:
    pair = Pair()
    pair.send(b"hello", ttl=1)
    async with asyncio.timeout(5):
        await pair.has_received.wait()
    assert pair.received == [(b"hello", pair.ours.base, pair.theirs.base)]
    pair.close()


async def test_what_the_system_refuses_is_lost_and_the_next_is_sent() -> None:
    pair = Pair()
    pair.send(bytes(70_000))
    pair.send(b"x", destination=TransportAddress.parse("255.255.255.255:9"))
    pair.send(b"x", destination=TransportAddress.parse("[::1]:9"))
    pair.send(b"x", ttl=1000)
    pair.send(b"after")
    async with asyncio.timeout(5):
        await pair.has_received.wait()
    assert [data for data, _, _ in pair.received] == [b"after"]
    pair.close()


def test_an_address_of_another_host_cannot_be_bound() -> None:
    with pytest.raises(OSError, match="assign"):
        ProbeSocket(ip_address("192.0.2.1"))
