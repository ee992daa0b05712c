"""A node's UDP sockets: one for each of the machine's usable addresses, each the base of a host candidate."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from ipaddress import ip_address

from natcore.address import IPAddress, TransportAddress
from natcore.agent import Transmit
from peer.interfaces import local_addresses

logger = logging.getLogger(__name__)

MAX_INTERFACES = 8
"""Addresses that get a socket and become host candidates, those of the default route first."""


class UdpSocket(asyncio.DatagramProtocol):
    """One UDP socket, bound to one address.

    Attributes:
        base: the local address, once it is open.
    """

    def __init__(self) -> None:
        self.base: TransportAddress | None = None
        self.receiver: Callable[[bytes, TransportAddress, TransportAddress], None] | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._ttl: int | None = None

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

    def error_received(self, exc: Exception) -> None:
        """An ICMP error came back; that a check finds nobody is the core's everyday life."""
        logger.debug("! %s: %s", self.base, exc)

    def send(self, transmit: Transmit) -> None:
        """Sends one datagram."""
        if self._transport is not None and not self._transport.is_closing():
            self._set_ttl(transmit.ttl)
            self._transport.sendto(transmit.data, transmit.destination.to_sockaddr())

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


async def open_sockets(server_ip: IPAddress) -> list[UdpSocket]:
    """One socket for each usable address, that of the route to the server first."""
    routed = address_towards(server_ip)
    addresses = [] if routed is None else [routed]
    addresses += [ip for ip in local_addresses() if ip != routed and ip.is_loopback is server_ip.is_loopback]
    sockets = []
    for ip in addresses[:MAX_INTERFACES]:
        with contextlib.suppress(OSError):  # an address that is going away costs its candidate only
            sockets.append(await UdpSocket.open(ip))
    return sockets


def address_towards(destination: IPAddress) -> IPAddress | None:
    """The source address that the routing table gives a datagram to ``destination``; sends nothing."""
    family = socket.AF_INET if destination.version == 4 else socket.AF_INET6
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((str(destination), 9))
        return ip_address(probe.getsockname()[0].partition("%")[0])
    return None
