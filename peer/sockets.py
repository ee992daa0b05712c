"""A node's UDP sockets; each is bound to one address and is the base of a host candidate.

A socket whose way is dead or slow delays nobody: what the system refuses (no route, not permitted, a full
queue) is counted and lost, as any datagram may be, and no queue of ours grows behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from ipaddress import ip_address

from natcore.address import IPAddress, TransportAddress
from natcore.agent import Transmit

logger = logging.getLogger(__name__)


class UdpSocket(asyncio.DatagramProtocol):
    """One UDP socket, bound to one address.

    Attributes:
        base: the local address, once it is open.
        refused: datagrams that the system did not take, and ICMP errors that came back for others.
    """

    def __init__(self) -> None:
        self.base: TransportAddress | None = None
        self.refused = 0
        self.receiver: Callable[[bytes, TransportAddress, TransportAddress], None] | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._ttl: int | None = None
        self._is_paused = False

    @classmethod
    async def open(cls, ip: IPAddress) -> UdpSocket:
        """Binds a socket to ``ip`` and a free port.

        Raises:
            OSError: the address is none of ours, or cannot be used.
        """
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_datagram_endpoint(cls, local_addr=(str(ip), 0))
        protocol._transport = transport
        protocol.base = TransportAddress.from_sockaddr(transport.get_extra_info("sockname"))
        return protocol

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Passes a datagram on; asyncio calls this."""
        if self.receiver is not None and self.base is not None:
            self.receiver(data, TransportAddress.from_sockaddr(addr), self.base)

    def pause_writing(self) -> None:
        """The interface takes nothing at the moment, and 64 KiB wait for it; asyncio calls this."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """It takes datagrams again; asyncio calls this."""
        self._is_paused = False

    def error_received(self, exc: Exception) -> None:
        """The system refused a datagram, or an ICMP error came back: the core's everyday life."""
        self.refused += 1
        logger.debug("! %s: %s", self.base, exc)

    def send(self, transmit: Transmit) -> bool:
        """Sends one datagram; False, and counted, where the system refuses it. Never raises for that."""
        refused_before = self.refused
        if self._transport is None or self._transport.is_closing():
            return False
        if self._is_paused:
            self.refused += 1
            return False
        try:
            self._set_ttl(transmit.ttl)
            self._transport.sendto(transmit.data, transmit.destination.to_sockaddr())
        except OSError as exc:
            self.error_received(exc)
        return self.refused == refused_before  # asyncio tells of an error before it returns

    def _set_ttl(self, ttl: int | None) -> None:
        if ttl == self._ttl or self._transport is None or self.base is None:
            return
        udp = self._transport.get_extra_info("socket")
        if self.base.ip.version == 6:
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, -1 if ttl is None else ttl)
        else:
            udp.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, -1 if ttl is None else ttl)
        self._ttl = ttl

    def close(self) -> None:
        """Closes the socket."""
        if self._transport is not None:
            self._transport.abort()


def address_towards(destination: IPAddress) -> IPAddress | None:
    """The source address that the routing table gives a datagram to ``destination``; sends nothing."""
    family = socket.AF_INET if destination.version == 4 else socket.AF_INET6
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((str(destination), 9))
        return ip_address(probe.getsockname()[0].partition("%")[0])
    return None
