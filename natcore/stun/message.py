"""STUN messages: a header, attributes in order, and what proves them (RFC 8489 sections 6 and 14).

A :class:`Message` is what we want to say. A :class:`ReceivedMessage` is what somebody said: it keeps the
bytes, because a proof of integrity is about bytes, and nothing in it is to be believed until
:meth:`ReceivedMessage.is_authentic` says so. The three attributes that prove a message are not in its
``attributes``: they are made by ``encode`` and taken off by ``decode``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from natcore.errors import DecodeError, MisuseError
from natcore.stun.attributes.attribute import (
    COMPREHENSION_OPTIONAL,
    Attribute,
    UnknownAttribute,
    type_of,
)
from natcore.stun.attributes.table import decode_attribute
from natcore.stun.header import (
    ALLOWED_CLASSES,
    HEADER_SIZE,
    TRANSACTION_ID_SIZE,
    Header,
    MessageClass,
    Method,
    TransactionId,
    with_length,
)
from natcore.stun.integrity import (
    FINGERPRINT_SIZE,
    FINGERPRINT_TYPE,
    IntegrityAlgorithm,
    IntegrityProof,
    fingerprint_value,
)

MAX_MESSAGE_SIZE = 2048
"""Bytes, header included. What fits a 1500-byte path needs no more, and RFC 5780's PADDING, which must not
fit, needs little more; beyond that a decoder only works for an attacker."""

MAX_ATTRIBUTES = 64
"""Besides those that prove the message. The fullest message of our RFCs, a TURN Allocate with long-term
credentials, has under 20; 2048 bytes could hold 507 empty ones."""

_INTEGRITY_TYPES = {algorithm.attribute_type: algorithm for algorithm in IntegrityAlgorithm}

AttributeT = TypeVar("AttributeT", bound=Attribute)


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
        header = Header(self.method, self.message_class, self.transaction_id)
        data = header.encode() + b"".join(
            _encode_attribute(type_of(attribute), attribute.encode_value(self.transaction_id), padding)
            for attribute in self.attributes
        )
        size = len(data) + (0 if key is None else 4 + algorithm.size) + (4 + FINGERPRINT_SIZE) * fingerprint
        if size > MAX_MESSAGE_SIZE:
            raise MisuseError(f"STUN message: got {size} bytes, expected at most {MAX_MESSAGE_SIZE}")
        if key is not None:
            covered = with_length(data, len(data) + 4 + algorithm.size)
            data = covered + _encode_attribute(algorithm.attribute_type, algorithm.sign(covered, key))
        if fingerprint:
            covered = with_length(data, len(data) + 4 + FINGERPRINT_SIZE)
            data = covered + _encode_attribute(FINGERPRINT_TYPE, fingerprint_value(covered))
        return with_length(data, len(data))

    def get(self, kind: type[AttributeT]) -> AttributeT | None:
        """The attribute of this class, or None; of several the first, the rest is ignored (section 14)."""
        for attribute in self.attributes:
            if isinstance(attribute, kind):
                return attribute
        return None


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
    if len(data) > MAX_MESSAGE_SIZE:
        raise DecodeError(
            "STUN message", got=f"{len(data)} bytes", expected=f"at most {MAX_MESSAGE_SIZE} bytes"
        )
    header = Header.decode(data)
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
            attributes.append(decode_attribute(raw.type, raw.value, header.transaction_id))
        if len(attributes) > MAX_ATTRIBUTES:
            raise DecodeError("STUN message", got="more attributes", expected=f"at most {MAX_ATTRIBUTES}")
    return ReceivedMessage(
        method=header.method,
        message_class=header.message_class,
        transaction_id=header.transaction_id,
        attributes=tuple(attributes),
        raw=data,
        integrity=integrity,
        has_fingerprint=has_fingerprint,
    )


def _split_attributes(data: bytes) -> Iterator[_RawAttribute]:
    """Walks the attributes; each is at least 4 bytes, so the message's size bounds the walk.

    As the message's length is a multiple of four, a header always fits, and a value that fits has room for
    its padding.
    """
    at = HEADER_SIZE
    while at < len(data):
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        end = at + 4 + length
        if end > len(data):
            raise DecodeError(
                "STUN attribute", got=f"{length} bytes", expected=f"at most {len(data) - at - 4} bytes"
            )
        yield _RawAttribute(int.from_bytes(data[at : at + 2], "big"), at, data[at + 4 : end])
        at = end + -end % 4


def _check_fingerprint(data: bytes, raw: _RawAttribute) -> None:
    expected = fingerprint_value(with_length(data[: raw.at], raw.at + 4 + FINGERPRINT_SIZE))
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
