"""A gateway on loopback that says what a test wants, honest unless told otherwise."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address
from typing import cast

from peer.portmapping import Gateway

IP = "127.0.0.1"
EXTERNAL = IPv4Address("203.0.113.7")
SERVICE = "urn:schemas-upnp-org:service:WANIPConnection:1"

ACTIONS = {
    "GetExternalIPAddress": "out:NewExternalIPAddress",
    "AddPortMapping": "in:NewRemoteHost in:NewExternalPort in:NewProtocol in:NewInternalPort"
    " in:NewInternalClient in:NewEnabled in:NewPortMappingDescription in:NewLeaseDuration",
    "DeletePortMapping": "in:NewRemoteHost in:NewExternalPort in:NewProtocol",
    "GetSpecificPortMappingEntry": "in:NewRemoteHost in:NewExternalPort in:NewProtocol out:NewInternalPort"
    " out:NewInternalClient",
    "GetGenericPortMappingEntry": "in:NewPortMappingIndex out:NewExternalPort out:NewProtocol"
    " out:NewInternalPort out:NewInternalClient out:NewPortMappingDescription out:NewLeaseDuration",
}
TYPES = {"NewExternalPort": "ui2", "NewInternalPort": "ui2", "NewEnabled": "boolean"}
TYPES |= {"NewLeaseDuration": "ui4", "NewPortMappingIndex": "ui2"}

Page = Callable[[str, str], Awaitable[bytes] | bytes]
"""What is answered to a path and a body."""


def http(body: str, *, status: str = "200 OK", headers: str = "") -> bytes:
    data = body.encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\n{headers}\r\n".encode() + data


def description(*, scpd: str = "/scpd.xml", control: str = "/control", services: int = 1) -> str:
    service = (
        f"<service><serviceType>{SERVICE}</serviceType><serviceId>urn:upnp-org:serviceId:1</serviceId>"
        f"<SCPDURL>{scpd}</SCPDURL><controlURL>{control}</controlURL><eventSubURL>/e</eventSubURL></service>"
    )
    return (
        '<root xmlns="urn:schemas-upnp-org:device-1-0"><device>'
        "<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><UDN>uuid:1</UDN>"
        f"<serviceList>{service * services}</serviceList></device></root>"
    )


def scpd() -> str:
    def argument(text: str) -> str:
        direction, _, name = text.partition(":")
        return (
            f"<argument><name>{name}</name><direction>{direction}</direction>"
            f"<relatedStateVariable>{name}</relatedStateVariable></argument>"
        )

    actions = "".join(
        f"<action><name>{name}</name><argumentList>{''.join(map(argument, arguments.split()))}</argumentList>"
        "</action>"
        for name, arguments in ACTIONS.items()
    )
    names = {text.partition(":")[2] for arguments in ACTIONS.values() for text in arguments.split()}
    variables = "".join(
        f"<stateVariable><name>{name}</name><dataType>{TYPES.get(name, 'string')}</dataType></stateVariable>"
        for name in sorted(names)
    )
    return (
        '<scpd xmlns="urn:schemas-upnp-org:service-1-0">'
        f"<actionList>{actions}</actionList><serviceStateTable>{variables}</serviceStateTable></scpd>"
    )


def soap(action: str, **values: object) -> bytes:
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in values.items())
    return http(
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        f'<u:{action}Response xmlns:u="{SERVICE}">{inner}</u:{action}Response></s:Body></s:Envelope>'
    )


def soap_error(code: int) -> bytes:
    return http(
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault>'
        "<faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail>"
        f'<UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>{code}</errorCode>'
        "<errorDescription>\x1b[2J is no XML</errorDescription></UPnPError></detail></s:Fault></s:Body>"
        "</s:Envelope>".replace("\x1b", "?"),
        status="500 Internal Server Error",
    )


@dataclass
class FakeGateway:
    """What is said, and what was asked.

    Attributes:
        page: answers HTTP, instead of an honest IGD.
        location: what the search is told, instead of the truth.
        speaks_natpmp: whether NAT-PMP is answered; PCP never is.
        has_mapped: set when a mapping is made; for a test to clear.
        mapped: the table: external port to internal port, whichever protocol asked.
        asked: the names of what was asked, oldest first.
    """

    page: Page | None = None
    location: str | None = None
    speaks_natpmp: bool = False
    refuses_natpmp: bool = False
    speaks_upnp: bool = True
    mapped: dict[int, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    errors: dict[str, list[int]] = field(default_factory=dict)
    external_ip: str = str(EXTERNAL)
    http_port: int = 0
    epoch: int = 100
    has_mapped: asyncio.Event = field(default_factory=asyncio.Event)

    def honest_page(self, path: str, body: str) -> bytes:
        if path == "/root.xml":
            return http(description())
        if path == "/scpd.xml":
            return http(scpd())
        action = next(name for name in ACTIONS if f"<u:{name} " in body)
        self.asked.append(action)
        if self.errors.get(action):
            return soap_error(self.errors[action].pop(0))
        return self._act(action, body)

    def _act(self, action: str, body: str) -> bytes:
        def value(name: str) -> str:
            return body.partition(f"<{name}>")[2].partition("<")[0]

        match action:
            case "GetExternalIPAddress":
                return soap(action, NewExternalIPAddress=self.external_ip)
            case "AddPortMapping":
                self.mapped[int(value("NewExternalPort"))] = int(value("NewInternalPort"))
                self.has_mapped.set()
            case "DeletePortMapping":
                self.mapped.pop(int(value("NewExternalPort")), None)
            case "GetSpecificPortMappingEntry":
                internal = self.mapped.get(int(value("NewExternalPort")))
                if internal is None:
                    return soap_error(714)
                return soap(action, NewInternalPort=internal, NewInternalClient=IP)
            case _:
                return soap_error(713)
        return soap(action)

    def control(self, data: bytes) -> bytes | None:
        if not self.speaks_natpmp or data[0] != 0:
            return None
        if data[1] == 0:
            self.asked.append("address")
            return struct.pack("!BBHL", 0, 128, 0, self.epoch) + IPv4Address(self.external_ip).packed
        _, _, _, internal, external, lifetime = struct.unpack("!BBHHHL", data)
        self.asked.append("map" if lifetime else "unmap")
        if self.refuses_natpmp:
            return struct.pack("!BBHLHHL", 0, 129, 2, self.epoch, internal, 0, 0)
        if lifetime:
            self.mapped[external] = internal
            self.has_mapped.set()
        else:
            self.mapped = {out: inside for out, inside in self.mapped.items() if inside != internal}
        return struct.pack("!BBHLHHL", 0, 129, 0, self.epoch, internal, external if lifetime else 0, lifetime)

    async def serve_http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = next(
                (line for line in head.lower().splitlines() if line.startswith("content-length")), ""
            )
            body = await reader.readexactly(int(length.partition(":")[2] or 0))
            answer = (self.page or self.honest_page)(head.split()[1], body.decode())
            writer.write(answer if isinstance(answer, bytes) else await answer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has had enough
        finally:
            writer.close()


class _Responder(asyncio.DatagramProtocol):
    def __init__(self, answer: Callable[[bytes], bytes | None]) -> None:
        self._answer = answer
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)  # asyncio's own is no subclass of it

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._answer(data)
        if answer is not None and self.transport is not None:
            self.transport.sendto(answer, addr)


@asynccontextmanager
async def serving(fake: FakeGateway) -> AsyncIterator[Gateway]:
    """The fake's sockets on loopback."""
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(fake.serve_http, IP, 0)
    fake.http_port = server.sockets[0].getsockname()[1]

    def search(data: bytes) -> bytes | None:
        location = fake.location or f"http://{IP}:{fake.http_port}/root.xml"
        target = "urn:schemas-upnp-org:device:InternetGatewayDevice:1"
        answer = f"HTTP/1.1 200 OK\r\nST: {target}\r\nLOCATION: {location}\r\n\r\n".encode()
        return answer if fake.speaks_upnp and target.encode() in data else None

    made = [
        await loop.create_datagram_endpoint(partial(_Responder, answer), local_addr=(IP, 0))
        for answer in (fake.control, search)
    ]
    control_port, ssdp_port = (transport.get_extra_info("sockname")[1] for transport, _ in made)
    try:
        yield Gateway(
            ip=IPv4Address(IP), local_ip=IPv4Address(IP), control_port=control_port, ssdp_port=ssdp_port
        )
    finally:
        for transport, _ in made:
            transport.abort()
        server.close()
        await server.wait_closed()
