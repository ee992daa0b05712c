"""The attributes of TURN (RFC 8656 section 18)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from natcore.errors import DecodeError
from natcore.stun.attributes.attribute import (
    MAX_VALUE_SIZE,
    Attribute,
    InvalidAttribute,
    check_length,
    check_range,
    check_size,
)
from natcore.stun.attributes.shapes import (
    MAX_TEXT_SIZE,
    AddressFamily,
    FlagAttribute,
    XorAddressAttribute,
    decode_text,
    decode_unsigned,
    encode_text,
)
from natcore.stun.attributes.stun import decode_error_code
from natcore.stun.header import TransactionId

UDP = 17
"""The IP protocol number that REQUESTED-TRANSPORT asks for; TURN over UDP allows no other."""

_RESERVATION_TOKEN_SIZE = 8
_EVEN_PORT_RESERVE = 0x80


@dataclass(frozen=True, slots=True)
class ChannelNumber(Attribute):
    """CHANNEL-NUMBER (section 18.1): the number that stands for a peer in ChannelData.

    ::

        +-------------------------------+-------------------------------+
        |        Channel number         |               0               |
        +-------------------------------+-------------------------------+

    Attributes:
        value: 0x4000 to 0x4FFF (section 12).
    """

    TYPE: ClassVar[int] = 0x000C
    NAME: ClassVar[str] = "CHANNEL-NUMBER"

    value: int

    def __post_init__(self) -> None:
        check_range(self.NAME, self.value, 0x4000, 0x4FFF)

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """4 bytes."""
        return self.value.to_bytes(2, "big") + bytes(2)

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads 4 bytes and ignores the second half."""
        return cls(decode_unsigned(cls.NAME, data, 4) >> 16)


@dataclass(frozen=True, slots=True)
class Lifetime(Attribute):
    """LIFETIME (section 18.2): how long an allocation lives without a refresh.

    ::

        |  seconds, unsigned, 32 bits  |

    Attributes:
        seconds: 0 to 2^32 - 1; 0 in a Refresh request ends the allocation.
    """

    TYPE: ClassVar[int] = 0x000D
    NAME: ClassVar[str] = "LIFETIME"

    seconds: int

    def __post_init__(self) -> None:
        check_range(self.NAME, self.seconds, 0, 2**32 - 1)

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """4 bytes."""
        return self.seconds.to_bytes(4, "big")

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads 4 bytes."""
        return cls(decode_unsigned(cls.NAME, data, 4))


@dataclass(frozen=True, slots=True)
class XorPeerAddress(XorAddressAttribute):
    """XOR-PEER-ADDRESS (section 18.3): the peer as the TURN server sees it."""

    TYPE: ClassVar[int] = 0x0012
    NAME: ClassVar[str] = "XOR-PEER-ADDRESS"


@dataclass(frozen=True, slots=True)
class XorRelayedAddress(XorAddressAttribute):
    """XOR-RELAYED-ADDRESS (section 18.5): the address that the server allocated for the client."""

    TYPE: ClassVar[int] = 0x0016
    NAME: ClassVar[str] = "XOR-RELAYED-ADDRESS"


@dataclass(frozen=True, slots=True)
class Data(Attribute):
    """DATA (section 18.4): the payload of one UDP datagram to or from the peer.

    ::

        |  any bytes  |
    """

    TYPE: ClassVar[int] = 0x0013
    NAME: ClassVar[str] = "DATA"

    value: bytes

    def __post_init__(self) -> None:
        check_size(self.NAME, self.value, MAX_VALUE_SIZE)

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """The payload."""
        return self.value

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """The payload."""
        return cls(data)


@dataclass(frozen=True, slots=True)
class FamilyAttribute(Attribute):
    """What REQUESTED-ADDRESS-FAMILY and ADDITIONAL-ADDRESS-FAMILY look like.

    ::

        +---------------+-----------------------------------------------+
        |    Family     |                       0                       |
        +---------------+-----------------------------------------------+
    """

    family: AddressFamily

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """4 bytes."""
        return bytes((self.family, 0, 0, 0))

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads 4 bytes and ignores the last three."""
        check_length(cls.NAME, data, 4)
        return cls(_decode_family(cls.NAME, data[0]))


@dataclass(frozen=True, slots=True)
class RequestedAddressFamily(FamilyAttribute):
    """REQUESTED-ADDRESS-FAMILY (section 18.6): the family that the relayed address shall have."""

    TYPE: ClassVar[int] = 0x0017
    NAME: ClassVar[str] = "REQUESTED-ADDRESS-FAMILY"


@dataclass(frozen=True, slots=True)
class AdditionalAddressFamily(FamilyAttribute):
    """ADDITIONAL-ADDRESS-FAMILY (section 18.11): allocate one relayed address of this family as well."""

    TYPE: ClassVar[int] = 0x8000
    NAME: ClassVar[str] = "ADDITIONAL-ADDRESS-FAMILY"


@dataclass(frozen=True, slots=True)
class EvenPort(Attribute):
    """EVEN-PORT (section 18.7): an even port, and on demand the next one reserved.

    ::

        +-+-------------+
        |R|      0      |   R reserve the next higher port
        +-+-------------+
    """

    TYPE: ClassVar[int] = 0x0018
    NAME: ClassVar[str] = "EVEN-PORT"

    reserve_next: bool = False

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """1 byte."""
        return bytes((_EVEN_PORT_RESERVE * self.reserve_next,))

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads the flag and ignores the other bits."""
        return cls(bool(decode_unsigned(cls.NAME, data, 1) & _EVEN_PORT_RESERVE))


@dataclass(frozen=True, slots=True)
class RequestedTransport(Attribute):
    """REQUESTED-TRANSPORT (section 18.8): how the server shall speak to peers.

    ::

        +---------------+-----------------------------------------------+
        |   Protocol    |                       0                       |
        +---------------+-----------------------------------------------+

    Attributes:
        protocol: an IP protocol number, 0 to 255.
    """

    TYPE: ClassVar[int] = 0x0019
    NAME: ClassVar[str] = "REQUESTED-TRANSPORT"

    protocol: int = UDP

    def __post_init__(self) -> None:
        check_range(self.NAME, self.protocol, 0, 255)

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """4 bytes."""
        return bytes((self.protocol, 0, 0, 0))

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads 4 bytes and ignores the last three."""
        return cls(decode_unsigned(cls.NAME, data, 4) >> 24)


@dataclass(frozen=True, slots=True)
class DontFragment(FlagAttribute):
    """DONT-FRAGMENT (section 18.9): set the DF bit on what goes to the peer."""

    TYPE: ClassVar[int] = 0x001A
    NAME: ClassVar[str] = "DONT-FRAGMENT"


@dataclass(frozen=True, slots=True)
class ReservationToken(Attribute):
    """RESERVATION-TOKEN (section 18.10): claims the port that EVEN-PORT reserved.

    ::

        |  any 8 bytes  |
    """

    TYPE: ClassVar[int] = 0x0022
    NAME: ClassVar[str] = "RESERVATION-TOKEN"

    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) != _RESERVATION_TOKEN_SIZE:
            raise InvalidAttribute(self.NAME, got=f"{len(self.value)} bytes", expected="8 bytes")

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """The token."""
        return self.value

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """The token; the constructor checks its size."""
        return cls(data)


@dataclass(frozen=True, slots=True)
class AddressErrorCode(Attribute):
    """ADDRESS-ERROR-CODE (section 18.12): why one of two wanted families was not allocated.

    ::

        +---------------+-------------------------+-----+---------------+
        |    Family     |            0            |Class|    Number     |
        +---------------+-------------------------+-----+---------------+
        |                Reason phrase, UTF-8, 0 to 763 bytes           |
        +---------------------------------------------------------------+
    """

    TYPE: ClassVar[int] = 0x8001
    NAME: ClassVar[str] = "ADDRESS-ERROR-CODE"

    family: AddressFamily
    code: int
    reason: str = ""

    def __post_init__(self) -> None:
        check_range(self.NAME, self.code, 300, 699)
        check_size(self.NAME, encode_text(self.NAME, self.reason), MAX_TEXT_SIZE)

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """4 bytes and the reason."""
        return bytes((self.family, 0, *divmod(self.code, 100))) + self.reason.encode()

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads the picture above; the reserved bits are ignored."""
        code = decode_error_code(cls.NAME, data)
        return cls(_decode_family(cls.NAME, data[0]), code, decode_text(cls.NAME, data[4:]))


@dataclass(frozen=True, slots=True)
class Icmp(Attribute):
    """ICMP (section 18.13): what a router said about a datagram that the server sent to the peer.

    ::

        +-------------------------------+-------------+-----------------+
        |               0               |  ICMP type  |    ICMP code    |
        +-------------------------------+-------------+-----------------+
        |                          Error data                           |
        +---------------------------------------------------------------+

    Attributes:
        icmp_type: 0 to 127.
        icmp_code: 0 to 511.
        error_data: 4 bytes; the next-hop MTU for "fragmentation needed" and "packet too big".
    """

    TYPE: ClassVar[int] = 0x8004
    NAME: ClassVar[str] = "ICMP"

    icmp_type: int
    icmp_code: int
    error_data: bytes = bytes(4)

    def __post_init__(self) -> None:
        check_range(self.NAME, self.icmp_type, 0, 2**7 - 1)
        check_range(self.NAME, self.icmp_code, 0, 2**9 - 1)
        if len(self.error_data) != 4:
            raise InvalidAttribute(self.NAME, got=f"{len(self.error_data)} bytes", expected="4 bytes")

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """8 bytes."""
        return (self.icmp_type << 9 | self.icmp_code).to_bytes(4, "big") + self.error_data

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads the picture above; the first two bytes are ignored."""
        check_length(cls.NAME, data, 8)
        both = int.from_bytes(data[2:4], "big")
        return cls(both >> 9, both & 0x1FF, data[4:])


def _decode_family(name: str, number: int) -> AddressFamily:
    try:
        return AddressFamily(number)
    except ValueError:
        raise DecodeError(name, got=f"address family {number}", expected="1 (IPv4) or 2 (IPv6)") from None
