"""The plan of behaviour discovery as data: which sockets there are, and what each is for.

Every question that shows a behaviour is asked from a socket that has spoken to nobody else, because a NAT
remembers to whom a socket has spoken. The sockets of one role follow each other, the roles are in the order
of the table:

===========  =======  ======================================================  =====================
role         sockets  asks                                                    shows
===========  =======  ======================================================  =====================
SCOUT        1        every server, plainly                                   what servers there are
MAPPING      3        every endpoint of the servers, plainly                  mapping, allocation
FILTERING    2        one endpoint, for answers from its other addresses      filtering
HAIRPIN      2        one endpoint, then each other by their public address   hairpinning
ALLOCATION   8        one endpoint, plainly                                   allocation
HOP          5        one endpoint, dying after 1 to 5 hops                   who stands on the way
===========  =======  ======================================================  =====================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum

from natcore.address import TransportAddress


class Role(Enum):
    """What a socket is for."""

    SCOUT = "scout"
    MAPPING = "mapping"
    FILTERING = "filtering"
    HAIRPIN = "hairpin"
    ALLOCATION = "allocation"
    HOP = "hop"


SOCKETS = {
    Role.SCOUT: 1,
    Role.MAPPING: 3,
    Role.FILTERING: 2,
    Role.HAIRPIN: 2,
    Role.ALLOCATION: 8,
    Role.HOP: 5,
}
"""How many sockets each role has. Three for the mapping, so that one whose port collided is outvoted."""

SOCKET_COUNT = sum(SOCKETS.values())

MAX_SERVERS = 8
"""Servers that are asked; three independent ones tell all that plain servers can tell."""

MAX_ENDPOINTS = 8
"""Endpoints of servers that the mapping sockets ask."""


def cast(bases: Sequence[TransportAddress]) -> dict[Role, tuple[TransportAddress, ...]]:
    """Gives each socket its role."""
    following: Iterator[TransportAddress] = iter(bases)
    return {role: tuple(next(following) for _ in range(count)) for role, count in SOCKETS.items()}
