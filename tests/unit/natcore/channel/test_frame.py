from __future__ import annotations

import pytest

from natcore.channel.frame import (
    MAX_NUMBER,
    MAX_PAYLOAD_SIZE,
    OVERHEAD,
    Frame,
    FrameKey,
    FrameType,
    session_field,
    session_field_of,
)
from natcore.errors import DecodeError, MisuseError
from natcore.ice import Credentials
from natcore.stun import is_stun

ELSA, ANNA = Credentials("elsa", "e" * 32), Credentials("anna", "a" * 32)
TO_ANNA, TO_ELSA = FrameKey.of("introduction", ANNA), FrameKey.of("introduction", ELSA)

FRAMES = [
    Frame(FrameType.DATAGRAM, 0),
    Frame(FrameType.MESSAGE, MAX_NUMBER, b"x" * MAX_PAYLOAD_SIZE),
    Frame(FrameType.ACKNOWLEDGEMENT, 7),
    Frame(FrameType.CLOSE, 0),
]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: frame.type.name)
def test_what_is_encoded_decodes_to_the_same(frame: Frame) -> None:
    data = frame.encode(TO_ANNA)
    assert len(data) == OVERHEAD + len(frame.payload)
    assert Frame.decode(data, TO_ANNA) == frame


def test_the_bytes_are_those_of_the_picture() -> None:
    data = Frame(FrameType.MESSAGE, 0x01020304, b"payload").encode(TO_ANNA)
    assert data[0] == 81
    assert data[1:8] == TO_ANNA.session == session_field("introduction")
    assert data[8:12] == b"\x01\x02\x03\x04"
    assert data[12:19] == b"payload"
    assert len(data[19:]) == 16


def test_every_truncation_and_one_byte_more_are_refused() -> None:
    data = Frame(FrameType.MESSAGE, 1, b"payload").encode(TO_ANNA)
    for other in [data[:length] for length in range(len(data))] + [data + b"\0"]:
        with pytest.raises(DecodeError, match="data frame"):
            Frame.decode(other, TO_ANNA)


def test_every_flipped_bit_is_noticed() -> None:
    data = Frame(FrameType.MESSAGE, 1, b"pay").encode(TO_ANNA)
    for at in range(8 * len(data)):
        copy = bytearray(data)
        copy[at // 8] ^= 1 << at % 8
        with pytest.raises(DecodeError, match="data frame"):
            Frame.decode(bytes(copy), TO_ANNA)


def test_a_frame_cannot_be_reflected_to_its_sender() -> None:
    with pytest.raises(DecodeError, match="wrong session or tag"):
        Frame.decode(Frame(FrameType.MESSAGE, 1, b"x").encode(TO_ANNA), TO_ELSA)


def test_a_frame_of_another_session_between_the_same_two_is_refused() -> None:
    other = FrameKey.of("elsewhere", ANNA)
    with pytest.raises(DecodeError, match="wrong session or tag"):
        Frame.decode(Frame(FrameType.MESSAGE, 1, b"x").encode(other), TO_ANNA)
    forged = FrameKey(TO_ANNA.session, other.secret + b"guess")
    with pytest.raises(DecodeError, match="wrong session or tag"):
        Frame.decode(Frame(FrameType.MESSAGE, 1, b"x").encode(forged), TO_ANNA)


def test_an_unknown_type_is_refused_even_with_a_right_tag() -> None:
    from natcore.channel.frame import _tag

    body = b"\x54" + TO_ANNA.session + bytes(4)
    with pytest.raises(DecodeError, match="got type 84, expected 80 to 83"):
        Frame.decode(body + _tag(body, TO_ANNA), TO_ANNA)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (Frame(FrameType.MESSAGE, 0, bytes(MAX_PAYLOAD_SIZE + 1)), "got 1201 bytes, expected at most 1200"),
        (Frame(FrameType.MESSAGE, MAX_NUMBER + 1), "got 4294967296, expected 0 to 4294967295"),
        (Frame(FrameType.MESSAGE, -1), "got -1"),
    ],
)
def test_what_does_not_fit_is_our_own_misuse(frame: Frame, message: str) -> None:
    with pytest.raises(MisuseError, match=message):
        frame.encode(TO_ANNA)


def test_the_session_field_is_read_before_anything_is_believed() -> None:
    data = Frame(FrameType.CLOSE, 0).encode(TO_ANNA)
    assert session_field_of(data) == session_field("introduction")
    assert session_field_of(data[:-1]) is None, "one byte short"
    assert session_field_of(b"\x4f" + data[1:]) is None, "another type"
    assert session_field_of(b"") is None


def test_no_frame_looks_like_stun() -> None:
    assert not any(is_stun(frame.encode(TO_ANNA)) for frame in FRAMES)
