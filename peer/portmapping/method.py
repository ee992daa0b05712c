"""One way to ask a gateway for a port, as the rest of this package sees it; and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from natcore.address import IPAddress, TransportAddress
from natcore.portmap import MAX_LIFETIME, MappingProtocol

WANTED_LIFETIME = 3_600
"""Seconds that we ask for. RFC 6886 section 3.3 recommends 7,200; half of it, as a mapping that outlives a
killed program is a hole in somebody's NAT, and renewing costs two datagrams."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a gateway is asked for.

    Attributes:
        internal: our UDP address.
        external_port: the one that would suit best; 0 for any.
        lifetime: seconds, 1 to 86,400.
    """

    internal: TransportAddress
    external_port: int
    lifetime: int = WANTED_LIFETIME

    def __post_init__(self) -> None:
        assert 1 <= self.lifetime <= MAX_LIFETIME


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """What a gateway granted.

    Attributes:
        protocol: by which it was asked.
        gateway: who it is.
        internal: our UDP address.
        external: where it is forwarded from, as the gateway claims.
        lifetime: seconds from when it was granted; None for ever, which some gateways insist on.
    """

    protocol: MappingProtocol
    gateway: IPAddress
    internal: TransportAddress
    external: TransportAddress
    lifetime: int | None


class Method(Protocol):
    """A protocol and a gateway. A call that leads to nothing raises :class:`~peer.errors.MappingFailed`."""

    @property
    def protocol(self) -> MappingProtocol:
        """Which it is."""

    async def find(self) -> IPAddress | None:
        """Asks whether the gateway speaks the protocol, within about a second where it does not.

        Returns:
            the external address that it claims, or None where the protocol does not tell.
        """

    async def map(self, wanted: Wanted) -> Mapping:
        """Asks for a port, or renews the mapping of this very ``wanted``; after :meth:`find`."""

    async def is_there(self, mapping: Mapping) -> bool:
        """Whether a mapping of ours is as it was, external address included, as far as the gateway tells."""

    async def unmap(self, mapping: Mapping) -> None:
        """Ends a mapping of ours."""

    async def close(self) -> None:
        """Closes sockets."""
