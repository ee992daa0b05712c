from __future__ import annotations

import struct

from netlab.instruments.delay import attribute, message, packet_numbers

PACKET, ERROR = 0x0300, 2


def announcement(number: int) -> bytes:
    header = struct.pack("!IHBB", number, 0x0800, 2, 0)[:7]
    return message(PACKET, 0, 0, attribute(1, header) + attribute(5, b"\0\0\0\1"))


def test_attributes_are_padded_to_four_bytes() -> None:
    assert attribute(1, b"abcde") == struct.pack("=HH", 9, 1) + b"abcde\0\0\0"


def test_a_message_says_its_own_length() -> None:
    made = message(PACKET, 1, 0, attribute(1, b"abcd"))
    assert struct.unpack_from("=I", made)[0] == len(made) == 16 + 4 + 8


def test_every_packet_of_a_batch_is_taken_in_order() -> None:
    batch = announcement(1) + announcement(2) + announcement(0xFFFFFFFF)
    assert packet_numbers(batch) == [b"\0\0\0\1", b"\0\0\0\2", b"\xff\xff\xff\xff"]


def test_other_messages_are_passed_over() -> None:
    error = struct.pack("=IHHII", 36, ERROR, 0, 0, 0) + bytes(20)
    assert packet_numbers(error + announcement(7)) == [b"\0\0\0\7"]


def test_a_batch_of_garbage_ends() -> None:
    assert packet_numbers(bytes(1000)) == []
    assert packet_numbers(b"\xff" * 1000) == []
