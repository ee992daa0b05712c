"""Plain UDP sockets for measuring: each with its own lifetime of packets, and with the routers' complaints.

asyncio's datagram transports hide who sent an ICMP error. Linux tells it through the socket's error queue
(ip(7), IP_RECVERR), without any privilege; elsewhere the routers on the way stay unknown.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
from collections.abc import Callable
from ipaddress import ip_address

from natcore.address import IPAddress, TransportAddress
from natcore.agent import Transmit

MAX_DATAGRAM_SIZE = 2048
"""Bytes; no answer that is asked for is longer."""

MAX_DATAGRAMS_A_WAKE = 64
"""Then the event loop gets a turn."""

_HAS_ERROR_QUEUE = sys.platform == "linux"
_MSG_ERRQUEUE = 0x2000  # Linux's numbers; Python names none of them
_IP_RECVERR = 11
_IPV6_RECVERR = 25
_EXTENDED_ERROR = struct.Struct("=IBBBBII")  # struct sock_extended_err of linux/errqueue.h
_TIME_EXCEEDED = {(2, 11), (3, 3)}  # origin ICMP and its type; origin ICMPv6 and its type

Receiver = Callable[[bytes, TransportAddress, TransportAddress], None]
HopReceiver = Callable[[TransportAddress, IPAddress], None]


class ProbeSocket:
    """One socket on one address, read by the event loop; whoever opens it closes it.

    Attributes:
        base: its address.
    """

    def __init__(self, ip: IPAddress) -> None:
        """Binds to a free port.

        Raises:
            OSError: the address is none of ours.
        """
        self._is_ipv6 = ip.version == 6
        self._socket = socket.socket(socket.AF_INET6 if self._is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
        self._ttl: int | None = None
        self._received: Receiver | None = None
        self._hop_answered: HopReceiver | None = None
        try:
            self._socket.setblocking(False)
            if _HAS_ERROR_QUEUE:
                if self._is_ipv6:
                    self._socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
                else:
                    self._socket.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            self._socket.bind((str(ip), 0))
        except BaseException:
            self._socket.close()
            raise
        self.base = TransportAddress.from_sockaddr(self._socket.getsockname())

    def start(self, received: Receiver, hop_answered: HopReceiver) -> None:
        """Begins to hand on what arrives; in a running event loop."""
        self._received, self._hop_answered = received, hop_answered
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def send(self, transmit: Transmit) -> None:
        """Sends one datagram; what the system refuses is lost, as any datagram may be."""
        with contextlib.suppress(OSError):
            if transmit.ttl != self._ttl:
                self._set_ttl(transmit.ttl)
            self._socket.sendto(transmit.data, transmit.destination.to_sockaddr())

    def close(self) -> None:
        """Closes it."""
        if self._received is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _set_ttl(self, ttl: int | None) -> None:
        level, option = (
            (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)
            if self._is_ipv6
            else (socket.IPPROTO_IP, socket.IP_TTL)
        )
        self._socket.setsockopt(level, option, -1 if ttl is None else ttl)
        self._ttl = ttl

    def _read(self) -> None:
        self._read_errors()
        for _ in range(MAX_DATAGRAMS_A_WAKE):
            try:
                data, sockaddr = self._socket.recvfrom(MAX_DATAGRAM_SIZE)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue  # an ICMP error; the queue has told it
            if self._received is not None:
                self._received(data, TransportAddress.from_sockaddr(sockaddr), self.base)

    def _read_errors(self) -> None:
        for _ in range(MAX_DATAGRAMS_A_WAKE if _HAS_ERROR_QUEUE else 0):
            try:
                _, ancillary, _, _ = self._socket.recvmsg(1, 512, _MSG_ERRQUEUE)
            except OSError:
                return
            for _, _, information in ancillary:
                router = dead_at(information)
                if router is not None and self._hop_answered is not None:
                    self._hop_answered(self.base, router)


def dead_at(information: bytes) -> IPAddress | None:
    """The router that an extended error names as where a packet's hops were used up, or None."""
    if len(information) < _EXTENDED_ERROR.size + 8:
        return None
    _, origin, kind, _, _, _, _ = _EXTENDED_ERROR.unpack_from(information)
    offender = information[_EXTENDED_ERROR.size :]
    (family,) = struct.unpack_from("=H", offender)
    if (origin, kind) not in _TIME_EXCEEDED:
        return None
    if family == socket.AF_INET:
        return ip_address(offender[4:8])
    if family == socket.AF_INET6 and len(offender) >= 24:
        return ip_address(offender[8:24])
    return None
