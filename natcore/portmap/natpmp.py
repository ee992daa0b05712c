"""NAT-PMP: the messages, and a client for one gateway (RFC 6886).

Theory of operation. The owner asks for one thing at a time, whether a gateway is there, a mapping, or its
end; a new request takes the place of one that is under way. A mapping takes two exchanges, the external
address and then the port, since the answer to the second does not say the address, and the first may have
changed since. What is always true: an answer is believed only from the gateway's own address and port, to
what was asked, for the port that was asked for; the gateway's clock is read from every one of these
(section 3.6). What it refuses to know: when a mapping is to be renewed, which is its owner's business.

Source: RFC 6886. Deviation from section 3.2.1: announcements to 224.0.0.1 are not listened to. Their port is
one for the whole machine, and anybody in the home network can send them; the owner asks now and then instead.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address

from natcore.address import IPAddress, TransportAddress
from natcore.errors import DecodeError
from natcore.portmap.epoch import NatPmpEpoch
from natcore.portmap.exchange import GatewayClient
from natcore.portmap.mapping import (
    MAPPING_SCHEDULE,
    MAX_LIFETIME,
    PROBE_SCHEDULE,
    SERVER_PORT,
    GatewayAnswered,
    GatewayRestarted,
    PortMapped,
    PortUnmapped,
)

VERSION = 0

_ADDRESS_REQUEST = bytes((VERSION, 0))
_IS_RESPONSE = 128
_MAP_REQUEST = struct.Struct("!BBHHHL")
_HEADER = struct.Struct("!BBHL")
_MAP_BODY = struct.Struct("!HHL")


class Opcode(IntEnum):
    """Of a request; 128 more in its response (RFC 6886 sections 3.2 and 3.3)."""

    ADDRESS = 0
    MAP_UDP = 1


RESULT_TEXT = {
    1: "it does not speak this version",
    2: "not authorized: port mapping may be switched off in it",
    3: "it has no external address now",
    4: "it has no room for another mapping",
    5: "it does not know this request",
}
"""RFC 6886 section 3.5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapRequest:
    """A request for a UDP port, or for its end (RFC 6886 section 3.3).

    ::

         0                   1                   2                   3
         0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        | Vers = 0      | OP = 1        | Reserved                      |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        | Internal Port                 | Suggested External Port       |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        | Requested Port Mapping Lifetime in Seconds                    |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    Attributes:
        internal_port: 1 to 65535.
        external_port: suggested; 0 for any, and with lifetime 0 (section 3.4).
        lifetime: seconds; 0 ends the mapping.
    """

    internal_port: int
    external_port: int
    lifetime: int

    def encode(self) -> bytes:
        """The datagram."""
        return _MAP_REQUEST.pack(
            VERSION, Opcode.MAP_UDP, 0, self.internal_port, self.external_port, self.lifetime
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a gateway answers (RFC 6886 sections 3.2 and 3.3).

    ::

         0                   1                   2                   3
         0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        | Vers = 0      | OP = 128 + x  | Result Code                   |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        | Seconds Since Start of Epoch                                  |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        | x = 0: External IPv4 Address                                  |
        | x = 1: Internal Port          | Mapped External Port          |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        | x = 1: Port Mapping Lifetime in Seconds                       |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    Attributes:
        opcode: of the request.
        result: 0 for success; the rest is meaningless then, and may be missing.
        epoch: seconds on the gateway's clock.
        external_ip: for ``ADDRESS``.
        internal_port: for ``MAP_UDP``, as the next two.
        external_port: 0 where the mapping has ended.
        lifetime: seconds.
    """

    opcode: Opcode
    result: int
    epoch: int
    external_ip: IPv4Address | None = None
    internal_port: int = 0
    external_port: int = 0
    lifetime: int = 0

    @classmethod
    def decode(cls, data: bytes) -> Response:
        """Reads a datagram; what follows the fields is ignored, as section 3.5 leaves room for more.

        Raises:
            DecodeError: it is no response to one of our requests.
        """
        if len(data) < _HEADER.size:
            raise DecodeError("NAT-PMP response", got=f"{len(data)} bytes", expected=f"{_HEADER.size}")
        version, opcode, result, epoch = _HEADER.unpack_from(data)
        if version != VERSION or opcode not in (_IS_RESPONSE + Opcode.ADDRESS, _IS_RESPONSE + Opcode.MAP_UDP):
            raise DecodeError("NAT-PMP response", got=f"version {version}, opcode {opcode}")
        kind = Opcode(opcode - _IS_RESPONSE)
        if result != 0:
            return cls(opcode=kind, result=result, epoch=epoch)
        body_length = 4 if kind is Opcode.ADDRESS else _MAP_BODY.size
        body = data[_HEADER.size : _HEADER.size + body_length]
        if len(body) < body_length:
            raise DecodeError(
                "NAT-PMP response", got=f"{len(data)} bytes", expected=f"{_HEADER.size + body_length}"
            )
        if kind is Opcode.ADDRESS:
            return cls(opcode=kind, result=0, epoch=epoch, external_ip=IPv4Address(body))
        internal_port, external_port, lifetime = _MAP_BODY.unpack(body)
        return cls(
            opcode=kind,
            result=0,
            epoch=epoch,
            internal_port=internal_port,
            external_port=external_port,
            lifetime=lifetime,
        )


class NatPmpClient(GatewayClient):
    """See the module. It has the five verbs of :class:`natcore.agent.Agent`."""

    def __init__(self, *, gateway: IPAddress, base: TransportAddress, server_port: int = SERVER_PORT) -> None:
        """Makes a client that has asked for nothing yet.

        Args:
            gateway: of the default route.
            base: of the socket that the shell sends from; the gateway forwards to this address.
            server_port: another one is for tests.
        """
        super().__init__(server=TransportAddress(gateway, server_port), base=base)
        self._epoch = NatPmpEpoch()
        self._asked: MapRequest | None = None
        self._wants_address = False
        self._external_ip: IPAddress | None = None

    # --- the owner ---------------------------------------------------------------------------------------

    def probe(self, now: float) -> None:
        """Asks whether a gateway is there, and for its external address."""
        self._asked = None
        self._ask_address(now)

    def map(self, *, internal_port: int, external_port: int, lifetime: int, now: float) -> None:
        """Asks for a UDP port, or to renew it.

        Args:
            internal_port: ours, 1 to 65535.
            external_port: wanted; 0 for any.
            lifetime: wanted seconds, 1 or more.
            now: the instant.
        """
        self._asked = MapRequest(
            internal_port=internal_port, external_port=external_port, lifetime=min(lifetime, MAX_LIFETIME)
        )
        self._ask_address(now)

    def unmap(self, *, internal_port: int, now: float) -> None:
        """Asks to end a mapping (RFC 6886 section 3.4)."""
        self._wants_address = False
        self._asked = MapRequest(internal_port=internal_port, external_port=0, lifetime=0)
        self._exchange.start(self._asked.encode(), PROBE_SCHEDULE, now)

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
        if self._epoch.has_restarted(response.epoch, now):
            self._events.append(GatewayRestarted())
        if response.result != 0:
            text = RESULT_TEXT.get(response.result, "for a reason that we do not know")
            self._fail(f"the gateway refuses: {text} (result {response.result})")
        elif response.opcode is Opcode.ADDRESS:
            self._receive_address(response, now)
        else:
            self._receive_mapping(response)

    # --- inside ------------------------------------------------------------------------------------------

    def _awaited(self, data: bytes, source: TransportAddress) -> Response | None:
        if source != self._exchange.server or not self._exchange.is_under_way:
            return None
        try:
            response = Response.decode(data)
        except DecodeError:
            return None
        if self._wants_address:
            return response if response.opcode is Opcode.ADDRESS else None
        if response.opcode is not Opcode.MAP_UDP or self._asked is None:
            return None
        if response.result != 0:
            return response
        is_late = self._asked.lifetime == 0 and response.lifetime != 0  # it grants what was asked for before
        return response if response.internal_port == self._asked.internal_port and not is_late else None

    def _receive_address(self, response: Response, now: float) -> None:
        self._wants_address = False
        ip = response.external_ip
        if ip is None or ip.is_unspecified:
            self._fail(f"the gateway refuses: {RESULT_TEXT[3]}")
            return
        self._external_ip = ip
        if self._asked is None:
            self._events.append(GatewayAnswered(external_ip=ip))
        else:
            self._exchange.start(self._asked.encode(), MAPPING_SCHEDULE, now)

    def _receive_mapping(self, response: Response) -> None:
        asked, self._asked = self._asked, None
        if asked is not None and asked.lifetime == 0:
            self._events.append(PortUnmapped())
        elif response.external_port == 0 or response.lifetime == 0 or self._external_ip is None:
            self._fail("the gateway grants a mapping without a port or for 0 s")
        else:
            external = TransportAddress(self._external_ip, response.external_port)
            lifetime = min(response.lifetime, MAX_LIFETIME)
            self._events.append(PortMapped(external=external, lifetime=lifetime))

    def _ask_address(self, now: float) -> None:
        self._wants_address = True
        self._exchange.start(_ADDRESS_REQUEST, PROBE_SCHEDULE, now)

    def _fail(self, reason: str) -> None:
        self._asked = None
        self._wants_address = False
        super()._fail(reason)
