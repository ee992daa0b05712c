"""Data frames: what two peers send each other beside STUN, on the same five-tuple.

::

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |     Type      |                                               |
    +-+-+-+-+-+-+-+-+               Session (56 bits)               +
    |                                                               |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                            Number                             |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                       Payload (variable)                      |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                                                               |
    +                                                               +
    |                         Tag (128 bits)                        |
    +                                                               +
    |                                                               |
    +                                                               +
    |                                                               |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

The type's values keep clear of STUN (first byte 0 to 3), DTLS (20 to 63) and RTP (128 to 191), see RFC 7983.
The session field names the introduction, so that a frame finds its session whatever address it comes from.
The tag is the first half of an HMAC-SHA-256 over everything before it, keyed like MESSAGE-INTEGRITY with the
*receiver's* session password: a frame proves that its sender was introduced, and cannot be reflected.
Frames are authenticated, not encrypted: the payload is the application's to protect.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256

from natcore.errors import DecodeError, MisuseError
from natcore.ice.credentials import Credentials

_HEADER = struct.Struct("!B7sI")
TAG_LENGTH = 16
"""Bytes of the HMAC that are sent: 128 bits, the least that RFC 2104 section 5 advises for SHA-256."""

OVERHEAD = _HEADER.size + TAG_LENGTH
"""Bytes that a frame adds to its payload: 28."""

MAX_PAYLOAD_SIZE = 1200
"""Bytes. With all headers a datagram stays under the 1,280 bytes that every IPv6 path carries."""

MAX_NUMBER = 2**32 - 1


class FrameType(IntEnum):
    """What a frame is; 80 to 83 are free in RFC 7983's scheme."""

    DATAGRAM = 80
    """Payload that is sent once."""
    MESSAGE = 81
    """Payload that is repeated until it is acknowledged."""
    ACKNOWLEDGEMENT = 82
    """Of the message of the same number."""
    CLOSE = 83
    """The sender closed the channel."""


_TYPES = frozenset(FrameType)


@dataclass(frozen=True, slots=True)
class FrameKey:
    """What frames in one direction of one session are made with.

    Attributes:
        session: the 7 bytes of the session field.
        secret: the HMAC key.
    """

    session: bytes
    secret: bytes

    @classmethod
    def of(cls, session: str, receiver: Credentials) -> FrameKey:
        """The key of what is sent to ``receiver`` in the introduction named ``session``."""
        return cls(session_field(session), hmac.digest(receiver.key, b"data frames", sha256))


@dataclass(frozen=True, slots=True)
class Frame:
    """One data frame.

    Attributes:
        type: see :class:`FrameType`.
        number: 0 to 2**32 - 1; counts datagrams and messages separately.
        payload: at most ``MAX_PAYLOAD_SIZE`` bytes, empty for ACKNOWLEDGEMENT and CLOSE.
    """

    type: FrameType
    number: int
    payload: bytes = b""

    def encode(self, key: FrameKey) -> bytes:
        """The bytes of the frame.

        Raises:
            MisuseError: the payload is too long, or the number out of range.
        """
        if len(self.payload) > MAX_PAYLOAD_SIZE:
            raise MisuseError(f"payload: got {len(self.payload)} bytes, expected at most {MAX_PAYLOAD_SIZE}")
        if not 0 <= self.number <= MAX_NUMBER:
            raise MisuseError(f"frame number: got {self.number}, expected 0 to {MAX_NUMBER}")
        body = _HEADER.pack(self.type, key.session, self.number) + self.payload
        return body + _tag(body, key)

    @classmethod
    def decode(cls, data: bytes, key: FrameKey) -> Frame:
        """Reads a frame and proves its sender.

        Raises:
            DecodeError: it is no frame of this session, or its tag is wrong.
        """
        if not OVERHEAD <= len(data) <= OVERHEAD + MAX_PAYLOAD_SIZE:
            expected = f"{OVERHEAD} to {OVERHEAD + MAX_PAYLOAD_SIZE}"
            raise DecodeError("data frame", got=f"{len(data)} bytes", expected=expected)
        body, tag = data[:-TAG_LENGTH], data[-TAG_LENGTH:]
        frame_type, session, number = _HEADER.unpack_from(body)
        if session != key.session or not hmac.compare_digest(tag, _tag(body, key)):
            raise DecodeError("data frame", got="a wrong session or tag")
        try:
            return cls(FrameType(frame_type), number, body[_HEADER.size :])
        except ValueError:
            raise DecodeError("data frame", got=f"type {frame_type}", expected="80 to 83") from None


def session_field(session: str) -> bytes:
    """The session field for an introduction's name."""
    return sha256(session.encode("ascii")).digest()[:7]


def session_field_of(data: bytes) -> bytes | None:
    """The session field of what may be a frame, before anything is believed; None if it cannot be one."""
    if len(data) < OVERHEAD or data[0] not in _TYPES:
        return None
    return data[1:8]


def _tag(body: bytes, key: FrameKey) -> bytes:
    return hmac.digest(key.secret, body, sha256)[:TAG_LENGTH]
