"""The UDP half of the shell: each datagram is answered from the endpoint that the registry names.

A socket that is bound to every address answers from whichever the route to the client prefers, and a NAT
discards what comes from an address that its client did not write to. So the kernel is asked for each
datagram's local address (IP_PKTINFO; RFC 3542 section 6.1 for IPv6) and told it again for the answer.
asyncio's datagram transports cannot do that; the socket is read directly.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, ip_address

from natcore.address import IPAddress, TransportAddress

logger = logging.getLogger(__name__)

MAX_DATAGRAM_SIZE = 2048
"""Bytes that are read. STUN needs less; a longer datagram is cut here and then does not decode."""

MAX_DATAGRAMS_A_WAKE = 64
"""Of all sockets together; then the event loop gets a turn: a flood on UDP must not silence TCP."""

_IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8)
"""Python names it from 3.12 on; the number is Linux's."""

_IN_PKTINFO = struct.Struct("=I4s4s")  # interface, local address, destination of the header
_IN6_PKTINFO = struct.Struct("=16sI")  # local address, interface
_HAS_PACKET_INFORMATION = sys.platform == "linux"

Receiver = Callable[[bytes, TransportAddress, TransportAddress], None]
"""Called with a datagram, its source, and the local address that it came to."""


class DatagramSocket:
    """Reads and writes datagrams on a bound, non-blocking UDP socket that somebody else closes.

    Attributes:
        bound: its own address, perhaps unspecified, and port.
    """

    def __init__(
        self, udp: socket.socket, receiver: Receiver, *, max_datagrams: int = MAX_DATAGRAMS_A_WAKE
    ) -> None:
        self._socket = udp
        self._receiver = receiver
        self._max_datagrams = max_datagrams
        self._is_ipv6 = udp.family == socket.AF_INET6
        self.bound = TransportAddress.from_sockaddr(udp.getsockname())
        if _HAS_PACKET_INFORMATION:
            if self._is_ipv6:
                udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            else:
                udp.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins to hand datagrams to the receiver."""
        loop.add_reader(self._socket, self._read)

    def stop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends that; must come before the socket is closed."""
        loop.remove_reader(self._socket)

    def send(self, data: bytes, destination: TransportAddress, base: TransportAddress) -> None:
        """Sends one datagram from ``base``; UDP promises nothing, so the system's refusal is only logged."""
        try:
            self._socket.sendmsg([data], self._packet_information(base), 0, self._sockaddr(destination))
        except OSError as exc:
            logger.debug("! %d bytes to %s not sent: %s", len(data), destination, exc)

    def _read(self) -> None:
        for _ in range(self._max_datagrams):
            try:
                data, ancillary, _, sockaddr = self._socket.recvmsg(MAX_DATAGRAM_SIZE + 1, 128)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as exc:  # an ICMP error about something that we sent
                logger.debug("! %s", exc)
                continue
            self._receiver(data, TransportAddress.from_sockaddr(sockaddr), self._base(ancillary))

    def _base(self, ancillary: list[tuple[int, int, bytes]]) -> TransportAddress:
        for level, kind, information in ancillary:
            if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO):
                return _local_address(_IN_PKTINFO.unpack(information)[1], self.bound.port)
            if (level, kind) == (socket.IPPROTO_IPV6, getattr(socket, "IPV6_PKTINFO", None)):
                return _local_address(_IN6_PKTINFO.unpack(information)[0], self.bound.port)
        return self.bound

    def _packet_information(self, base: TransportAddress) -> list[tuple[int, int, bytes]]:
        if not _HAS_PACKET_INFORMATION or base == self.bound:
            return []
        if self._is_ipv6:
            information = _IN6_PKTINFO.pack(_mapped(base.ip), 0)
            return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, information)]
        return [(socket.IPPROTO_IP, _IP_PKTINFO, _IN_PKTINFO.pack(0, base.ip.packed, bytes(4)))]

    def _sockaddr(self, destination: TransportAddress) -> tuple[str, int]:
        if self._is_ipv6 and destination.ip.version == 4:
            return f"::ffff:{destination.ip}", destination.port
        return destination.to_sockaddr()


class DatagramSockets:
    """All UDP sockets of the server; whatever arrives on any goes to one receiver."""

    def __init__(self, sockets: Sequence[socket.socket], receiver: Receiver) -> None:
        share = max(1, MAX_DATAGRAMS_A_WAKE // len(sockets))
        opened = [DatagramSocket(udp, receiver, max_datagrams=share) for udp in sockets]
        self._by_endpoint = {one.bound: one for one in opened}
        self._anywhere = {one.bound.port: one for one in opened if one.bound.ip.is_unspecified}

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins to hand datagrams to the receiver."""
        for one in self._by_endpoint.values():
            one.start(loop)

    def stop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends that; must come before the sockets are closed."""
        for one in self._by_endpoint.values():
            one.stop(loop)

    def send(self, data: bytes, destination: TransportAddress, base: TransportAddress) -> None:
        """Sends one datagram from ``base``, which is an endpoint of ours."""
        one = self._by_endpoint.get(base) or self._anywhere.get(base.port)
        if one is None:
            logger.debug("! %d bytes to %s not sent: %s is not ours", len(data), destination, base)
            return
        one.send(data, destination, base)


@lru_cache(maxsize=64)  # a machine has a handful of addresses
def _local_address(packed: bytes, port: int) -> TransportAddress:
    return TransportAddress.from_sockaddr((str(ip_address(packed)), port))


def _mapped(ip: IPAddress) -> bytes:
    """The 16 bytes by which an IPv6 socket knows an address (RFC 4291 section 2.5.5.2)."""
    return bytes(10) + b"\xff\xff" + ip.packed if isinstance(ip, IPv4Address) else ip.packed
