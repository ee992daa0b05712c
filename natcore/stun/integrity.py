"""What proves a STUN message: MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256, FINGERPRINT, and their keys.

Each is computed over the message's bytes before it, with the header's length field counting as if the
message ended right after it (RFC 8489 sections 14.5 to 14.7). So a message can be proven again from its raw
bytes alone, and what a later attribute adds does not disturb an earlier proof.

Deviation: of the OpaqueString profile (RFC 8265 section 4.2) only the two mappings are done: any space
becomes U+0020, then NFC. Code points that the profile forbids are not refused. ASCII is untouched either way.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
import zlib
from dataclasses import dataclass
from enum import Enum, IntEnum

from natcore.errors import MisuseError
from natcore.stun.header import with_length

FINGERPRINT_TYPE = 0x8028
FINGERPRINT_SIZE = 4
"""Bytes of a CRC-32."""

_FINGERPRINT_XOR = 0x5354554E  # "STUN": tells it from the CRC-32 of the application's own packets


class IntegrityAlgorithm(Enum):
    """The two message integrity attributes, each as its type, digest name and digest size in bytes.

    Deviation: RFC 8489 section 14.6 lets a usage truncate the SHA-256 value down to 16 bytes. No usage that
    we implement does, so only the whole value is taken.
    """

    SHA1 = (0x0008, "sha1", 20)
    SHA256 = (0x001C, "sha256", 32)

    @property
    def attribute_type(self) -> int:
        """The attribute's 16-bit type."""
        return self.value[0]

    @property
    def size(self) -> int:
        """Bytes of the attribute's value."""
        return self.value[2]

    def sign(self, covered: bytes, key: bytes) -> bytes:
        """The HMAC of the bytes before the attribute, whose length field already counts the attribute."""
        return hmac.digest(key, covered, self.value[1])


class PasswordAlgorithmId(IntEnum):
    """The registered password algorithms (RFC 8489 section 18.5)."""

    MD5 = 0x0001
    SHA256 = 0x0002


@dataclass(frozen=True, slots=True)
class IntegrityProof:
    """A message integrity attribute as it was found in a received message.

    Attributes:
        algorithm: which of the two attributes it is.
        at: bytes from the start of the message to the attribute's header.
        value: the HMAC that the sender claims.
    """

    algorithm: IntegrityAlgorithm
    at: int
    value: bytes

    def holds(self, message: bytes, key: bytes) -> bool:
        """Whether the sender of ``message`` had ``key``; takes the same time whatever byte differs."""
        covered = with_length(message[: self.at], self.at + 4 + self.algorithm.size)
        return hmac.compare_digest(self.algorithm.sign(covered, key), self.value)


def fingerprint_value(covered: bytes) -> bytes:
    """The FINGERPRINT value of the bytes before it, whose length field already counts it (section 14.7)."""
    return (zlib.crc32(covered) ^ _FINGERPRINT_XOR).to_bytes(FINGERPRINT_SIZE, "big")


def short_term_key(password: str) -> bytes:
    """The key of a short-term credential (RFC 8489 section 9.1.1), as ICE uses it.

    Raises:
        MisuseError: the password is empty or has no UTF-8 form.
    """
    return opaque_string(password)


def long_term_key(
    username: str,
    realm: str,
    password: str,
    algorithm: PasswordAlgorithmId = PasswordAlgorithmId.MD5,
) -> bytes:
    """The key of a long-term credential: 16 bytes (MD5) or 32 (SHA-256) (sections 18.5.1.1 and 18.5.1.2).

    Raises:
        MisuseError: a part is empty or has no UTF-8 form.
    """
    secret = b":".join(opaque_string(part) for part in (username, realm, password))
    if algorithm is PasswordAlgorithmId.MD5:
        return hashlib.md5(secret, usedforsecurity=False).digest()  # the RFC's choice, not ours
    return hashlib.sha256(secret).digest()


def user_hash(username: str, realm: str) -> bytes:
    """The 32 bytes of USERHASH (section 14.4).

    Raises:
        MisuseError: a part is empty or has no UTF-8 form.
    """
    return hashlib.sha256(opaque_string(username) + b":" + opaque_string(realm)).digest()


def opaque_string(text: str) -> bytes:
    """The text as credentials use it, in UTF-8; see the module's deviation.

    Raises:
        MisuseError: it is empty, which the profile forbids, or has no UTF-8 form.
    """
    if not text:
        raise MisuseError("credential: got an empty text, expected at least 1 character")
    spaced = "".join(" " if unicodedata.category(character) == "Zs" else character for character in text)
    try:
        return unicodedata.normalize("NFC", spaced).encode()
    except UnicodeEncodeError:
        raise MisuseError("credential: got a lone surrogate, expected text that has a UTF-8 form") from None
