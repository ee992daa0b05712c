"""RFC 5769: the four sample messages, byte-exact in both directions; and RFC 8489 appendix B.1.

The bytes are the RFCs' own. Two peculiarities: sections 2.1 to 2.3 fill attributes with spaces, as RFC 5389
allowed; and appendix B.1 is used as verified erratum 6268 corrects it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from natcore.address import TransportAddress
from natcore.errors import DecodeError
from natcore.stun import (
    IceControlled,
    IntegrityAlgorithm,
    Message,
    MessageClass,
    Method,
    Nonce,
    PasswordAlgorithm,
    PasswordAlgorithmId,
    Priority,
    Realm,
    Software,
    TransactionId,
    UserHash,
    Username,
    XorMappedAddress,
    long_term_key,
    short_term_key,
    user_hash,
)

SHORT_TERM_ID = TransactionId(bytes.fromhex("b7e7a701 bc34d686 fa87dfae"))
LONG_TERM_ID = TransactionId(bytes.fromhex("78ad3433 c6ad72c0 29da412e"))
SHORT_TERM_KEY = short_term_key("VOkJxbRl1RmTxUk/WvJxBt")
MATRIX = "\u30de\u30c8\u30ea\u30c3\u30af\u30b9"
PASSWORD = "TheMatrIX"  # as it is after SASLprep


@dataclass(frozen=True, kw_only=True)
class Vector:
    """A message in bytes and in words, and how it was encoded."""

    data: bytes
    message: Message
    key: bytes
    algorithm: IntegrityAlgorithm = IntegrityAlgorithm.SHA1
    fingerprint: bool = True
    padding: bytes = b"\x20"


VECTORS = {
    "5769-2.1-request": Vector(
        data=bytes.fromhex(
            "00010058 2112a442 b7e7a701 bc34d686 fa87dfae"
            "80220010 5354554e 20746573 7420636c 69656e74"
            "00240004 6e0001ff"
            "80290008 932ff9b1 51263b36"
            "00060009 6576746a 3a683676 59202020"
            "00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2"
            "80280004 e57a3bcf"
        ),
        message=Message(
            method=Method.BINDING,
            message_class=MessageClass.REQUEST,
            transaction_id=SHORT_TERM_ID,
            attributes=(
                Software("STUN test client"),
                Priority(0x6E0001FF),
                IceControlled(0x932FF9B151263B36),
                Username("evtj:h6vY"),
            ),
        ),
        key=SHORT_TERM_KEY,
    ),
    "5769-2.2-ipv4-response": Vector(
        data=bytes.fromhex(
            "0101003c 2112a442 b7e7a701 bc34d686 fa87dfae"
            "8022000b 74657374 20766563 746f7220"
            "00200008 0001a147 e112a643"
            "00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7"
            "80280004 c07d4c96"
        ),
        message=Message(
            method=Method.BINDING,
            message_class=MessageClass.SUCCESS_RESPONSE,
            transaction_id=SHORT_TERM_ID,
            attributes=(
                Software("test vector"),
                XorMappedAddress(TransportAddress.parse("192.0.2.1:32853")),
            ),
        ),
        key=SHORT_TERM_KEY,
    ),
    "5769-2.3-ipv6-response": Vector(
        data=bytes.fromhex(
            "01010048 2112a442 b7e7a701 bc34d686 fa87dfae"
            "8022000b 74657374 20766563 746f7220"
            "00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9"
            "00080014 a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41"
            "80280004 c8fb0b4c"
        ),
        message=Message(
            method=Method.BINDING,
            message_class=MessageClass.SUCCESS_RESPONSE,
            transaction_id=SHORT_TERM_ID,
            attributes=(
                Software("test vector"),
                XorMappedAddress(TransportAddress.parse("[2001:db8:1234:5678:11:2233:4455:6677]:32853")),
            ),
        ),
        key=SHORT_TERM_KEY,
    ),
    "5769-2.4-long-term-request": Vector(
        data=bytes.fromhex(
            "00010060 2112a442 78ad3433 c6ad72c0 29da412e"
            "00060012 e3839ee3 8388e383 aae38383 e382afe3 82b90000"
            "0015001c 662f2f34 39396b39 35346436 4f4c3334 6f4c3946 53547679 36347341"
            "0014000b 6578616d 706c652e 6f726700"
            "00080014 f6702465 6dd64a3e 02b8e071 2e85c9a2 8ca89666"
        ),
        message=Message(
            method=Method.BINDING,
            message_class=MessageClass.REQUEST,
            transaction_id=LONG_TERM_ID,
            attributes=(
                Username(MATRIX),
                Nonce("f//499k954d6OL34oL9FSTvy64sA"),
                Realm("example.org"),
            ),
        ),
        key=long_term_key(MATRIX, "example.org", PASSWORD),
        fingerprint=False,
        padding=b"\x00",
    ),
    "8489-B.1-erratum-6268": Vector(
        data=bytes.fromhex(
            "00010090 2112a442 78ad3433 c6ad72c0 29da412e"
            "001e0020 4a3cf38f ef6992bd a952c678 0417da0f 24819415 569e60b2 05c46e41 407f1704"
            "00150029 6f624d61 744a6f73 32414141 43662f2f 3439396b 39353464 364f4c33 346f4c39"
            "         46535476 79363473 41000000"
            "0014000b 6578616d 706c652e 6f726700"
            "001d0004 00020000"
            "001c0020 b5c7bf00 5b6c52a2 1c51c5e8 92f81924 136296cb 927c4314 9309278c c6518e65"
        ),
        message=Message(
            method=Method.BINDING,
            message_class=MessageClass.REQUEST,
            transaction_id=LONG_TERM_ID,
            attributes=(
                UserHash(user_hash(MATRIX, "example.org")),
                Nonce("obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA"),
                Realm("example.org"),
                PasswordAlgorithm(PasswordAlgorithmId.SHA256),
            ),
        ),
        key=long_term_key(MATRIX, "example.org", PASSWORD, PasswordAlgorithmId.SHA256),
        algorithm=IntegrityAlgorithm.SHA256,
        fingerprint=False,
        padding=b"\x00",
    ),
}

each_vector = pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS.keys())


@each_vector
def test_a_sample_decodes_to_the_message_that_the_rfc_describes(vector: Vector) -> None:
    received = Message.decode(vector.data)
    assert received.method is vector.message.method
    assert received.message_class is vector.message.message_class
    assert received.transaction_id == vector.message.transaction_id
    assert received.attributes == vector.message.attributes
    assert received.has_fingerprint is vector.fingerprint


@each_vector
def test_a_sample_is_authentic_with_its_key_and_with_no_other(vector: Vector) -> None:
    received = Message.decode(vector.data)
    assert received.is_authentic(vector.key)
    assert not received.is_authentic(vector.key[:-1])


@each_vector
def test_the_message_that_the_rfc_describes_encodes_to_the_sample(vector: Vector) -> None:
    encoded = vector.message.encode(
        key=vector.key,
        algorithm=vector.algorithm,
        fingerprint=vector.fingerprint,
        padding=vector.padding,
    )
    assert encoded.hex(" ", -4) == vector.data.hex(" ", -4)


@each_vector
def test_no_truncation_of_a_sample_decodes(vector: Vector) -> None:
    for size in range(len(vector.data)):
        with pytest.raises(DecodeError):
            Message.decode(vector.data[:size])


def test_appendix_b1_as_printed_counts_its_own_header_and_so_does_not_decode() -> None:
    printed = VECTORS["8489-B.1-erratum-6268"].data.replace(bytes.fromhex("001d0004 00020000"), b"")
    printed = printed[:2] + bytes.fromhex("009c") + printed[4:]
    assert len(printed) == 0x9C
    with pytest.raises(DecodeError, match="STUN length: got 156 bytes, expected 136 bytes, a multiple of 4"):
        Message.decode(printed)
