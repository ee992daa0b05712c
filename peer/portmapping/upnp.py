"""UPnP as one of the three protocols: the search first, and only where it is answered the library.

Importing the library takes a fifth of a second, in which nothing else would run. So it is not imported before
a gateway has answered, and then in a thread.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from natcore.address import IPAddress
from natcore.portmap import MappingProtocol
from peer.errors import MappingFailed
from peer.portmapping.gateway import Gateway
from peer.portmapping.method import Mapping, Wanted
from peer.portmapping.ssdp import search

if TYPE_CHECKING:
    from peer.portmapping.igd import InternetGatewayDevice

MISSING_LIBRARY = "it answers, but UPnP needs a package: pip install nat-traversal-toolkit[upnp]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of the gateway's list, as it claims.

    Attributes:
        protocol: ``UDP`` or ``TCP``, or whatever it says.
        external_port: outside.
        internal: host and port inside, ``HOST:PORT``; untrusted text.
        description: who made it; untrusted text.
        lifetime: seconds left; 0 for ever.
    """

    protocol: str
    external_port: int
    internal: str
    description: str
    lifetime: int


class UpnpMethod:
    """UPnP, as a :class:`~peer.portmapping.method.Method`, whose words are not repeated here."""

    protocol = MappingProtocol.UPNP

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._device: InternetGatewayDevice | None = None

    async def find(self) -> IPAddress | None:  # noqa: D102
        location = await search(self._gateway)
        if self._device is None:
            device_class = await asyncio.to_thread(_load_library)
            self._device = device_class(self._gateway)
        return await self._device.open(location)

    async def map(self, wanted: Wanted) -> Mapping:  # noqa: D102
        return await self._found().map(wanted)

    async def is_there(self, mapping: Mapping) -> bool:  # noqa: D102
        return await self._found().is_there(mapping)

    async def unmap(self, mapping: Mapping) -> None:  # noqa: D102
        await self._found().unmap(mapping)

    async def entries(self) -> list[Entry]:
        """The gateway's list, at most 64 rows of it; after :meth:`find`.

        Raises:
            MappingFailed: it does not tell.
        """
        return await self._found().entries()

    async def close(self) -> None:  # noqa: D102
        if self._device is not None:
            await self._device.close()

    def _found(self) -> InternetGatewayDevice:
        if self._device is None:
            raise MappingFailed(reason="no UPnP gateway has been found")
        return self._device


def _load_library() -> type[InternetGatewayDevice]:
    try:
        from peer.portmapping.igd import InternetGatewayDevice
    except ImportError:
        raise MappingFailed(reason=MISSING_LIBRARY) from None
    return InternetGatewayDevice
