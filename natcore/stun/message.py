"""STUN messages on the wire (RFC 8489 sections 5, 6 and 14): the header, and attributes in order.

::

     0                   1                   2                   3
    +---+---------------------------+-------------------------------+
    |0 0| method and class, mixed   |  Length after header, bytes   |
    +---+---------------------------+-------------------------------+
    |                   Magic cookie 0x2112A442                     |
    +---------------------------------------------------------------+
    |                   Transaction id, 12 bytes                    |
    +---------------------------------------------------------------+
    |            Attributes, each padded to 4 bytes               ...
    +---------------------------------------------------------------+

A :class:`Message` is what we want to say. A :class:`ReceivedMessage` is what somebody said: it keeps the
bytes, because a proof of integrity is about bytes, and nothing in it is to be believed until
:meth:`ReceivedMessage.is_authentic` says so. The three attributes that prove a message are not in its
``attributes``: they are made by ``encode`` and taken off by ``decode``.

RFC 3489 messages, which have no magic cookie, are not STUN here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import TypeVar

from natcore.errors import DecodeError, MisuseError
from natcore.stun.attributes.attribute import (
    COMPREHENSION_OPTIONAL,
    Attribute,
    TransactionId,
    UnknownAttribute,
    type_of,
)
from natcore.stun.attributes.shapes import COOKIE_BYTES
from natcore.stun.attributes.table import decode_attribute
from natcore.stun.integrity import (
    FINGERPRINT_SIZE,
    FINGERPRINT_TYPE,
    IntegrityAlgorithm,
    IntegrityProof,
    with_length,
)
from natcore.stun.integrity import (
    fingerprint as fingerprint_of,
)

HEADER_SIZE = 20
"""Bytes."""

TRANSACTION_ID_SIZE = 12
"""Bytes."""

MAX_MESSAGE_SIZE = 2048
"""Bytes, header included. What fits a 1500-byte path needs no more, and RFC 5780's PADDING, which must not
fit, needs little more; beyond that a decoder only works for an attacker."""

MAX_ATTRIBUTES = 64
"""The fullest message of our RFCs, a TURN Allocate with long-term credentials, has under 20; 2048 bytes could
hold 507 empty ones."""

_INTEGRITY_TYPES = {algorithm.attribute_type: algorithm for algorithm in IntegrityAlgorithm}

AttributeT = TypeVar("AttributeT", bound=Attribute)


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


class MessageClass(IntEnum):
    """Which part of a conversation a message is (RFC 8489 section 5)."""

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
    }
)
"""The classes that each method's messages may have; others do not decode (RFC 8489 section 6.3)."""


def _type_word(method: int, message_class: int) -> int:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One STUN message.

    Attributes:
        method: what it is about.
        message_class: request, indication, success or error response.
        transaction_id: 12 bytes, uniformly random in a request, the request's own in its response.
        attributes: at most 64, in wire order, without the ones that prove the message.
    """

    method: Method
    message_class: MessageClass
    transaction_id: TransactionId
    attributes: tuple[Attribute, ...] = ()

    def __post_init__(self) -> None:
        if self.message_class not in ALLOWED_CLASSES[self.method]:
            raise MisuseError(f"STUN message: got {self.method.name} as {self.message_class.name}")
        if len(self.transaction_id) != TRANSACTION_ID_SIZE:
            raise MisuseError(
                f"transaction id: got {len(self.transaction_id)} bytes, expected {TRANSACTION_ID_SIZE} bytes"
            )
        if len(self.attributes) > MAX_ATTRIBUTES:
            raise MisuseError(
                f"STUN message: got {len(self.attributes)} attributes, expected at most {MAX_ATTRIBUTES}"
            )

    @classmethod
    def decode(cls, data: bytes) -> ReceivedMessage:
        """Reads one whole datagram.

        A FINGERPRINT is checked here; message integrity is not, because its key is only known once the
        USERNAME has been read: ask :meth:`ReceivedMessage.is_authentic`.

        Raises:
            DecodeError: the bytes are not one well-formed STUN message of a known method.

        Source: RFC 8489 section 6.3.
        """
        return _decode(data)

    def encode(
        self,
        *,
        key: bytes | None = None,
        algorithm: IntegrityAlgorithm = IntegrityAlgorithm.SHA1,
        fingerprint: bool = False,
        padding: bytes = b"\0",
    ) -> bytes:
        """The message's bytes.

        Args:
            key: adds message integrity with this key; None adds none.
            algorithm: MESSAGE-INTEGRITY (SHA1) or MESSAGE-INTEGRITY-SHA256.
            fingerprint: adds FINGERPRINT, the last attribute.
            padding: the byte that fills attributes up to four; RFC 8489 section 14 demands zero, RFC 5389
                left it open and RFC 5769's vectors have spaces.

        Raises:
            MisuseError: the message is longer than 2048 bytes.
        """
        data = self._encode_header() + b"".join(
            _encode_attribute(type_of(attribute), attribute.encode_value(self.transaction_id), padding)
            for attribute in self.attributes
        )
        if key is not None:
            covered = with_length(data, len(data) + 4 + algorithm.size)
            data = covered + _encode_attribute(algorithm.attribute_type, algorithm.sign(covered, key))
        if fingerprint:
            covered = with_length(data, len(data) + 4 + FINGERPRINT_SIZE)
            data = covered + _encode_attribute(FINGERPRINT_TYPE, fingerprint_of(covered))
        if len(data) > MAX_MESSAGE_SIZE:
            raise MisuseError(f"STUN message: got {len(data)} bytes, expected at most {MAX_MESSAGE_SIZE}")
        return with_length(data, len(data))

    def get(self, kind: type[AttributeT]) -> AttributeT | None:
        """The attribute of this class, or None; of several the first, the rest is ignored (section 14)."""
        for attribute in self.attributes:
            if isinstance(attribute, kind):
                return attribute
        return None

    def _encode_header(self) -> bytes:
        """20 bytes, with a length of 0 until it is known."""
        word = _type_word(self.method, self.message_class)
        return word.to_bytes(2, "big") + bytes(2) + COOKIE_BYTES + self.transaction_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedMessage(Message):
    """A decoded message: untrusted, until :meth:`is_authentic` says otherwise.

    Attributes:
        raw: the bytes that it was decoded from.
        integrity: the proof that counts (SHA-256 where both are there), not yet checked; None without one.
        has_fingerprint: whether it carried a FINGERPRINT, which was right.
    """

    raw: bytes = field(repr=False)
    integrity: IntegrityProof | None
    has_fingerprint: bool

    @property
    def has_integrity(self) -> bool:
        """Whether it carries a message integrity attribute, right or wrong."""
        return self.integrity is not None

    @property
    def unknown_required(self) -> tuple[int, ...]:
        """Types below 0x8000 that we do not know, each once: a request with any must be answered by 420."""
        unknown = (attribute for attribute in self.attributes if isinstance(attribute, UnknownAttribute))
        return tuple(dict.fromkeys(one.type for one in unknown if one.type < COMPREHENSION_OPTIONAL))

    def is_authentic(self, key: bytes) -> bool:
        """Whether the sender had ``key``: MESSAGE-INTEGRITY-SHA256 if present, else MESSAGE-INTEGRITY.

        False when neither is there.
        """
        return self.integrity is not None and self.integrity.holds(self.raw, key)


@dataclass(frozen=True, slots=True)
class _RawAttribute:
    """One attribute as it lies in the message: type, offset of its header, value without padding."""

    type: int
    at: int
    value: bytes


def _decode(data: bytes) -> ReceivedMessage:
    method, message_class, transaction_id = _decode_header(data)
    attributes: list[Attribute] = []
    integrity: IntegrityProof | None = None
    has_fingerprint = False
    for raw in _split_attributes(data):
        if has_fingerprint:
            raise DecodeError("FINGERPRINT", got="an attribute after it", expected="the end of the message")
        if raw.type == FINGERPRINT_TYPE:
            _check_fingerprint(data, raw)
            has_fingerprint = True
        elif raw.type in _INTEGRITY_TYPES:
            integrity = _stronger(integrity, _decode_integrity(raw))
        elif integrity is None:  # what comes after it is not covered by it (sections 14.5 and 14.6)
            attributes.append(decode_attribute(raw.type, raw.value, transaction_id))
    return ReceivedMessage(
        method=method,
        message_class=message_class,
        transaction_id=transaction_id,
        attributes=tuple(attributes),
        raw=data,
        integrity=integrity,
        has_fingerprint=has_fingerprint,
    )


def _decode_header(data: bytes) -> tuple[Method, MessageClass, TransactionId]:
    if not HEADER_SIZE <= len(data) <= MAX_MESSAGE_SIZE:
        raise DecodeError(
            "STUN message", got=f"{len(data)} bytes", expected=f"{HEADER_SIZE} to {MAX_MESSAGE_SIZE} bytes"
        )
    if not is_stun(data):
        raise DecodeError("STUN header", got=data[:8].hex(), expected="two zero bits and the magic cookie")
    length = int.from_bytes(data[2:4], "big")
    if length % 4 or HEADER_SIZE + length != len(data):
        raise DecodeError(
            "STUN length", got=f"{length} bytes", expected=f"{len(data) - HEADER_SIZE} bytes, a multiple of 4"
        )
    word = int.from_bytes(data[:2], "big")
    if word not in _TYPE_WORDS:
        raise DecodeError(
            "STUN message type", got=f"{word:#06x}", expected="a known method in an allowed class"
        )
    return *_TYPE_WORDS[word], TransactionId(data[8:HEADER_SIZE])


def _split_attributes(data: bytes) -> Iterator[_RawAttribute]:
    """Walks the attributes; each is at least 4 bytes, so the message's size bounds the walk.

    As the message's length is a multiple of four, a header always fits, and a value that fits has room for
    its padding.
    """
    at = HEADER_SIZE
    count = 0
    while at < len(data):
        count += 1
        if count > MAX_ATTRIBUTES:
            raise DecodeError("STUN message", got="more attributes", expected=f"at most {MAX_ATTRIBUTES}")
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        end = at + 4 + length
        if end > len(data):
            raise DecodeError(
                "STUN attribute", got=f"{length} bytes", expected=f"at most {len(data) - at - 4} bytes"
            )
        yield _RawAttribute(int.from_bytes(data[at : at + 2], "big"), at, data[at + 4 : end])
        at = end + -end % 4


def _check_fingerprint(data: bytes, raw: _RawAttribute) -> None:
    expected = fingerprint_of(with_length(data[: raw.at], raw.at + 4 + FINGERPRINT_SIZE))
    if raw.value != expected:
        raise DecodeError("FINGERPRINT", got=raw.value[:8].hex(), expected=expected.hex())


def _decode_integrity(raw: _RawAttribute) -> IntegrityProof:
    algorithm = _INTEGRITY_TYPES[raw.type]
    if len(raw.value) != algorithm.size:
        raise DecodeError(
            "message integrity", got=f"{len(raw.value)} bytes", expected=f"{algorithm.size} bytes"
        )
    return IntegrityProof(algorithm, raw.at, raw.value)


def _stronger(first: IntegrityProof | None, later: IntegrityProof) -> IntegrityProof:
    """Of two proofs the one that counts: after one, only SHA-256 is not ignored, and then it decides."""
    if first is None or (first.algorithm, later.algorithm) == (
        IntegrityAlgorithm.SHA1,
        IntegrityAlgorithm.SHA256,
    ):
        return later
    return first


def _encode_attribute(attribute_type: int, value: bytes, padding: bytes = b"\0") -> bytes:
    head = attribute_type.to_bytes(2, "big") + len(value).to_bytes(2, "big")
    return head + value + padding * (-len(value) % 4)
