"""What every STUN attribute is: a frozen value with a type number, an RFC name and a codec of its own.

A rule about an attribute's value is written once, in the constructor of its class. Who broke it decides the
error: our own caller gets :class:`InvalidAttribute` (a ``MisuseError``), and
:func:`natcore.stun.attributes.table.decode_attribute` turns the same refusal into a ``DecodeError`` when
the value came from the wire.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

from natcore.errors import DecodeError, MisuseError
from natcore.stun.header import TransactionId

COMPREHENSION_OPTIONAL = 0x8000
"""Attribute types from here up may be ignored by who does not know them (RFC 8489 section 14)."""

MAX_VALUE_SIZE = 0xFFFF
"""Bytes; the attribute header counts them in 16 bits."""


class InvalidAttribute(MisuseError):
    """A value that its attribute does not allow.

    Attributes:
        what: the attribute's RFC name.
        got: what was given, in words, with its unit.
        expected: what would have been right.
    """

    def __init__(self, what: str, *, got: str, expected: str) -> None:
        self.what = what
        self.got = got
        self.expected = expected
        super().__init__(what, got, expected)

    def __str__(self) -> str:
        return f"{self.what}: got {self.got}, expected {self.expected}"


class Attribute(ABC):
    """One attribute of a STUN message (RFC 8489 section 14).

    Every subclass has the same five parts: ``TYPE``, ``NAME``, the layout of its value as a picture in the
    docstring, :meth:`encode_value` and :meth:`decode_value`. The attribute header and the padding to four
    bytes belong to the message, not to the attribute::

         0                   1                   2                   3
        +-------------------------------+-------------------------------+
        |             Type              |    Length of value, bytes     |
        +-------------------------------+-------------------------------+
        |                     Value, padded to 4 bytes                ...
        +---------------------------------------------------------------+
    """

    __slots__ = ()

    TYPE: ClassVar[int]
    NAME: ClassVar[str]

    @abstractmethod
    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """The value's bytes, without header and padding; XOR-ed attributes need the transaction id."""

    @classmethod
    @abstractmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Reads back what :meth:`encode_value` wrote.

        Raises:
            DecodeError: the bytes have another shape.
            InvalidAttribute: the shape is right and the constructor refuses the value.
        """


@dataclass(frozen=True, slots=True)
class UnknownAttribute(Attribute):
    """An attribute that this implementation does not know, kept as it came.

    ::

        |  any bytes, 0 to 65535  |

    Attributes:
        type: 0 to 0xFFFF; below 0x8000 it is comprehension-required.
        value: the bytes without padding.
    """

    NAME: ClassVar[str] = "unknown attribute"

    type: int
    value: bytes

    def __post_init__(self) -> None:
        check_range(self.NAME, self.type, 0, 0xFFFF)
        check_size(self.NAME, self.value, MAX_VALUE_SIZE)

    def encode_value(self, transaction_id: TransactionId) -> bytes:
        """The bytes as they are."""
        return self.value

    @classmethod
    def decode_value(cls, data: bytes, transaction_id: TransactionId) -> Self:
        """Not possible: the value alone does not tell the type; the table builds these itself.

        Raises:
            DecodeError: always.
        """
        raise DecodeError(cls.NAME, got="a value", expected="a type as well")


def type_of(attribute: Attribute) -> int:
    """The 16-bit type number that goes on the wire for this attribute."""
    return attribute.type if isinstance(attribute, UnknownAttribute) else attribute.TYPE


def check_range(name: str, number: int, lowest: int, highest: int) -> None:
    """Refuses a number outside ``lowest`` to ``highest``, both included.

    Raises:
        InvalidAttribute: it is outside.
    """
    if not lowest <= number <= highest:
        raise InvalidAttribute(name, got=str(number), expected=f"{lowest} to {highest}")


def check_size(name: str, value: bytes, max_size: int) -> None:
    """Refuses a value of more than ``max_size`` bytes.

    Raises:
        InvalidAttribute: it is longer.
    """
    if len(value) > max_size:
        raise InvalidAttribute(name, got=f"{len(value)} bytes", expected=f"at most {max_size} bytes")


def check_length(name: str, data: bytes, length: int) -> None:
    """Refuses wire data that is not exactly ``length`` bytes.

    Raises:
        DecodeError: it is shorter or longer.
    """
    if len(data) != length:
        raise DecodeError(name, got=f"{len(data)} bytes", expected=f"{length} bytes")
