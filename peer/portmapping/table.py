"""The gateway's own list of mappings, which only UPnP tells, and ending what is in it."""

from __future__ import annotations

import msgspec

from natcore.address import TransportAddress
from natcore.portmap import MappingProtocol
from peer.errors import MappingFailed
from peer.portmapping.gateway import Gateway
from peer.portmapping.method import Mapping
from peer.portmapping.race import methods_for
from peer.portmapping.upnp import UpnpMethod
from peer.text import printable


class TableRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row, as the gateway claims; its text is printable.

    Attributes:
        protocol: ``UDP`` or ``TCP``.
        external_port: outside.
        internal: ``HOST:PORT`` inside.
        description: who made it, in its own words.
        lifetime: seconds left; 0 for ever.
    """

    protocol: str
    external_port: int
    internal: str
    description: str
    lifetime: int

    def to_text(self) -> str:
        """One line."""
        how_long = "for ever" if self.lifetime == 0 else f"for {self.lifetime} s"
        return f"{self.protocol} {self.external_port} -> {self.internal} {how_long} ({self.description})"


async def read_table(gateway: Gateway) -> list[TableRow]:
    """The gateway's list, at most 64 rows.

    Raises:
        MappingFailed: it does not tell.
    """
    method = UpnpMethod(gateway)
    try:
        await method.find()
        return [
            TableRow(
                protocol=printable(row.protocol),
                external_port=row.external_port,
                internal=printable(row.internal),
                description=printable(row.description),
                lifetime=row.lifetime,
            )
            for row in await method.entries()
        ]
    finally:
        await method.close()


async def delete_rows(gateway: Gateway, internal: TransportAddress) -> None:
    """Ends the mappings of an internal address of which nothing is noted: those of the list, and NAT-PMP's.

    NAT-PMP needs nothing but our address, and says yes where there is none (RFC 6886 section 3.4); PCP's
    would need the nonce.

    Raises:
        MappingFailed: neither has ended one.
    """
    reasons = []
    try:
        count = await _delete_listed(gateway, internal)
        if count:
            return
        reasons.append("the gateway's list has none")
    except MappingFailed as exc:
        reasons.append(exc.reason)
    (method,) = methods_for(gateway, (MappingProtocol.NAT_PMP,))
    try:
        await method.unmap(
            Mapping(
                protocol=MappingProtocol.NAT_PMP,
                gateway=gateway.ip,
                internal=internal,
                external=internal,
                lifetime=None,
            )
        )
    except MappingFailed as exc:
        told = "; ".join([*reasons, exc.reason])
        reason = f"nothing is noted of {internal}, and no other can be ended: {told}"
        raise MappingFailed(reason=reason) from exc
    finally:
        await method.close()


async def _delete_listed(gateway: Gateway, internal: TransportAddress) -> int:
    rows = [
        row for row in await read_table(gateway) if row.protocol == "UDP" and row.internal == str(internal)
    ]
    (method,) = methods_for(gateway, (MappingProtocol.UPNP,))
    try:
        external_ip = await method.find()
        for row in rows:
            external = TransportAddress(external_ip or internal.ip, row.external_port)
            await method.unmap(
                Mapping(
                    protocol=MappingProtocol.UPNP,
                    gateway=gateway.ip,
                    internal=internal,
                    external=external,
                    lifetime=None,
                )
            )
    finally:
        await method.close()
    return len(rows)
