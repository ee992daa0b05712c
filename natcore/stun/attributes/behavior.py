"""The attributes of NAT behaviour discovery (RFC 5780 section 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from natcore.address import MAX_PORT
from natcore.stun.attributes.attribute import (
    MAX_VALUE_SIZE,
    Attribute,
    check_length,
    check_range,
)
from natcore.stun.attributes.shapes import AddressAttribute, decode_unsigned
from natcore.stun.header import TransactionId

_CHANGE_IP = 0x04
_CHANGE_PORT = 0x02


@dataclass(frozen=True, slots=True)
class OtherAddress(AddressAttribute):
    """OTHER-ADDRESS (section 7.4): the server's other IP address and other port."""

    TYPE: ClassVar[int] = 0x802C
    NAME: ClassVar[str] = "OTHER-ADDRESS"


@dataclass(frozen=True, slots=True)
class ResponseOrigin(AddressAttribute):
    """RESPONSE-ORIGIN (section 7.3): where the server says that it sent the response from."""

    TYPE: ClassVar[int] = 0x802B
    NAME: ClassVar[str] = "RESPONSE-ORIGIN"


@dataclass(frozen=True, slots=True)
class ChangeRequest(Attribute):
    """CHANGE-REQUEST (section 7.2): answer from your other address, or your other port, or both.

    ::

        +-------------------------------------------------+-+-+-+
        |              0, 29 bits                         |A|B|0|   A change IP, B change port
        +-------------------------------------------------+-+-+-+
    """

    TYPE: ClassVar[int] = 0x0003
    NAME: ClassVar[str] = "CHANGE-REQUEST"

    change_ip: bool = False
    change_port: bool = False

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """4 bytes."""
        return bytes((0, 0, 0, _CHANGE_IP * self.change_ip | _CHANGE_PORT * self.change_port))

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads the two flags and ignores the other bits."""
        flags = decode_unsigned(cls.NAME, data, 4)
        return cls(change_ip=bool(flags & _CHANGE_IP), change_port=bool(flags & _CHANGE_PORT))


@dataclass(frozen=True, slots=True)
class ResponsePort(Attribute):
    """RESPONSE-PORT (section 7.5): send the response to this port of mine; for lifetime tests.

    ::

        +-------------------------------+-------------------------------+
        |             Port              |               0               |
        +-------------------------------+-------------------------------+

    Section 7.5 calls the second half padding. Whether the length field counts it, implementations disagree:
    we send a length of 2 and read both.
    """

    TYPE: ClassVar[int] = 0x0027
    NAME: ClassVar[str] = "RESPONSE-PORT"

    port: int

    def __post_init__(self) -> None:
        check_range(self.NAME, self.port, 0, MAX_PORT)

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """2 bytes."""
        return self.port.to_bytes(2, "big")

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads 2 bytes, or 4 whose second half is ignored."""
        if len(data) != 2:
            check_length(cls.NAME, data, 4)
        return cls(int.from_bytes(data[:2], "big"))


@dataclass(frozen=True, slots=True)
class Padding(Attribute):
    """PADDING (section 7.6): makes a message long enough to be fragmented.

    ::

        |  length bytes of anything; we send zeros and do not look at what came  |

    Attributes:
        length: bytes.
    """

    TYPE: ClassVar[int] = 0x0026
    NAME: ClassVar[str] = "PADDING"

    length: int

    def __post_init__(self) -> None:
        check_range(self.NAME, self.length, 0, MAX_VALUE_SIZE)

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """Zeros."""
        return bytes(self.length)

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Counts the bytes."""
        return cls(len(data))
