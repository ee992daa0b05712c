"""The control stream over arbitrary bytes in arbitrary pieces."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from natcore.control.messages import (
    ClientMessage,
    Connect,
    FaultCode,
    Ping,
    Pong,
    Publish,
    Register,
    Unregister,
    WireCandidate,
    encode,
)
from natcore.control.stream import MAX_LINE_LENGTH, ControlStream, MalformedLine, client_stream

TOKENS = st.text("ABCxyz019+/", min_size=4, max_size=32)
CANDIDATES = st.builds(
    WireCandidate,
    type=st.sampled_from(["host", "srflx", "prflx", "relay"]),
    address=st.sampled_from(["192.0.2.1:1", "[2001:db8::1]:65535"]),
    priority=st.integers(1, 2**31 - 1),
    foundation=TOKENS,
)
MESSAGES = st.one_of(
    st.builds(Register, id=st.text(max_size=40), version=st.integers(0, 9), resume=st.none() | TOKENS),
    st.builds(
        Publish, ufrag=TOKENS, pwd=st.just("p" * 22), candidates=st.lists(CANDIDATES, max_size=16).map(tuple)
    ),
    st.builds(Connect, target=st.text(max_size=40)),
    st.sampled_from([Ping(), Pong(), Unregister()]),
)


def drain(stream: ControlStream[ClientMessage]) -> list[ClientMessage | MalformedLine]:
    found = []
    while (message := stream.next_message()) is not None:
        found.append(message)
    return found


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(messages=st.lists(MESSAGES, max_size=8), places=st.lists(st.integers(0, 10_000), max_size=8))
def test_what_is_encoded_is_decoded_however_it_is_cut(
    messages: list[ClientMessage], places: list[int]
) -> None:
    stream = client_stream()
    for piece in cut(b"".join(encode(message) for message in messages), places):
        stream.receive_data(piece)
    assert drain(stream) == messages
    assert not stream.has_partial_line


@given(data=st.binary(max_size=2000), places=st.lists(st.integers(0, 2000), max_size=8))
def test_any_bytes_give_the_same_messages_however_they_are_cut(data: bytes, places: list[int]) -> None:
    whole, pieces = client_stream(), client_stream()
    whole.receive_data(data)
    for piece in cut(data, places):
        pieces.receive_data(piece)
    assert drain(whole) == drain(pieces)


@given(
    lengths=st.lists(st.integers(MAX_LINE_LENGTH - 3, MAX_LINE_LENGTH + 3), min_size=1, max_size=4),
    size=st.integers(1000, 40_000),
)
def test_the_first_line_that_is_too_long_is_the_last_thing_heard(lengths: list[int], size: int) -> None:
    data = b"".join(b"x" * (length - 1) + b"\n" for length in lengths)
    stream = client_stream()
    for at in range(0, len(data), size):
        stream.receive_data(data[at : at + size])
    codes = [message.code for message in drain(stream) if isinstance(message, MalformedLine)]
    fitting = next((at for at, length in enumerate(lengths) if length > MAX_LINE_LENGTH), len(lengths))
    expected = [FaultCode.BAD_MESSAGE] * fitting + [FaultCode.LINE_TOO_LONG] * (fitting < len(lengths))
    assert codes == expected


@given(line=st.binary(max_size=500).filter(lambda data: b"\n" not in data))
def test_what_is_said_of_a_malformed_line_is_short_and_printable(line: bytes) -> None:
    stream = client_stream()
    stream.receive_data(line + b"\n")
    for message in drain(stream):
        if isinstance(message, MalformedLine):
            assert message.detail.isascii()
            assert message.detail.isprintable()
            assert len(message.detail) <= 200
