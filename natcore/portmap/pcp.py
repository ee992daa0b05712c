"""PCP: the messages, and a client for one gateway (RFC 6887).

Theory of operation. As for NAT-PMP, whose successor this is, but a mapping takes one exchange, and it is
known by a *nonce* that its maker chose: who does not know it can neither renew nor end it. What is always
true: an answer is believed only from the gateway's own address and port, with the nonce, protocol and port
that were asked for; the gateway's clock is read from every one of these (section 8.5). No option is ever
sent, so none that comes can concern us: options must be well formed, and are ignored (section 8.3).

**Version negotiation** (section 9). An older gateway answers in NAT-PMP that it does not know this version,
and a newer one in its own version. Either is a failure here, which says so; NAT-PMP is asked by a client of
its own.

Source: RFC 6887. Deviations: repetitions are :data:`~natcore.portmap.mapping.PROBE_SCHEDULE`'s, and
announcements to 224.0.0.1 are not listened to, as :mod:`natcore.portmap.natpmp` says.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address

from natcore.address import IPAddress, TransportAddress
from natcore.errors import DecodeError, MisuseError
from natcore.portmap.epoch import PcpEpoch
from natcore.portmap.exchange import GatewayClient
from natcore.portmap.mapping import (
    MAPPING_SCHEDULE,
    MAX_LIFETIME,
    MAX_RETRY_DELAY,
    PROBE_SCHEDULE,
    SERVER_PORT,
    GatewayAnswered,
    GatewayRestarted,
    PortMapped,
    PortUnmapped,
    RequestFailed,
)

VERSION = 2
NONCE_LENGTH = 12
MAX_MESSAGE_SIZE = 1100
"""Bytes (RFC 6887 section 7)."""

_NAT_PMP_VERSION = 0
_UDP = 17
_IS_RESPONSE = 0x80
_REQUEST_HEADER = struct.Struct("!BBHL16s")
_RESPONSE_HEADER = struct.Struct("!BBBBLL12x")
_MAP = struct.Struct("!12sB3xHH16s")
_OPTION = struct.Struct("!BBH")


class Opcode(IntEnum):
    """RFC 6887 section 19.2."""

    ANNOUNCE = 0
    MAP = 1


UNSUPP_VERSION = 1
UNSUPP_OPCODE = 4

RESULT_TEXT = {
    UNSUPP_VERSION: "it does not speak this version",
    2: "not authorized: port mapping may be switched off in it",
    3: "it does not understand the request",
    UNSUPP_OPCODE: "it does not know this request",
    5: "it does not know an option",
    6: "it does not understand an option",
    7: "it has no external address now",
    8: "it has no room for another mapping",
    9: "it does not map this protocol",
    10: "this host has as many mappings as it may have",
    11: "it cannot provide that external port or address",
    12: "there is another NAT between us and it",
    13: "too many remote peers",
}
"""RFC 6887 section 7.4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapRequest:
    """A request for a UDP port, or for its end (RFC 6887 sections 7.1 and 11.1).

    ::

         0                   1                   2                   3
         0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |  Version = 2  |0|  Opcode = 1 |         Reserved              |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                 Requested Lifetime (32 bits)                  |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |            PCP Client's IP Address (128 bits)                 |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                 Mapping Nonce (96 bits)                       |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        | Protocol = 17 |          Reserved (24 bits)                   |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |        Internal Port          |    Suggested External Port    |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |           Suggested External IP Address (128 bits)            |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    Attributes:
        client_ip: ours, as the gateway sees it.
        nonce: 12 bytes; whoever knows them can end the mapping.
        internal_port: 1 to 65535.
        external_port: suggested; 0 for any.
        lifetime: seconds; 0 ends the mapping.
    """

    client_ip: IPAddress
    nonce: bytes
    internal_port: int
    external_port: int
    lifetime: int

    def encode(self) -> bytes:
        """The datagram; no external address is suggested, as zeros of the client's family say."""
        any_ip = IPv4Address(0) if self.client_ip.version == 4 else IPv6Address(0)
        return _request(Opcode.MAP, self.lifetime, self.client_ip) + _MAP.pack(
            self.nonce, _UDP, self.internal_port, self.external_port, _to_wire(any_ip)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a gateway answers (RFC 6887 sections 7.2 and 11.1).

    ::

         0                   1                   2                   3
         0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |  Version = 2  |1|   Opcode    |   Reserved    |  Result Code  |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                      Lifetime (32 bits)                       |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                     Epoch Time (32 bits)                      |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                      Reserved (96 bits)                       |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |  MAP: as in the request, with what was assigned; then options |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    Attributes:
        version: of the gateway; where it is not ours, only ``opcode`` and ``result`` mean anything.
        opcode: of the request.
        result: 0 for success.
        lifetime: seconds, of the mapping or of the refusal.
        epoch: seconds on the gateway's clock.
        nonce: for ``MAP``, as the rest.
        protocol: 17 is UDP.
        internal_port: of the request.
        external: where, as the gateway claims.
    """

    version: int
    opcode: int
    result: int
    lifetime: int = 0
    epoch: int = 0
    nonce: bytes = b""
    protocol: int = 0
    internal_port: int = 0
    external: TransportAddress | None = None

    @classmethod
    def decode(cls, data: bytes) -> Response:
        """Reads a datagram.

        Raises:
            DecodeError: it is no response, or one that is cut off or too long (RFC 6887 section 8.3).
        """
        if len(data) >= 4 and data[0] != VERSION and data[1] & _IS_RESPONSE:
            # Section 9: "the response will be ... in the server's version"; all that we read of it is where
            # PCP of any version has its result, and NAT-PMP the lower half of its own.
            return cls(version=data[0], opcode=data[1] & ~_IS_RESPONSE, result=data[3])
        if not _RESPONSE_HEADER.size <= len(data) <= MAX_MESSAGE_SIZE or len(data) % 4:
            expected = f"{_RESPONSE_HEADER.size} to {MAX_MESSAGE_SIZE}, a multiple of 4"
            raise DecodeError("PCP response", got=f"{len(data)} bytes", expected=expected)
        version, opcode, _, result, lifetime, epoch = _RESPONSE_HEADER.unpack_from(data)
        if version != VERSION or not opcode & _IS_RESPONSE:
            raise DecodeError("PCP response", got=f"version {version}, opcode {opcode}")
        opcode &= ~_IS_RESPONSE
        if opcode != Opcode.MAP:
            return cls(version=version, opcode=opcode, result=result, lifetime=lifetime, epoch=epoch)
        body = data[_RESPONSE_HEADER.size :]
        if len(body) < _MAP.size:
            got, expected = f"{len(body)} bytes", f"{_MAP.size} at least"
            raise DecodeError("PCP MAP response", got=got, expected=expected)
        _check_options(body[_MAP.size :])
        nonce, protocol, internal_port, external_port, external_ip = _MAP.unpack_from(body)
        return cls(
            version=version,
            opcode=opcode,
            result=result,
            lifetime=lifetime,
            epoch=epoch,
            nonce=nonce,
            protocol=protocol,
            internal_port=internal_port,
            external=TransportAddress(_from_wire(external_ip), external_port),
        )


class PcpClient(GatewayClient):
    """See the module. It has the five verbs of :class:`natcore.agent.Agent`."""

    def __init__(
        self, *, gateway: IPAddress, base: TransportAddress, nonce: bytes, server_port: int = SERVER_PORT
    ) -> None:
        """Makes a client that has asked for nothing yet.

        Args:
            gateway: of the default route.
            base: of the socket that the shell sends from; the gateway forwards to this address.
            nonce: 12 random bytes; the client's mappings are known by them.
            server_port: another one is for tests.

        Raises:
            MisuseError: the nonce has another length.
        """
        if len(nonce) != NONCE_LENGTH:
            raise MisuseError(f"nonce: got {len(nonce)} bytes, expected {NONCE_LENGTH}")
        self._nonce = nonce
        super().__init__(server=TransportAddress(gateway, server_port), base=base)
        self._base = base
        self._epoch = PcpEpoch()
        self._asked: MapRequest | None = None

    # --- the owner ---------------------------------------------------------------------------------------

    def probe(self, now: float) -> None:
        """Asks whether a gateway is there, by an ANNOUNCE, which changes nothing (RFC 6887 section 14.1)."""
        self._asked = None
        self._exchange.start(_request(Opcode.ANNOUNCE, 0, self._base.ip), PROBE_SCHEDULE, now)

    def map(self, *, internal_port: int, external_port: int, lifetime: int, now: float) -> None:
        """Asks for a UDP port, or to renew it.

        Args:
            internal_port: ours, 1 to 65535.
            external_port: wanted; 0 for any.
            lifetime: wanted seconds, 1 or more.
            now: the instant.
        """
        self._ask(internal_port, external_port, min(lifetime, MAX_LIFETIME), now)

    def unmap(self, *, internal_port: int, now: float) -> None:
        """Asks to end a mapping (RFC 6887 section 15)."""
        self._ask(internal_port, 0, 0, now)

    # --- the five verbs ----------------------------------------------------------------------------------

    def receive_datagram(
        self, data: bytes, source: TransportAddress, base: TransportAddress, now: float
    ) -> None:
        """Takes one datagram; anything but the awaited answer of the gateway is counted and dropped."""
        response = self._awaited(data, source)
        if response is None:
            self._exchange.discarded += 1
            return
        self._exchange.finish()
        asked, self._asked = self._asked, None
        if response.version != VERSION:
            self._fail(_other_version(response.version))
            return
        if self._epoch.has_restarted(response.epoch, now):
            self._events.append(GatewayRestarted())
        if asked is None:
            self._receive_announce(response)
        else:
            self._receive_map(response, asked)

    # --- inside ------------------------------------------------------------------------------------------

    def _ask(self, internal_port: int, external_port: int, lifetime: int, now: float) -> None:
        self._asked = MapRequest(
            client_ip=self._base.ip,
            nonce=self._nonce,
            internal_port=internal_port,
            external_port=external_port,
            lifetime=lifetime,
        )
        schedule = MAPPING_SCHEDULE if lifetime else PROBE_SCHEDULE
        self._exchange.start(self._asked.encode(), schedule, now)

    def _awaited(self, data: bytes, source: TransportAddress) -> Response | None:
        if source != self._exchange.server or not self._exchange.is_under_way:
            return None
        try:
            response = Response.decode(data)
        except DecodeError:
            return None
        if response.version != VERSION:
            return response if response.result == UNSUPP_VERSION else None
        asked = self._asked
        if asked is None:
            return response if response.opcode == Opcode.ANNOUNCE else None
        if response.opcode != Opcode.MAP:
            return None
        if asked.lifetime == 0 and response.result == 0 and response.lifetime != 0:
            return None  # it grants what was asked for before
        theirs = (response.nonce, response.protocol, response.internal_port)
        return response if theirs == (asked.nonce, _UDP, asked.internal_port) else None

    def _receive_announce(self, response: Response) -> None:
        # A gateway that does not know ANNOUNCE has said in PCP that it is there.
        if response.result in (0, UNSUPP_OPCODE):
            self._events.append(GatewayAnswered(external_ip=None))
        else:
            self._refuse(response)

    def _receive_map(self, response: Response, asked: MapRequest) -> None:
        external = response.external
        if response.result != 0:
            self._refuse(response)
        elif asked.lifetime == 0:
            self._events.append(PortUnmapped())
        elif response.lifetime == 0 or external is None or external.port == 0 or external.ip.is_unspecified:
            self._fail("the gateway grants a mapping without an address or for 0 s")
        else:
            lifetime = min(response.lifetime, MAX_LIFETIME)
            self._events.append(PortMapped(external=external, lifetime=lifetime))

    def _refuse(self, response: Response) -> None:
        text = RESULT_TEXT.get(response.result, "for a reason that we do not know")
        self._events.append(
            RequestFailed(
                reason=f"the gateway refuses: {text} (result {response.result})",
                retry_after=min(response.lifetime, MAX_RETRY_DELAY),
            )
        )

    def _fail(self, reason: str) -> None:
        self._asked = None
        super()._fail(reason)


def _request(opcode: Opcode, lifetime: int, client_ip: IPAddress) -> bytes:
    return _REQUEST_HEADER.pack(VERSION, opcode, 0, lifetime, _to_wire(client_ip))


def _other_version(version: int) -> str:
    if version == _NAT_PMP_VERSION:
        return "the gateway speaks NAT-PMP only"
    return f"the gateway speaks version {version} only, and we speak {VERSION}"


def _check_options(data: bytes) -> None:
    """Options follow one another to the end, each padded to 4 bytes (RFC 6887 section 7.3)."""
    while data:
        _, _, length = _OPTION.unpack_from(data)  # there are 4 bytes: the message is a multiple of 4
        end = _OPTION.size + length + -length % 4
        if len(data) < end:
            raise DecodeError("PCP option", got=f"{len(data)} bytes", expected=f"{end}")
        data = data[end:]


def _to_wire(ip: IPAddress) -> bytes:
    """128 bits, IPv4 as an IPv4-mapped IPv6 address (RFC 6887 section 5)."""
    return ip.packed if ip.version == 6 else bytes(10) + b"\xff\xff" + ip.packed


def _from_wire(data: bytes) -> IPAddress:
    ip = IPv6Address(data)
    return ip.ipv4_mapped or ip
