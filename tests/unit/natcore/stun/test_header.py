from __future__ import annotations

import pytest

from natcore.errors import DecodeError
from natcore.stun import Message, MessageClass, Method, TransactionId, is_stun

TRANSACTION_ID = TransactionId(b"0123456789ab")
HEADER = bytes.fromhex("00010000 2112a442") + TRANSACTION_ID


@pytest.mark.parametrize(
    ("method", "message_class", "word"),
    [
        (Method.BINDING, MessageClass.REQUEST, 0x0001),
        (Method.BINDING, MessageClass.INDICATION, 0x0011),
        (Method.BINDING, MessageClass.SUCCESS_RESPONSE, 0x0101),
        (Method.BINDING, MessageClass.ERROR_RESPONSE, 0x0111),
        (Method.ALLOCATE, MessageClass.ERROR_RESPONSE, 0x0113),
        (Method.SEND, MessageClass.INDICATION, 0x0016),
        (Method.DATA, MessageClass.INDICATION, 0x0017),
        (Method.CHANNEL_BIND, MessageClass.SUCCESS_RESPONSE, 0x0109),
    ],
)
def test_method_and_class_are_mixed_as_the_rfc_draws_it(
    method: Method, message_class: MessageClass, word: int
) -> None:
    message = Message(method=method, message_class=message_class, transaction_id=TRANSACTION_ID)
    encoded = message.encode()
    assert int.from_bytes(encoded[:2], "big") == word
    received = Message.decode(encoded)
    assert (received.method, received.message_class) == (method, message_class)


@pytest.mark.parametrize("size", [0, 1, 19])
def test_what_is_shorter_than_a_header_is_not_stun(size: int) -> None:
    assert not is_stun(HEADER[:size])
    with pytest.raises(DecodeError):
        Message.decode(HEADER[:size])


@pytest.mark.parametrize(
    "data",
    [
        HEADER[:4] + bytes.fromhex("2112a443") + HEADER[8:],
        bytes((0x40,)) + HEADER[1:],
        bytes((0x80,)) + HEADER[1:],
        b'{"type":"register","id":"elsa"}\n',
        bytes(20),
    ],
    ids=["wrong cookie", "channel data", "RTP", "JSON", "zeros"],
)
def test_other_protocols_on_the_port_are_told_from_stun(data: bytes) -> None:
    assert not is_stun(data)
    with pytest.raises(DecodeError, match="STUN header"):
        Message.decode(data)


@pytest.mark.parametrize(
    "data",
    [
        HEADER[:2] + bytes((0, length)) + HEADER[4:] + bytes(tail)
        for length, tail in [(4, 0), (0, 4), (3, 3), (2, 4)]
    ],
    ids=["longer than the datagram", "shorter than the datagram", "exact but odd", "odd and short"],
)
def test_a_length_that_is_not_the_datagrams_is_refused(data: bytes) -> None:
    assert is_stun(data)
    with pytest.raises(DecodeError, match="STUN length"):
        Message.decode(data)


@pytest.mark.parametrize("word", ["0000", "0002", "000a", "3eef", "0006", "0013", "0107"])
def test_an_unknown_method_or_a_class_that_its_method_never_has_is_refused(word: str) -> None:
    with pytest.raises(DecodeError, match="STUN message type"):
        Message.decode(bytes.fromhex(word) + HEADER[2:])
