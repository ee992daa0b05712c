from __future__ import annotations

import dataclasses

import pytest

from natcore.errors import DecodeError, MisuseError
from natcore.stun import (
    MAX_ATTRIBUTES,
    MAX_MESSAGE_SIZE,
    Attribute,
    Data,
    IntegrityAlgorithm,
    Message,
    MessageClass,
    Method,
    Priority,
    Software,
    TransactionId,
    UnknownAttribute,
    UseCandidate,
    Username,
)

TRANSACTION_ID = TransactionId(b"0123456789ab")
KEY = b"key"
HEADER = bytes.fromhex("00010000 2112a442") + TRANSACTION_ID


def a_request(*attributes: Attribute) -> Message:
    return Message(
        method=Method.BINDING,
        message_class=MessageClass.REQUEST,
        transaction_id=TRANSACTION_ID,
        attributes=attributes,
    )


def on_the_wire(*attributes: str) -> bytes:
    """A Binding request with these attributes in hexadecimal, however wrong they are."""
    body = b"".join(bytes.fromhex(attribute) for attribute in attributes)
    return HEADER[:2] + len(body).to_bytes(2, "big") + HEADER[4:] + body


def test_the_smallest_message_is_its_header() -> None:
    assert a_request().encode() == HEADER
    received = Message.decode(HEADER)
    assert received.attributes == ()
    assert not received.has_integrity
    assert not received.has_fingerprint
    assert not received.is_authentic(KEY)


@pytest.mark.parametrize("length", ["0001", "0005", "0008", "ffff"])
def test_an_attribute_that_overruns_the_message_is_refused(length: str) -> None:
    data = on_the_wire("0024 0004 00000001", "8022" + length)
    with pytest.raises(DecodeError, match="STUN attribute"):
        Message.decode(data)


def test_a_malformed_attribute_refuses_the_whole_message() -> None:
    with pytest.raises(DecodeError, match="PRIORITY: got 3 bytes, expected 4 bytes"):
        Message.decode(on_the_wire("0024 0003 00000100"))


def test_padding_bytes_may_be_anything_when_received() -> None:
    assert Message.decode(on_the_wire("0006 0001 61ffffff")).attributes == (Username("a"),)


def test_of_several_attributes_of_one_type_the_first_wins() -> None:
    received = Message.decode(a_request(Priority(1), Username("a"), Priority(2)).encode())
    assert received.get(Priority) == Priority(1)
    assert received.get(UseCandidate) is None


def test_unknown_attributes_are_kept_and_the_required_ones_reported_once() -> None:
    unknown = [UnknownAttribute(one, b"abc") for one in (0x8888, 0x7777, 0x7FFF, 0x7777, 0x8000 + 0x0FFF)]
    received = Message.decode(a_request(*unknown).encode())
    assert received.attributes == tuple(unknown)
    assert received.unknown_required == (0x7777, 0x7FFF)


@pytest.mark.parametrize("algorithm", IntegrityAlgorithm)
@pytest.mark.parametrize("fingerprint", [False, True])
def test_a_signed_message_is_authentic_with_its_key_only(
    algorithm: IntegrityAlgorithm, fingerprint: bool
) -> None:
    data = a_request(Username("a")).encode(key=KEY, algorithm=algorithm, fingerprint=fingerprint)
    received = Message.decode(data)
    assert received.has_integrity
    assert received.has_fingerprint is fingerprint
    assert received.is_authentic(KEY)
    assert not received.is_authentic(b"kex")
    assert received.attributes == (Username("a"),)


def append(data: bytes, *attributes: Attribute) -> bytes:
    """The message with more attributes behind whatever it ends with, and its length corrected."""
    data += a_request(*attributes).encode()[20:]
    return data[:2] + (len(data) - 20).to_bytes(2, "big") + data[4:]


def test_attributes_after_the_integrity_are_ignored() -> None:
    signed = a_request(Username("a")).encode(key=KEY)
    received = Message.decode(append(signed, UseCandidate(), UnknownAttribute(0x7777, b"")))
    assert received.is_authentic(KEY)
    assert received.attributes == (Username("a"),)
    assert received.unknown_required == ()


def with_both(first: IntegrityAlgorithm, second: IntegrityAlgorithm, *, second_key: bytes) -> bytes:
    """A message that is signed twice: rightly by ``first``, then by ``second`` with another key."""
    data = a_request().encode(key=KEY, algorithm=first)
    data = append(data, UnknownAttribute(second.attribute_type, bytes(second.size)))
    return data[: -second.size] + second.sign(data[: -second.size - 4], second_key)


def test_of_both_integrities_sha256_decides() -> None:
    data = with_both(IntegrityAlgorithm.SHA1, IntegrityAlgorithm.SHA256, second_key=b"other")
    received = Message.decode(data)
    assert received.is_authentic(b"other")
    assert not received.is_authentic(KEY)


def test_sha1_after_sha256_is_ignored() -> None:
    data = with_both(IntegrityAlgorithm.SHA256, IntegrityAlgorithm.SHA1, second_key=b"other")
    received = Message.decode(data)
    assert received.is_authentic(KEY)
    assert not received.is_authentic(b"other")


def test_a_second_integrity_of_the_same_kind_is_ignored() -> None:
    data = with_both(IntegrityAlgorithm.SHA1, IntegrityAlgorithm.SHA1, second_key=b"other")
    assert Message.decode(data).is_authentic(KEY)


@pytest.mark.parametrize(
    "attribute",
    ["0008 0010" + "00" * 16, "0008 0018" + "00" * 24, "001c 0010" + "00" * 16, "001c 0000"],
)
def test_a_truncated_or_overlong_integrity_is_refused(attribute: str) -> None:
    with pytest.raises(DecodeError, match="message integrity"):
        Message.decode(on_the_wire(attribute))


def test_a_wrong_fingerprint_is_refused() -> None:
    data = a_request().encode(fingerprint=True)
    with pytest.raises(DecodeError, match="FINGERPRINT"):
        Message.decode(data[:-1] + bytes((data[-1] ^ 1,)))


@pytest.mark.parametrize("attribute", ["8028 0000", "8028 0002 00000000", "8028 0008 0000000000000000"])
def test_a_fingerprint_of_another_size_is_refused(attribute: str) -> None:
    with pytest.raises(DecodeError, match="FINGERPRINT"):
        Message.decode(on_the_wire(attribute))


def test_nothing_may_follow_a_fingerprint() -> None:
    data = append(a_request().encode(fingerprint=True), UseCandidate())
    with pytest.raises(DecodeError, match="FINGERPRINT: got an attribute after it"):
        Message.decode(data)


def test_the_most_attributes_are_64() -> None:
    most = a_request(*[UseCandidate()] * MAX_ATTRIBUTES)
    assert len(Message.decode(most.encode()).attributes) == MAX_ATTRIBUTES
    assert Message.decode(most.encode(key=KEY, fingerprint=True)).is_authentic(KEY)
    with pytest.raises(DecodeError, match="at most 64"):
        Message.decode(append(most.encode(), UseCandidate()))
    with pytest.raises(MisuseError, match="got 65 attributes"):
        a_request(*[UseCandidate()] * (MAX_ATTRIBUTES + 1))


def test_the_longest_message_is_2048_bytes() -> None:
    longest = a_request(Data(bytes(MAX_MESSAGE_SIZE - 24))).encode()
    assert len(longest) == MAX_MESSAGE_SIZE
    assert Message.decode(longest).attributes == (Data(bytes(MAX_MESSAGE_SIZE - 24)),)
    with pytest.raises(DecodeError, match="got 2052 bytes, expected at most 2048 bytes"):
        Message.decode(append(longest, UseCandidate()))
    with pytest.raises(MisuseError, match="got 2052 bytes"):
        a_request(Data(bytes(MAX_MESSAGE_SIZE - 23))).encode()
    with pytest.raises(MisuseError, match="got 2080 bytes"):
        a_request(Data(bytes(MAX_MESSAGE_SIZE - 24))).encode(key=KEY, fingerprint=True)
    with pytest.raises(MisuseError, match="got 65560 bytes"):
        a_request(Data(bytes(0xFFFF))).encode()


@pytest.mark.parametrize("size", [0, 11, 13])
def test_a_transaction_id_of_another_size_is_misuse(size: int) -> None:
    with pytest.raises(MisuseError, match=f"got {size} bytes, expected 12 bytes"):
        dataclasses.replace(a_request(), transaction_id=TransactionId(bytes(size)))


def test_a_class_that_the_method_never_has_is_misuse() -> None:
    with pytest.raises(MisuseError, match="got SEND as REQUEST"):
        dataclasses.replace(a_request(), method=Method.SEND)


def test_the_same_message_encodes_to_the_same_bytes() -> None:
    assert a_request(Software("x")).encode(key=KEY) == a_request(Software("x")).encode(key=KEY)
