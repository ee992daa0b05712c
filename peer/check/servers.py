"""Which STUN servers to ask, as people write them: ``HOST[:PORT]`` for a rendezvous server, or ``stun:…``."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from natcore.address import TransportAddress
from natcore.errors import DecodeError
from peer.server_address import ServerAddress

STUN_PORT = 3478
"""Of plain STUN servers (RFC 8489 section 8.1)."""

RESOLVE_TIMEOUT = 3.0
"""Seconds for all names together."""

_SCHEME = "stun:"


def parse_stun_server(text: str) -> ServerAddress:
    """Reads ``HOST[:PORT]``, or ``stun:HOST[:PORT]`` as RFC 7064 has it, whose port is 3478 by default.

    Raises:
        DecodeError: it is neither.
    """
    text = text.strip()
    if not text.lower().startswith(_SCHEME):
        return ServerAddress.parse(text)
    rest = text[len(_SCHEME) :]
    if "/" in rest:
        raise DecodeError("server", got=ascii(text[:64]), expected="stun:HOST or stun:HOST:PORT")
    server = ServerAddress.parse(rest)
    names_port = rest.strip() not in (server.host, f"[{server.host}]")
    return server if names_port else ServerAddress(server.host, STUN_PORT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What names led to.

    Attributes:
        addresses: of all servers, both families, in the order of the servers.
        failures: a line for each name that leads nowhere.
    """

    addresses: tuple[TransportAddress, ...]
    failures: tuple[str, ...]


async def resolve(servers: Sequence[ServerAddress]) -> Resolved:
    """Looks all names up at once."""
    found = await asyncio.gather(*(_resolve_one(server) for server in servers))
    addresses: dict[TransportAddress, None] = {}
    failures = []
    for server, result in zip(servers, found, strict=True):
        addresses |= dict.fromkeys(result)
        if not result:
            failures.append(f"{server}: its name does not resolve")
    return Resolved(addresses=tuple(addresses), failures=tuple(failures))


async def _resolve_one(server: ServerAddress) -> list[TransportAddress]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT):
            rows = await loop.getaddrinfo(server.host, server.port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError, TimeoutError):
        return []
    addresses = []
    for *_, sockaddr in rows:
        try:
            addresses.append(TransportAddress.from_sockaddr((str(sockaddr[0]), int(sockaddr[1]))))
        except (DecodeError, ValueError):
            continue
    return addresses
