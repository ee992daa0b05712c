"""Two rendezvous servers as each other's alternate address: what they say to one another.

Each sends the other an *alive* message every 2 s, and an *order* for each answer that the other is to send
to a client: the finished answer, where it goes, and from which port. Both are STUN indications of a method of
our own with MESSAGE-INTEGRITY-SHA256, whose key both operators have set. Nobody else is ever answered.

Always true:

- the link is up only while the other side says, freshly, that it hears *us*: else clients would be told of an
  endpoint that never answers, and take the silence for a filter;
- a message is believed once: its sequence is new, and an order names our number of this very start, so that
  neither a copy nor a record from before a restart has any effect;
- memory does not grow: one number, one window of 64 bits, three instants.

No clock is compared with the other side's. Only a server whose clock went back while it was restarted speaks
with old numbers, and is not heard until its numbers have caught up, or the other one restarts.
"""

from __future__ import annotations

from dataclasses import dataclass

from natcore.address import TransportAddress
from natcore.agent import RandomBytes
from natcore.registry.reflection.answers import Answer, Arrival
from natcore.stun import (
    AlternatePort,
    Attribute,
    Data,
    IntegrityAlgorithm,
    Message,
    MessageClass,
    Method,
    ReceivedMessage,
    ServerLink,
    TransactionId,
    XorPeerAddress,
)

ALIVE_INTERVAL = 2.0
"""Seconds from one alive message to the next."""

SILENCE_TIMEOUT = 7.0
"""Seconds after which a server that is not heard counts as gone: three messages may be lost."""

MAX_ORDERED_SIZE = 1024
"""Bytes of an answer that the other server is to send, so that the order is not fragmented."""

_WINDOW_SIZE = 64
"""Sequence numbers that may overtake one another on the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOptions:
    """What an operator sets for the link.

    Attributes:
        local: our endpoint where clients begin, and which speaks to the other server.
        remote: that of the other server, with the same port.
        alternate_port: the second port, of both.
        key: the shared secret.
        first_sequence: above every number that an earlier process of ours used: the microseconds of the time
            of day do.
    """

    local: TransportAddress
    remote: TransportAddress
    alternate_port: int
    key: bytes
    first_sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a message of the other server leads to.

    Attributes:
        is_authentic: whether it was one at all.
        is_fresh: whether it was no copy.
        order: the answer to send to a client, not yet allowed, or None.
        reply: what goes back to the other server, or None.
    """

    is_authentic: bool = True
    is_fresh: bool = True
    order: Answer | None = None
    reply: Answer | None = None


_FORGED = Heard(is_authentic=False, is_fresh=False)
_REPLAYED = Heard(is_fresh=False)


class Link:
    """Our side of the link."""

    def __init__(self, options: LinkOptions, random: RandomBytes) -> None:
        self._options = options
        self._random = random
        self._number = int.from_bytes(random(8), "big") or 1
        self._sequence = options.first_sequence
        self._their_number = 0
        self._newest = -1
        self._window = 0
        self._greeted_at: float | None = None
        self._heard_at: float | None = None
        self._heard_us_at: float | None = None
        self._alive_at = 0.0

    def is_up(self, now: float) -> bool:
        """Whether the other server hears us and we hear it."""
        return _is_recent(self._heard_us_at, now)

    def get_timer(self) -> float:
        """The instant, in seconds, of the next alive message."""
        return self._alive_at

    def handle_timer(self, now: float) -> Answer | None:
        """The alive message that is due, or None."""
        if now < self._alive_at:
            return None
        self._alive_at = now + ALIVE_INTERVAL
        return self._alive(now)

    def order(self, answer: Answer, now: float) -> Answer:
        """Has the other server send an answer whose origin is one of its endpoints."""
        return self._message(
            now,
            AlternatePort(answer.origin.port),
            XorPeerAddress(answer.destination),
            Data(answer.data),
        )

    def receive(self, message: ReceivedMessage, arrival: Arrival, now: float) -> Heard:
        """Judges a message of the link's method, wherever it came from."""
        link = message.get(ServerLink)
        if link is None or arrival.source != self._options.remote or link.sender == self._number:
            return _FORGED
        if not self._is_authentic(message):
            return _FORGED
        if link.receiver != self._number:
            return self._receive_greeting(link, now)
        if not self._take(link.sequence):
            return _REPLAYED
        is_new = link.sender != self._their_number
        self._their_number, self._greeted_at, self._heard_at = link.sender, now, now
        port, data = message.get(AlternatePort), message.get(Data)
        if data is not None:
            return Heard(order=self._ordered(data, port, message.get(XorPeerAddress)))
        if port == AlternatePort(self._options.alternate_port):
            self._heard_us_at = now
        return Heard(reply=self._alive(now) if is_new else None)

    def _receive_greeting(self, link: ServerLink, now: float) -> Heard:
        """Of who does not know our number. It may be a record: it moves nothing while the link is heard."""
        if _is_recent(self._heard_at, now):
            return _REPLAYED
        self._their_number, self._greeted_at = link.sender, now
        return Heard(reply=self._alive(now))

    def _ordered(
        self, data: Data, port: AlternatePort | None, client: XorPeerAddress | None
    ) -> Answer | None:
        ports = (self._options.local.port, self._options.alternate_port)
        if port is None or client is None or port.port not in ports or client.address.port == 0:
            return None
        if len(data.value) > MAX_ORDERED_SIZE:
            return None
        origin = TransportAddress(self._options.local.ip, port.port)
        return Answer(data=data.value, destination=client.address, origin=origin, is_reflected=True)

    def _is_authentic(self, message: ReceivedMessage) -> bool:
        proof = message.integrity
        is_strong = proof is not None and proof.algorithm is IntegrityAlgorithm.SHA256
        return is_strong and message.is_authentic(self._options.key)

    def _take(self, sequence: int) -> bool:
        """Whether a sequence number is new, which then it is no more."""
        if sequence > self._newest:
            ahead = min(sequence - self._newest, _WINDOW_SIZE)
            self._window = (self._window << ahead | 1) & ((1 << _WINDOW_SIZE) - 1)
            self._newest = sequence
            return True
        bit = 1 << (self._newest - sequence) if self._newest - sequence < _WINDOW_SIZE else 0
        if not bit or self._window & bit:
            return False
        self._window |= bit
        return True

    def _alive(self, now: float) -> Answer:
        return self._message(now, AlternatePort(self._options.alternate_port))

    def _message(self, now: float, *attributes: Attribute) -> Answer:
        self._sequence += 1
        receiver = self._their_number if _is_recent(self._greeted_at, now) else 0
        link = ServerLink(sequence=self._sequence, sender=self._number, receiver=receiver)
        message = Message(
            method=Method.SERVER_LINK,
            message_class=MessageClass.INDICATION,
            transaction_id=TransactionId(self._random(12)),
            attributes=(link, *attributes),
        )
        data = message.encode(key=self._options.key, algorithm=IntegrityAlgorithm.SHA256)
        return Answer(data=data, destination=self._options.remote, origin=self._options.local)


def _is_recent(then: float | None, now: float) -> bool:
    return then is not None and now - then < SILENCE_TIMEOUT
