"""Lines of JSON in, messages out: the byte stream half of the control protocol, for either side.

What a peer sends never raises. :meth:`ControlStream.next_message` hands out messages and, between them,
:class:`MalformedLine` for lines that are not one, so that their order is kept and the owner can answer each.
A line longer than ``MAX_LINE_LENGTH`` ends the stream: nothing after it is looked at, and no more than one
line is ever held in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from natcore.control.messages import (
    CLIENT_MESSAGES,
    SERVER_MESSAGES,
    ClientMessage,
    FaultCode,
    ServerMessage,
)

MAX_LINE_LENGTH = 16 * 1024
"""Bytes of one line, newline included. A list of 250 clients fits; more travels in several messages."""

MessageT = TypeVar("MessageT")


@dataclass(frozen=True, slots=True, kw_only=True)
class MalformedLine:
    """A line that is no message.

    Attributes:
        code: BAD_MESSAGE, UNKNOWN_TYPE or LINE_TOO_LONG; the last one is fatal to the stream.
        detail: what was wrong, printable ASCII without anything secret.
    """

    code: FaultCode
    detail: str


class _Envelope(msgspec.Struct):
    type: str


Decoders = Mapping[str, "msgspec.json.Decoder[Any]"]
"""By the ``type`` of the messages that they decode."""


def decoders_of(kinds: Iterable[type[Any]]) -> Decoders:
    """One for each of these messages; they keep no state."""
    return {kind.__struct_config__.tag: msgspec.json.Decoder(kind) for kind in kinds}


# Made once: a server has a stream for each of ten thousand clients. Decoders keep no state.
_envelope_decoder = msgspec.json.Decoder(_Envelope)
_client_decoders = decoders_of(CLIENT_MESSAGES)
_server_decoders = decoders_of(SERVER_MESSAGES)


class ControlStream(Generic[MessageT]):
    """Splits and decodes what arrives from the other side.

    Use :func:`client_stream` for what a server receives and :func:`server_stream` for what a client does.
    """

    def __init__(self, decoders: Decoders) -> None:
        self._decoders = decoders
        self._buffer = bytearray()
        self._ready: deque[MessageT | MalformedLine] = deque()
        self._is_broken = False

    @property
    def has_partial_line(self) -> bool:
        """Whether bytes of a line are waiting for its end."""
        return bool(self._buffer)

    def receive_data(self, data: bytes) -> None:
        """Takes bytes as they came; nothing more is taken after a line that was too long."""
        if self._is_broken:
            return
        *lines, rest = data.split(b"\n")
        for line in lines:
            whole = bytes(self._buffer) + line if self._buffer else line
            self._buffer.clear()
            if not self._fits(whole, ended=True):
                return
            if whole.strip():
                self._ready.append(decode_line(whole, self._decoders))
        self._buffer += rest
        self._fits(self._buffer, ended=False)

    def next_message(self) -> MessageT | MalformedLine | None:
        """The oldest message or malformed line that has not been handed out, or None."""
        return self._ready.popleft() if self._ready else None

    def _fits(self, line: bytes | bytearray, *, ended: bool) -> bool:
        if len(line) + ended <= MAX_LINE_LENGTH:
            return True
        self._is_broken = True
        self._buffer = bytearray()
        detail = f"a line is at most {MAX_LINE_LENGTH} bytes"
        self._ready.append(MalformedLine(code=FaultCode.LINE_TOO_LONG, detail=detail))
        return False


def decode_line(line: bytes, decoders: Decoders) -> Any:
    """The message of one line, as one of these decodes it, or a :class:`MalformedLine`."""
    try:
        kind = _envelope_decoder.decode(line).type
        decoder = decoders.get(kind)
        if decoder is None:
            return MalformedLine(code=FaultCode.UNKNOWN_TYPE, detail=f"type {kind[:32]!a}")
        return decoder.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as exc:
        # ValidationError is a DecodeError; its text quotes field names and never values.
        return MalformedLine(code=FaultCode.BAD_MESSAGE, detail=ascii(str(exc))[1:-1][:200])


def client_stream() -> ControlStream[ClientMessage]:
    """For the bytes that a client sends, on the server."""
    return ControlStream(_client_decoders)


def server_stream() -> ControlStream[ServerMessage]:
    """For the bytes that the server sends, in a client."""
    return ControlStream(_server_decoders)
