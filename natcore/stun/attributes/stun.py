"""The attributes of STUN itself (RFC 8489 section 14), except those that prove a message.

MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 and FINGERPRINT depend on every byte before them and so are no
values: :mod:`natcore.stun.integrity` has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from natcore.errors import DecodeError
from natcore.stun.attributes.attribute import (
    MAX_VALUE_SIZE,
    Attribute,
    InvalidAttribute,
    check_range,
    check_size,
)
from natcore.stun.attributes.shapes import (
    MAX_TEXT_SIZE,
    AddressAttribute,
    TextAttribute,
    XorAddressAttribute,
    decode_text,
    encode_text,
)
from natcore.stun.header import TransactionId

USER_HASH_SIZE = 32
"""Bytes of a SHA-256 digest."""


@dataclass(frozen=True, slots=True)
class MappedAddress(AddressAttribute):
    """MAPPED-ADDRESS (section 14.1): the reflexive address in the clear; sent to classic clients only."""

    TYPE: ClassVar[int] = 0x0001
    NAME: ClassVar[str] = "MAPPED-ADDRESS"


@dataclass(frozen=True, slots=True)
class XorMappedAddress(XorAddressAttribute):
    """XOR-MAPPED-ADDRESS (section 14.2): where the request came from, as its receiver saw it."""

    TYPE: ClassVar[int] = 0x0020
    NAME: ClassVar[str] = "XOR-MAPPED-ADDRESS"


@dataclass(frozen=True, slots=True)
class AlternateServer(AddressAttribute):
    """ALTERNATE-SERVER (section 14.15): the server to try instead."""

    TYPE: ClassVar[int] = 0x8023
    NAME: ClassVar[str] = "ALTERNATE-SERVER"


@dataclass(frozen=True, slots=True)
class AlternateDomain(TextAttribute):
    """ALTERNATE-DOMAIN (section 14.16): the domain name that the alternate server's certificate shows."""

    TYPE: ClassVar[int] = 0x8003
    NAME: ClassVar[str] = "ALTERNATE-DOMAIN"
    MAX_SIZE: ClassVar[int] = 255  # bytes, the longest domain name (RFC 1035 section 2.3.4)


@dataclass(frozen=True, slots=True)
class Username(TextAttribute):
    """USERNAME (section 14.3): who signs the message; fewer than 509 bytes."""

    TYPE: ClassVar[int] = 0x0006
    NAME: ClassVar[str] = "USERNAME"
    MAX_SIZE: ClassVar[int] = 508


@dataclass(frozen=True, slots=True)
class Realm(TextAttribute):
    """REALM (section 14.9): the long-term credential's domain, without quotes."""

    TYPE: ClassVar[int] = 0x0014
    NAME: ClassVar[str] = "REALM"


@dataclass(frozen=True, slots=True)
class Nonce(TextAttribute):
    """NONCE (section 14.10): the server's freshness token, without quotes."""

    TYPE: ClassVar[int] = 0x0015
    NAME: ClassVar[str] = "NONCE"


@dataclass(frozen=True, slots=True)
class Software(TextAttribute):
    """SOFTWARE (section 14.14): what the sender says it is; for people only."""

    TYPE: ClassVar[int] = 0x8022
    NAME: ClassVar[str] = "SOFTWARE"


@dataclass(frozen=True, slots=True)
class UserHash(Attribute):
    """USERHASH (section 14.4): stands for USERNAME where the name is to stay private.

    ::

        |  SHA-256(OpaqueString(username) ":" OpaqueString(realm)), 32 bytes  |
    """

    TYPE: ClassVar[int] = 0x001E
    NAME: ClassVar[str] = "USERHASH"

    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) != USER_HASH_SIZE:
            raise InvalidAttribute(
                self.NAME, got=f"{len(self.value)} bytes", expected=f"{USER_HASH_SIZE} bytes"
            )

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """The digest."""
        return self.value

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Takes the digest; the constructor checks its size."""
        return cls(data)


@dataclass(frozen=True, slots=True)
class ErrorCode(Attribute):
    """ERROR-CODE (section 14.8): why a request was refused.

    ::

        +-----------------------------------------+-----+---------------+
        |                    0                    |Class|   Number      |
        +-----------------------------------------+-----+---------------+
        |                Reason phrase, UTF-8, 0 to 763 bytes           |
        +---------------------------------------------------------------+

    Attributes:
        code: 300 to 699; class times 100 plus number.
        reason: for people; untrusted when received.
    """

    TYPE: ClassVar[int] = 0x0009
    NAME: ClassVar[str] = "ERROR-CODE"

    code: int
    reason: str = ""

    def __post_init__(self) -> None:
        check_range(self.NAME, self.code, 300, 699)
        check_size(self.NAME, encode_text(self.NAME, self.reason), MAX_TEXT_SIZE)

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """4 bytes and the reason."""
        return bytes((0, 0, *divmod(self.code, 100))) + self.reason.encode()

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads the picture above; the reserved 21 bits are ignored."""
        code = decode_error_code(cls.NAME, data)
        return cls(code, decode_text(cls.NAME, data[4:]))


@dataclass(frozen=True, slots=True)
class UnknownAttributes(Attribute):
    """UNKNOWN-ATTRIBUTES (section 14.13): which comprehension-required types a 420 is about.

    ::

        +-------------------------------+-------------------------------+
        |        Type, 16 bits          |        Type, 16 bits        ...
        +-------------------------------+-------------------------------+

    Attributes:
        types: attribute types, each 0 to 0xFFFF, in the order in which they were met.
    """

    TYPE: ClassVar[int] = 0x000A
    NAME: ClassVar[str] = "UNKNOWN-ATTRIBUTES"

    types: tuple[int, ...]

    def __post_init__(self) -> None:
        for attribute_type in self.types:
            check_range(self.NAME, attribute_type, 0, 0xFFFF)

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """2 bytes a type."""
        return b"".join(attribute_type.to_bytes(2, "big") for attribute_type in self.types)

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads 2 bytes a type."""
        if len(data) % 2:
            raise DecodeError(cls.NAME, got=f"{len(data)} bytes", expected="an even number of bytes")
        return cls(tuple(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)))


@dataclass(frozen=True, slots=True)
class PasswordAlgorithm(Attribute):
    """PASSWORD-ALGORITHM (section 14.12): how the long-term key was made.

    ::

        +-------------------------------+-------------------------------+
        |  Algorithm: 1 MD5, 2 SHA-256  |   Length of parameters, bytes |
        +-------------------------------+-------------------------------+
        |           Parameters, padded to 4 bytes in a list           ...
        +---------------------------------------------------------------+

    Attributes:
        algorithm: 0 to 0xFFFF; a number, because a server may offer algorithms that we do not know.
        parameters: empty for both known algorithms.
    """

    TYPE: ClassVar[int] = 0x001D
    NAME: ClassVar[str] = "PASSWORD-ALGORITHM"

    algorithm: int
    parameters: bytes = b""

    def __post_init__(self) -> None:
        check_range(self.NAME, self.algorithm, 0, 0xFFFF)
        check_size(self.NAME, self.parameters, MAX_VALUE_SIZE - 4)

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """4 bytes and the parameters."""
        head = self.algorithm.to_bytes(2, "big") + len(self.parameters).to_bytes(2, "big")
        return head + self.parameters

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads one algorithm and nothing after it but its padding."""
        algorithm, parameters, rest = _split_algorithm(cls.NAME, data)
        if rest:
            raise DecodeError(cls.NAME, got=f"{len(rest)} bytes after it", expected="one algorithm")
        return cls(algorithm, parameters)


@dataclass(frozen=True, slots=True)
class PasswordAlgorithms(Attribute):
    """PASSWORD-ALGORITHMS (section 14.11): what the server offers, the most preferred first.

    ::

        |  PASSWORD-ALGORITHM values, each padded to 4 bytes  |
    """

    TYPE: ClassVar[int] = 0x8002
    NAME: ClassVar[str] = "PASSWORD-ALGORITHMS"

    algorithms: tuple[PasswordAlgorithm, ...]

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """The values one after the other; padding is zero."""
        values = (algorithm.encode_value(transaction_id) for algorithm in self.algorithms)
        return b"".join(value + bytes(-len(value) % 4) for value in values)

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads values until the end; the data gets shorter with each, so this ends."""
        algorithms = []
        while data:
            algorithm, parameters, data = _split_algorithm(cls.NAME, data)
            algorithms.append(PasswordAlgorithm(algorithm, parameters))
        return cls(tuple(algorithms))


def decode_error_code(name: str, data: bytes) -> int:
    """The code in the first four bytes of ERROR-CODE and ADDRESS-ERROR-CODE.

    Raises:
        DecodeError: fewer than four bytes, or a number over 99.
    """
    if len(data) < 4:
        raise DecodeError(name, got=f"{len(data)} bytes", expected="at least 4 bytes")
    if data[3] > 99:
        raise DecodeError(name, got=f"number {data[3]}", expected="0 to 99")
    return (data[2] & 0x07) * 100 + data[3]


def _split_algorithm(name: str, data: bytes) -> tuple[int, bytes, bytes]:
    """The first password algorithm's number and parameters, and the data after them and their padding."""
    end = 4 + int.from_bytes(data[2:4], "big")
    if len(data) < end:
        raise DecodeError(name, got=f"{len(data)} bytes", expected=f"at least {end} bytes")
    return int.from_bytes(data[:2], "big"), data[4:end], data[end + -end % 4 :]
