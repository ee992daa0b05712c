from __future__ import annotations

import pytest

from natcore.control.messages import Fault, FaultCode, Ping, Pong, encode
from natcore.control.stream import MAX_LINE_LENGTH, MalformedLine, client_stream, server_stream


def test_each_side_understands_only_what_the_other_says() -> None:
    fault = encode(Fault(code=FaultCode.INVALID_ID, reason="no"))
    to_server, to_client = client_stream(), server_stream()
    for stream in (to_server, to_client):
        stream.receive_data(fault)
    assert to_server.next_message() == MalformedLine(code=FaultCode.UNKNOWN_TYPE, detail="type 'fault'")
    assert isinstance(to_client.next_message(), Fault)


def test_messages_and_malformed_lines_keep_their_order() -> None:
    stream = client_stream()
    stream.receive_data(b'{"type":"ping"}\n?\n\r\n  \n{"type":"pong"}\r\n')
    assert stream.next_message() == Ping()
    malformed = stream.next_message()
    assert isinstance(malformed, MalformedLine)
    assert malformed.code is FaultCode.BAD_MESSAGE
    assert stream.next_message() == Pong()
    assert stream.next_message() is None


def test_a_line_may_come_byte_by_byte() -> None:
    stream = client_stream()
    for byte in encode(Ping())[:-1]:
        stream.receive_data(bytes([byte]))
        assert stream.has_partial_line
        assert stream.next_message() is None
    stream.receive_data(b"\n")
    assert not stream.has_partial_line
    assert stream.next_message() == Ping()


@pytest.mark.parametrize(
    ("length", "code"),
    [(MAX_LINE_LENGTH, FaultCode.BAD_MESSAGE), (MAX_LINE_LENGTH + 1, FaultCode.LINE_TOO_LONG)],
)
def test_the_longest_line_and_one_byte_more(length: int, code: FaultCode) -> None:
    stream = client_stream()
    stream.receive_data(b"x" * (length - 1) + b"\n")
    malformed = stream.next_message()
    assert isinstance(malformed, MalformedLine)
    assert malformed.code is code


def test_after_a_line_that_is_too_long_nothing_is_heard_or_held() -> None:
    stream = client_stream()
    stream.receive_data(b"x" * MAX_LINE_LENGTH)
    stream.receive_data(b'\n{"type":"ping"}\n' + bytes(1024 * 1024))
    malformed = stream.next_message()
    assert isinstance(malformed, MalformedLine)
    assert malformed.code is FaultCode.LINE_TOO_LONG
    assert stream.next_message() is None
    assert not stream.has_partial_line


def test_an_unknown_type_is_quoted_short_and_escaped() -> None:
    stream = client_stream()
    stream.receive_data(b'{"type":"\\u001b[2J' + b"x" * 1000 + b'"}\n')
    malformed = stream.next_message()
    assert isinstance(malformed, MalformedLine)
    assert malformed.code is FaultCode.UNKNOWN_TYPE
    assert malformed.detail.startswith("type '\\x1b[2Jxxx")
    assert len(malformed.detail) < 60
