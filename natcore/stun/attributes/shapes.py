"""The value layouts that several attributes share: addresses, text, a sequence, nothing.

A shape knows bytes and limits; the attributes that have it add their type, their name and their meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import ClassVar, Self

from natcore.address import MAX_PORT, IPAddress, TransportAddress
from natcore.errors import DecodeError
from natcore.stun.attributes.attribute import (
    Attribute,
    InvalidAttribute,
    check_length,
    check_range,
    check_size,
)
from natcore.stun.header import COOKIE_BYTES, TransactionId

MAX_TEXT_SIZE = 763
"""Bytes of SOFTWARE, REALM, NONCE and a reason phrase (RFC 8489 sections 14.8 to 14.14, "as long as 763
bytes when decoding"). Deviation: their other limit, fewer than 128 characters, is not enforced; no memory
is saved by it, and a longer nonce in the field is no reason to lose the server."""

_NO_MASK = bytes(16)


class AddressFamily(IntEnum):
    """The address family byte of RFC 8489 section 14.1."""

    IPV4 = 0x01
    IPV6 = 0x02


@dataclass(frozen=True, slots=True)
class AddressAttribute(Attribute):
    """An address in the clear, as in MAPPED-ADDRESS (RFC 8489 section 14.1).

    ::

        +---------------+---------------+-------------------------------+
        |       0       |    Family     |             Port              |
        +---------------+---------------+-------------------------------+
        |            Address: 4 bytes (IPv4) or 16 bytes (IPv6)         |
        +---------------------------------------------------------------+
    """

    address: TransportAddress

    def __post_init__(self) -> None:
        check_range(self.NAME, self.address.port, 0, MAX_PORT)

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """8 bytes for IPv4, 20 for IPv6."""
        return _encode_address(self.address, _NO_MASK)

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads the picture above; the first byte is ignored, as the RFC demands."""
        return cls(_decode_address(cls.NAME, data, _NO_MASK))


@dataclass(frozen=True, slots=True)
class XorAddressAttribute(Attribute):
    """An address that NATs do not recognise and so do not rewrite, as in XOR-MAPPED-ADDRESS (section 14.2).

    ::

        +---------------+---------------+-------------------------------+
        |       0       |    Family     | Port XOR cookie's upper half  |
        +---------------+---------------+-------------------------------+
        |  Address XOR (cookie and, for IPv6, then the transaction id)  |
        +---------------------------------------------------------------+
    """

    address: TransportAddress

    def __post_init__(self) -> None:
        check_range(self.NAME, self.address.port, 0, MAX_PORT)

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """8 bytes for IPv4, 20 for IPv6."""
        return _encode_address(self.address, COOKIE_BYTES + transaction_id)

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads the picture above; the first byte is ignored, as the RFC demands."""
        return cls(_decode_address(cls.NAME, data, COOKIE_BYTES + transaction_id))


@dataclass(frozen=True, slots=True)
class TextAttribute(Attribute):
    """UTF-8 text, strictly decoded, at most ``MAX_SIZE`` bytes.

    ::

        |  UTF-8, no terminator  |
    """

    MAX_SIZE: ClassVar[int] = MAX_TEXT_SIZE

    value: str

    def __post_init__(self) -> None:
        check_size(self.NAME, encode_text(self.NAME, self.value), self.MAX_SIZE)

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """The text as UTF-8."""
        return self.value.encode()

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads UTF-8."""
        return cls(decode_text(cls.NAME, data))


@dataclass(frozen=True, slots=True)
class SequenceAttribute(Attribute):
    """A number that only grows.

    ::

        |  unsigned, 64 bits  |

    Attributes:
        value: 0 to 2^64 - 1.
    """

    value: int

    def __post_init__(self) -> None:
        check_range(self.NAME, self.value, 0, 2**64 - 1)

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """8 bytes."""
        return self.value.to_bytes(8, "big")

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads 8 bytes."""
        return cls(decode_unsigned(cls.NAME, data, 8))


@dataclass(frozen=True, slots=True)
class FlagAttribute(Attribute):
    """An attribute that says all by being there; its value is empty.

    ::

        |  nothing  |
    """

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """No bytes."""
        return b""

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Takes no bytes."""
        check_length(cls.NAME, data, 0)
        return cls()


def encode_text(name: str, text: str) -> bytes:
    """UTF-8 of a text.

    Raises:
        InvalidAttribute: it holds a lone surrogate, which has no UTF-8.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidAttribute(name, got=ascii(text[:64]), expected="text that has a UTF-8 form") from None


def decode_text(name: str, data: bytes) -> str:
    """The text of UTF-8 bytes; untrusted, control characters included.

    Raises:
        DecodeError: the bytes are not UTF-8.
    """
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise DecodeError(name, got=ascii(data[:64]), expected="UTF-8") from None


def decode_unsigned(name: str, data: bytes, length: int) -> int:
    """A big-endian unsigned number of exactly ``length`` bytes.

    Raises:
        DecodeError: the value has another length.
    """
    check_length(name, data, length)
    return int.from_bytes(data, "big")


def _encode_address(address: TransportAddress, mask: bytes) -> bytes:
    family = AddressFamily.IPV4 if address.ip.version == 4 else AddressFamily.IPV6
    port = address.port.to_bytes(2, "big")
    return bytes((0, family)) + _xor(port, mask) + _xor(address.ip.packed, mask)


def _decode_address(name: str, data: bytes, mask: bytes) -> TransportAddress:
    if len(data) < 4:
        raise DecodeError(name, got=f"{len(data)} bytes", expected="8 or 20 bytes")
    port = int.from_bytes(_xor(data[2:4], mask), "big")
    match data[1]:
        case AddressFamily.IPV4:
            check_length(name, data, 8)
            return TransportAddress(IPv4Address(_xor(data[4:], mask)), port)
        case AddressFamily.IPV6:
            check_length(name, data, 20)
            return TransportAddress(_unmapped(IPv6Address(_xor(data[4:], mask))), port)
        case family:
            raise DecodeError(name, got=f"address family {family}", expected="1 (IPv4) or 2 (IPv6)")


def _unmapped(ip: IPv6Address) -> IPAddress:
    """The IPv4 address that an IPv4-mapped one means: the form that TransportAddress promises."""
    return ip if ip.ipv4_mapped is None else ip.ipv4_mapped


def _xor(data: bytes, mask: bytes) -> bytes:
    """XORs ``data`` with as many first bytes of ``mask``."""
    size = len(data)
    return (int.from_bytes(data, "big") ^ int.from_bytes(mask[:size], "big")).to_bytes(size, "big")
