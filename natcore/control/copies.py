"""Copies over UDP of the control messages that somebody waits for (docs/protocol.md, "Control over UDP").

TCP repeats a lost segment after 200 ms or more, six round trips of an ordinary path. So a message that stands
between a ``connect`` and the first check goes once over UDP as well, and the first of the two that arrives
counts. What enters: messages to send, received STUN indications of :data:`Method.CONTROL`. What leaves: such
indications, and messages. What is always true: a copy is believed once, only with the session's key, and only
where it is of a kind that may come so. TCP alone stays reliable: nothing here is repeated or answered.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast

from natcore.agent import RandomBytes
from natcore.control.messages import (
    Connect,
    ConnectRefused,
    Declined,
    Introduction,
    Message,
    Trickle,
    encode,
)
from natcore.control.stream import Decoders, MalformedLine, decode_line, decoders_of
from natcore.stun import (
    ControlSequence,
    Data,
    MessageClass,
    Method,
    ReceivedMessage,
    TransactionId,
    Username,
    short_term_key,
)
from natcore.stun import Message as StunMessage

MAX_COPY_SIZE = 1200
"""Bytes of the whole datagram, which no path fragments; a longer message goes over TCP alone."""

CLIENT_COPIES: tuple[type[Any], ...] = (Connect,)
"""What a client may say over UDP."""

SERVER_COPIES: tuple[type[Any], ...] = (Introduction, Trickle, Declined, ConnectRefused)
"""What the server may."""

_client_decoders = decoders_of(CLIENT_COPIES)
_server_decoders = decoders_of(SERVER_COPIES)

HeardT = TypeVar("HeardT")

ServerCopy = Introduction | Trickle | Declined | ConnectRefused


class ControlCopies(Generic[HeardT]):
    """One side's copies in one session. Use :func:`servers_copies` and :func:`clients_copies`."""

    def __init__(self, session: str, key: str, decoders: Decoders) -> None:
        self._session = session
        self._key = short_term_key(key)
        self._decoders = decoders
        self._sent = 0
        self._received = 0

    def encode(self, message: Message, random: RandomBytes) -> bytes | None:
        """The datagram, or None where it would be too long."""
        line = encode(message)
        if len(line) > MAX_COPY_SIZE:
            return None
        self._sent += 1
        datagram = StunMessage(
            method=Method.CONTROL,
            message_class=MessageClass.INDICATION,
            transaction_id=TransactionId(random(12)),
            attributes=(Username(self._session), ControlSequence(self._sent), Data(line)),
        ).encode(key=self._key, fingerprint=True)
        return datagram if len(datagram) <= MAX_COPY_SIZE else None

    def receive(self, datagram: ReceivedMessage) -> HeardT | None:
        """The message of a copy; None where it is forged, old, or nothing that may come over UDP."""
        sequence, data = datagram.get(ControlSequence), datagram.get(Data)
        if sequence is None or data is None or len(datagram.raw) > MAX_COPY_SIZE:
            return None
        if datagram.get(Username) != Username(self._session) or not datagram.is_authentic(self._key):
            return None
        if sequence.value <= self._received:
            return None
        self._received = sequence.value
        message = decode_line(data.value, self._decoders)
        return None if isinstance(message, MalformedLine) else cast(HeardT, message)


def clients_copies(session: str, key: str) -> ControlCopies[Connect]:
    """The server's side: hears a client."""
    return ControlCopies(session, key, _client_decoders)


def servers_copies(session: str, key: str) -> ControlCopies[ServerCopy]:
    """A client's side: hears the server."""
    return ControlCopies(session, key, _server_decoders)


class RecentNames:
    """Takes each name once, of the newest ``size`` ones."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._names: dict[str, None] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def take(self, name: str) -> bool:
        """Whether the name is new, which then it is no more."""
        if name in self._names:
            return False
        self._names[name] = None
        if len(self._names) > self._size:
            del self._names[next(iter(self._names))]
        return True
