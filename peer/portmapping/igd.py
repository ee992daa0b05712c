"""UPnP Internet Gateway Device, versions 1 and 2, through async-upnp-client.

Theory of operation. A description names services, and one of these can map ports. The library reads XML and
builds SOAP; every request of its goes through :class:`~peer.portmapping.requester.GatewayRequester`, which
keeps a hostile gateway from leading us anywhere. What is always true: nothing that the gateway sends raises
anything but :class:`MappingFailed`, and no mapping is deleted that the gateway does not say is ours.

Source: WANIPConnection:1 sections 2.4.16 to 2.4.18, WANIPConnection:2 sections 2.5.16 to 2.5.20.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from collections.abc import Mapping as Arguments
from contextlib import contextmanager
from ipaddress import IPv4Address
from typing import Any

from async_upnp_client.client import UpnpService
from async_upnp_client.client_factory import UpnpFactory
from async_upnp_client.exceptions import UpnpActionError

from natcore.address import IPAddress, TransportAddress
from natcore.portmap import MappingProtocol
from peer.errors import MappingFailed
from peer.portmapping.gateway import Gateway
from peer.portmapping.method import Mapping, Wanted
from peer.portmapping.requester import GatewayRequester
from peer.portmapping.upnp import Entry

SERVICES = (
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
)
"""What maps ports, best first; the last is that of gateways that dial."""

DESCRIPTION = "nat-traversal-toolkit"
"""How a mapping is called in the gateway's list."""

CONFLICT, ONLY_PERMANENT_LEASES, SAME_PORTS_ONLY = 718, 725, 724
NO_SUCH_ENTRY, INDEX_INVALID, NOT_AUTHORIZED = 714, 713, 606

ERROR_TEXT = {
    NOT_AUTHORIZED: "not authorized: port mapping may be switched off in it",
    501: "it cannot do it now",
    SAME_PORTS_ONLY: "it maps a port to the same port only",
    ONLY_PERMANENT_LEASES: "it maps for ever only",
    728: "it has no room for another mapping",
    729: "another mapping is in the way",
}

MAX_CONFLICTS = 4
"""External ports that are tried; a random one is free nearly always."""

MAX_ENTRIES = 64
"""Of the gateway's list that are looked at."""

_DESCRIPTION_REQUESTS = 32
_ACTION_REQUESTS = 16
"""That one operation may take; see :meth:`GatewayRequester.allow`."""


class _Refused(MappingFailed):
    """The gateway answered an action with an error; ``code`` is UPnP's, or None."""

    def __init__(self, code: int | None) -> None:
        self.code = code
        text = ERROR_TEXT.get(code or 0, "for a reason that we do not know")
        super().__init__(reason=f"the gateway refuses: {text} (UPnP error {code})")


class InternetGatewayDevice:
    """What a gateway's description describes."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._requester = GatewayRequester(gateway)
        self._service: UpnpService | None = None

    async def open(self, location: str) -> IPAddress | None:
        """Reads the description; returns the external address that the gateway claims.

        Raises:
            MappingFailed: it makes no sense, or nothing in it maps ports.
        """
        self._requester.allow(_DESCRIPTION_REQUESTS)
        with _untrusted("its UPnP description makes no sense"):
            device = await UpnpFactory(self._requester, non_strict=True).async_create_device(location)
            by_type = {service.service_type: service for service in device.all_services}
        self._service = next((by_type[kind] for kind in SERVICES if kind in by_type), None)
        if self._service is None:
            raise MappingFailed(reason="the gateway's UPnP has no service that maps ports")
        return await self._ask_external_ip()

    async def map(self, wanted: Wanted) -> Mapping:
        """See :class:`~peer.portmapping.method.Method`, for this and the next ones."""
        external_ip = await self._ask_external_ip()
        if external_ip is None:
            raise MappingFailed(reason="the gateway has no external address now")
        port, lifetime = await self._add_somewhere(wanted)
        return Mapping(
            protocol=MappingProtocol.UPNP,
            gateway=self._gateway.ip,
            internal=wanted.internal,
            external=TransportAddress(external_ip, port),
            lifetime=lifetime,
        )

    async def is_there(self, mapping: Mapping) -> bool:  # noqa: D102
        is_where_it_was = await self._ask_external_ip() == mapping.external.ip
        return is_where_it_was and await self._is_ours(mapping.external.port, mapping.internal)

    async def unmap(self, mapping: Mapping) -> None:  # noqa: D102
        if await self._is_ours(mapping.external.port, mapping.internal):
            await self._call(
                "DeletePortMapping",
                NewRemoteHost="",
                NewExternalPort=mapping.external.port,
                NewProtocol="UDP",
            )

    async def entries(self) -> list[Entry]:
        """The gateway's list, at most ``MAX_ENTRIES`` rows of it.

        Raises:
            MappingFailed: it does not tell.
        """
        rows: list[Entry] = []
        for index in range(MAX_ENTRIES):
            try:
                row = await self._call("GetGenericPortMappingEntry", NewPortMappingIndex=index)
            except _Refused as refusal:
                if refusal.code in (INDEX_INVALID, NO_SUCH_ENTRY):
                    break
                raise
            with _untrusted("its list of mappings makes no sense"):
                rows.append(_entry(row))
        return rows

    async def close(self) -> None:  # noqa: D102
        await self._requester.close()

    # --- actions -----------------------------------------------------------------------------------------

    async def _ask_external_ip(self) -> IPAddress | None:
        answer = await self._call("GetExternalIPAddress")
        with _untrusted("its external address makes no sense"):
            text = str(answer["NewExternalIPAddress"] or "")
            ip = IPv4Address(text) if text else None
        return None if ip is None or ip.is_unspecified else ip

    async def _add_somewhere(self, wanted: Wanted) -> tuple[int, int | None]:
        """Adds a mapping at the wanted port, or at another one; returns the port and the lifetime."""
        port = wanted.external_port or wanted.internal.port
        lifetime = wanted.lifetime
        for _ in range(MAX_CONFLICTS):
            try:
                return await self._add(wanted, port, lifetime), lifetime or None
            except _Refused as refusal:
                if refusal.code == ONLY_PERMANENT_LEASES and lifetime != 0:
                    lifetime = 0  # WANIPConnection:1 section 2.4.16: removed at our exit, as any other
                elif refusal.code == CONFLICT:
                    port = 49_152 + secrets.randbelow(16_384)  # of those that nobody is given (RFC 6335)
                else:
                    raise
        raise MappingFailed(reason=f"the gateway has other mappings at {MAX_CONFLICTS} ports that we tried")

    async def _add(self, wanted: Wanted, port: int, lifetime: int) -> int:
        arguments: dict[str, Any] = {
            "NewRemoteHost": "",
            "NewExternalPort": port,
            "NewProtocol": "UDP",
            "NewInternalPort": wanted.internal.port,
            "NewInternalClient": str(wanted.internal.ip),
            "NewEnabled": True,
            "NewPortMappingDescription": DESCRIPTION,
            "NewLeaseDuration": lifetime,
        }
        if not self._knows("AddAnyPortMapping"):
            await self._call("AddPortMapping", **arguments)
            return port
        answer = await self._call("AddAnyPortMapping", **arguments)
        with _untrusted("it reserves a port that makes no sense"):
            # miniupnpd's description calls this argument otherwise than its answers do, so that the library
            # drops it; the gateway's list then says whether the wanted port is ours.
            reserved = int(answer.get("NewReservedPort", 0))
        if 1 <= reserved <= 65_535:
            return reserved
        if not await self._is_ours(port, wanted.internal):
            raise MappingFailed(reason="the gateway does not say which port it has reserved")
        return port

    async def _is_ours(self, external_port: int, internal: TransportAddress) -> bool:
        try:
            entry = await self._call(
                "GetSpecificPortMappingEntry",
                NewRemoteHost="",
                NewExternalPort=external_port,
                NewProtocol="UDP",
            )
        except _Refused as refusal:
            if refusal.code == NO_SUCH_ENTRY:
                return False
            raise
        with _untrusted("it describes a mapping in a way that makes no sense"):
            theirs = (str(entry["NewInternalClient"]), int(entry["NewInternalPort"]))
        return theirs == internal.to_sockaddr()

    def _knows(self, action: str) -> bool:
        return self._service is not None and self._service.has_action(action)

    async def _call(self, action: str, **arguments: Any) -> Arguments[str, Any]:
        if self._service is None or not self._service.has_action(action):
            raise MappingFailed(reason=f"the gateway's UPnP has no {action}")
        self._requester.allow(_ACTION_REQUESTS)
        with _untrusted(f"its answer to {action} makes no sense"):
            return await self._service.action(action).async_call(**arguments)


@contextmanager
def _untrusted(fault: str) -> Iterator[None]:
    """Whatever the library makes of what a gateway sent becomes one of our errors."""
    try:
        yield
    except MappingFailed:
        raise
    except UpnpActionError as exc:
        code = exc.error_code
        raise _Refused(code if isinstance(code, int) else None) from exc
    except Exception as exc:  # the library lets through whatever Python's own parsers raise, and its own
        raise MappingFailed(reason=f"the gateway cannot be used: {fault} ({type(exc).__name__})") from exc


def _entry(row: Arguments[str, Any]) -> Entry:
    lease = row.get("NewLeaseDuration")
    return Entry(
        protocol=str(row["NewProtocol"])[:8],
        external_port=int(row["NewExternalPort"]),
        internal=f"{str(row['NewInternalClient'])[:64]}:{int(row['NewInternalPort'])}",
        description=str(row.get("NewPortMappingDescription") or "")[:64],
        lifetime=int(lease or 0),
    )
