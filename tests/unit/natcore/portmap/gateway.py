"""A gateway's answers, byte by byte, and a client that hears them."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

from natcore.address import TransportAddress
from natcore.portmap import NatPmpClient, PcpClient, PortMapEvent

GATEWAY = TransportAddress(IPv4Address("192.168.1.1"), 5351)
BASE = TransportAddress(IPv4Address("192.168.1.10"), 0)
NONCE = bytes(range(12))
EXTERNAL = IPv4Address("203.0.113.7")


def address_answer(*, result: int = 0, epoch: int = 100, ip: IPv4Address = EXTERNAL) -> bytes:
    return struct.pack("!BBHL", 0, 128, result, epoch) + ip.packed


def natpmp_answer(
    *, result: int = 0, epoch: int = 100, internal: int = 4000, external: int = 4001, lifetime: int = 3600
) -> bytes:
    return struct.pack("!BBHLHHL", 0, 129, result, epoch, internal, external, lifetime)


def pcp_header(
    *, opcode: int, result: int = 0, lifetime: int = 0, epoch: int = 100, version: int = 2
) -> bytes:
    return struct.pack("!BBBBLL12x", version, 128 | opcode, 0, result, lifetime, epoch)


def pcp_answer(
    *,
    result: int = 0,
    lifetime: int = 3600,
    epoch: int = 100,
    nonce: bytes = NONCE,
    protocol: int = 17,
    internal: int = 4000,
    external: int = 4001,
    ip: str = "::ffff:203.0.113.7",
    options: bytes = b"",
) -> bytes:
    body = struct.pack("!12sB3xHH16s", nonce, protocol, internal, external, IPv6Address(ip).packed)
    return pcp_header(opcode=1, result=result, lifetime=lifetime, epoch=epoch) + body + options


def hear(
    client: NatPmpClient | PcpClient, *answers: bytes, source: TransportAddress = GATEWAY, now: float = 0.0
) -> list[PortMapEvent]:
    """What the client tells after these answers."""
    for answer in answers:
        client.receive_datagram(answer, source, BASE, now)
    return list(iter(client.next_event, None))


def sent(client: NatPmpClient | PcpClient) -> list[bytes]:
    transmits = client.datagrams_to_send()
    assert all((one.destination, one.base) == (GATEWAY, BASE) for one in transmits)
    return [one.data for one in transmits]


def run_out(client: NatPmpClient | PcpClient) -> tuple[list[float], list[PortMapEvent]]:
    """When it sends while nobody answers, and what it tells in the end."""
    instants = [0.0] * len(sent(client))
    while (due := client.get_timer()) is not None:
        client.handle_timer(due)
        instants += [due] * len(sent(client))
    return instants, list(iter(client.next_event, None))
