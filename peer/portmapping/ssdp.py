"""Finding a UPnP gateway: the search for it, and the one answer that counts (SSDP).

The search goes to the gateway itself and to the multicast address, as some gateways answer only one of them.
An answer counts only when it comes from the gateway's address, is for an Internet Gateway Device and names a
description on that very address over plain HTTP: so nobody else in the home network can send us anywhere.

Source: UPnP Device Architecture 2.0 section 1.3.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from natcore.address import IPAddress
from peer.errors import MappingFailed
from peer.portmapping.gateway import Gateway

MULTICAST_IP = "239.255.255.250"
MULTICAST_TTL = 2
"""Hops (UPnP Device Architecture 2.0 section 1.3.2)."""

TARGETS = (
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
)
"""What is searched for. A gateway of version 2 answers to both, one of version 1 only to its own."""

SEARCH_OFFSETS = (0.0, 0.25, 0.75)
"""Seconds at which the search is sent."""

SEARCH_TIMEOUT = 1.0
"""Seconds in all. Devices may wait a random part of MX, which is 1 s at least, before they answer a multicast
search; an answer to a unicast one is due at once."""

MAX_ANSWER_SIZE = 4_096
MAX_HEADERS = 64
MAX_LOCATION_LENGTH = 512


def location_of(answer: bytes, gateway: IPAddress) -> str | None:
    """The description's address in an answer that came from ``gateway``; None where it is not for us."""
    if len(answer) > MAX_ANSWER_SIZE:
        return None
    status, *lines = answer.decode("latin-1").split("\r\n", MAX_HEADERS)
    if not (status.startswith("HTTP/1.") and status[8:12] == " 200"):
        return None
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    location = headers.get("location", "")
    is_gateway_device = "InternetGatewayDevice" in headers.get("st", "")
    return location if is_gateway_device and is_on(location, gateway) else None


def is_on(url: str, gateway: IPAddress) -> bool:
    """Whether an address is the gateway's own, by number and over plain HTTP."""
    if len(url) > MAX_LOCATION_LENGTH or not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    if parts.scheme != "http" or parts.username is not None or port == 0:
        return False
    return parts.hostname == str(gateway)


async def search(gateway: Gateway) -> str:
    """Asks for the gateway's description; returns its address.

    Raises:
        MappingFailed: nobody has answered in time.
    """
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    try:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Answers(gateway, found), sock=_open_socket(gateway)
        )
    except OSError as exc:
        raise MappingFailed(reason=f"cannot search for UPnP: {exc}") from exc
    try:
        async with asyncio.timeout(SEARCH_TIMEOUT), asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(_keep_searching(transport, gateway))
            location = await found
            sending.cancel()
            return location
    except TimeoutError:
        raise MappingFailed(reason=f"no UPnP gateway answers at {gateway.ip}") from None
    finally:
        transport.abort()


class _Answers(asyncio.DatagramProtocol):
    def __init__(self, gateway: Gateway, found: asyncio.Future[str]) -> None:
        self._gateway = gateway
        self._found = found

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if addr[0] != str(self._gateway.ip) or self._found.done():
            return
        location = location_of(data, self._gateway.ip)
        if location is not None:
            self._found.set_result(location)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens at the gateway's port; the multicast search may find one yet."""


async def _keep_searching(transport: asyncio.DatagramTransport, gateway: Gateway) -> None:
    destinations = [(str(gateway.ip), gateway.ssdp_port), (MULTICAST_IP, gateway.ssdp_port)]
    before = 0.0
    for offset in SEARCH_OFFSETS:
        await asyncio.sleep(offset - before)
        before = offset
        for destination in destinations:
            for request in _requests(destination):
                with contextlib.suppress(OSError):  # a host without a multicast route asks the gateway only
                    transport.sendto(request, destination)


def _requests(destination: tuple[str, int]) -> Sequence[bytes]:
    host, port = destination
    head = f'M-SEARCH * HTTP/1.1\r\nHOST: {host}:{port}\r\nMAN: "ssdp:discover"\r\nMX: 1\r\n'
    return [f"{head}ST: {target}\r\n\r\n".encode() for target in TARGETS]


def _open_socket(gateway: Gateway) -> socket.socket:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, MULTICAST_TTL)
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(str(gateway.local_ip)))
        udp.setblocking(False)
        udp.bind((str(gateway.local_ip), 0))
    except BaseException:
        udp.close()
        raise
    return udp
