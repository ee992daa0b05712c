"""The 20 bytes that every STUN message starts with, and the words in them (RFC 8489 section 5).

::

     0                   1                   2                   3
    +---+---------------------------+-------------------------------+
    |0 0| method and class, mixed   |  Length after header, bytes   |
    +---+---------------------------+-------------------------------+
    |                   Magic cookie 0x2112A442                     |
    +---------------------------------------------------------------+
    |                   Transaction id, 12 bytes                    |
    +---------------------------------------------------------------+

RFC 3489 messages, which have no magic cookie, are not STUN here; only :mod:`natcore.stun.classic` knows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import NewType

from natcore.errors import DecodeError

HEADER_SIZE = 20
"""Bytes."""

MAGIC_COOKIE = 0x2112A442
"""The fixed word that tells STUN from other protocols and from RFC 3489."""

COOKIE_BYTES = MAGIC_COOKIE.to_bytes(4, "big")

TRANSACTION_ID_SIZE = 12
"""Bytes."""

TransactionId = NewType("TransactionId", bytes)
"""Identifies one STUN transaction: 12 bytes, uniformly random."""


class Method(IntEnum):
    """What a message is about (RFC 8489 section 18.2, RFC 8656 section 17).

    A message with another method does not decode: section 6.3 has it discarded in silence, so there is
    nothing that a caller could do with the number.
    """

    BINDING = 0x001
    ALLOCATE = 0x003
    REFRESH = 0x004
    SEND = 0x006
    DATA = 0x007
    CREATE_PERMISSION = 0x008
    CHANNEL_BIND = 0x009
    SERVER_LINK = 0x0DA
    """Ours, between two rendezvous servers, from the Expert Review range."""
    CONTROL = 0x0DB
    """Ours, between a client and its rendezvous server, from the same range."""


class MessageClass(IntEnum):
    """Which part of a conversation a message is."""

    REQUEST = 0b00
    INDICATION = 0b01
    SUCCESS_RESPONSE = 0b10
    ERROR_RESPONSE = 0b11


_TRANSACTION = frozenset({MessageClass.REQUEST, MessageClass.SUCCESS_RESPONSE, MessageClass.ERROR_RESPONSE})

ALLOWED_CLASSES: Mapping[Method, frozenset[MessageClass]] = MappingProxyType(
    {
        Method.BINDING: frozenset(MessageClass),
        Method.ALLOCATE: _TRANSACTION,
        Method.REFRESH: _TRANSACTION,
        Method.SEND: frozenset({MessageClass.INDICATION}),
        Method.DATA: frozenset({MessageClass.INDICATION}),
        Method.CREATE_PERMISSION: _TRANSACTION,
        Method.CHANNEL_BIND: _TRANSACTION,
        Method.SERVER_LINK: frozenset({MessageClass.INDICATION}),
        Method.CONTROL: frozenset({MessageClass.INDICATION}),
    }
)
"""The classes that each method's messages may have; others do not decode (RFC 8489 section 6.3)."""


def _type_word(method: Method, message_class: MessageClass) -> int:
    """Mixes method and class as section 5 draws it: M11..M7 C1 M6..M4 C0 M3..M0."""
    c1, c0 = message_class >> 1, message_class & 1
    return (method & 0xF80) << 2 | c1 << 8 | (method & 0x070) << 1 | c0 << 4 | method & 0x00F


_TYPE_WORDS = {
    _type_word(method, message_class): (method, message_class)
    for method, allowed in ALLOWED_CLASSES.items()
    for message_class in allowed
}


def is_stun(data: bytes) -> bool:
    """Whether a datagram is STUN by its first 8 bytes, among other protocols on one port (RFC 7983).

    It may still not decode.
    """
    return len(data) >= HEADER_SIZE and data[0] < 0x40 and data[4:8] == COOKIE_BYTES


@dataclass(frozen=True, slots=True)
class Header:
    """What the header says, but for the length, which the datagram says as well."""

    method: Method
    message_class: MessageClass
    transaction_id: TransactionId

    def encode(self) -> bytes:
        """20 bytes, with a length of 0: :func:`with_length` corrects it when it is known."""
        word = _type_word(self.method, self.message_class)
        return word.to_bytes(2, "big") + bytes(2) + COOKIE_BYTES + self.transaction_id

    @classmethod
    def decode(cls, data: bytes) -> Header:
        """Reads the header of a message that is the whole of ``data``.

        Raises:
            DecodeError: not STUN, another length than the datagram's, or a method or class that nobody knows.
        """
        if not is_stun(data):
            raise DecodeError(
                "STUN header",
                got=f"{data[:8].hex() or 'nothing'} ({len(data)} bytes)",
                expected=f"two zero bits, the magic cookie and {HEADER_SIZE} bytes",
            )
        length, actual = int.from_bytes(data[2:4], "big"), len(data) - HEADER_SIZE
        if length != actual or length % 4:
            raise DecodeError(
                "STUN length", got=f"{length} bytes", expected=f"{actual} bytes, a multiple of 4"
            )
        word = int.from_bytes(data[:2], "big")
        if word not in _TYPE_WORDS:
            raise DecodeError(
                "STUN message type", got=f"{word:#06x}", expected="a known method in an allowed class"
            )
        return cls(*_TYPE_WORDS[word], TransactionId(data[8:HEADER_SIZE]))


def with_length(message: bytes, end: int) -> bytes:
    """The message with a header that says it ends at byte ``end``, counted from the header's start."""
    return message[:2] + (end - HEADER_SIZE).to_bytes(2, "big") + message[4:]
