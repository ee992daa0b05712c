"""Acknowledged delivery: a message is repeated until the peer confirms it, or said to be unconfirmed.

One message is on its way at a time (stop and wait), so messages arrive in order and each end keeps a single
number. That bounds the rate to one message a round trip, which is plenty for what people type; bulk data is
the business of datagrams and of protocols built on them.

The receiver takes a message whose number is above the last one it took, and acknowledges every copy. A
message that the sender gave up on and that arrives after its successor is a stale copy: acknowledging it
would be a lie, so it is dropped.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from natcore.channel.frame import MAX_NUMBER, MAX_PAYLOAD_SIZE
from natcore.errors import MisuseError


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryConfig:
    """Times in seconds.

    Attributes:
        initial_rto: first repetition without a known round-trip time (RFC 6298 section 2 says 1 s; a
            session that has just measured its path can be quicker).
        min_rto: never repeat sooner: leaves time for a peer that is busy.
        early_grace: a message that went out early is repeated once its confirmation is overdue by so much and
            half a round trip: the answer that was sent right before it has come, so the peer is not busy.
        max_rto: cap of the doubling, low enough for a dozen copies within ``give_up_after``.
        give_up_after: from when a message's turn came to saying that it is unconfirmed.
        max_waiting: messages; one more is our owner's mistake.
    """

    initial_rto: float = 0.25
    min_rto: float = 0.1
    early_grace: float = 0.02
    max_rto: float = 1.0
    give_up_after: float = 10.0
    max_waiting: int = 1000


@dataclass(slots=True)
class _OnItsWay:
    number: int
    payload: bytes
    give_up_at: float
    rto: float
    resend_at: float
    sent_at: float | None = None
    sends: int = 0


class MessageSender:
    """The sending half.

    Attributes:
        rtt: seconds, the newest unambiguous round trip of a message, or None.
    """

    def __init__(self, config: DeliveryConfig) -> None:
        self._config = config
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._current: _OnItsWay | None = None
        self._next_number = 1
        self.rtt: float | None = None

    def queue(self, payload: bytes) -> int:
        """Accepts a message and returns its number.

        Raises:
            MisuseError: it is too long, or too many are waiting.
        """
        if len(payload) > MAX_PAYLOAD_SIZE:
            raise MisuseError(f"message: got {len(payload)} bytes, expected at most {MAX_PAYLOAD_SIZE}")
        if len(self._waiting) >= self._config.max_waiting or self._next_number > MAX_NUMBER:
            raise MisuseError(f"{len(self._waiting)} messages are waiting to be confirmed already")
        number, self._next_number = self._next_number, self._next_number + 1
        self._waiting.append((number, payload))
        return number

    def peek(self) -> tuple[int, bytes] | None:
        """The message whose turn it is, sent or not."""
        if self._current is not None:
            return self._current.number, self._current.payload
        return self._waiting[0] if self._waiting else None

    def sent_early(self, now: float) -> None:
        """Counts the message whose turn it is as sent: its owner sends a copy ahead of a confirmed path."""
        current = self._current or self._begin(now, None)
        if current is not None:
            current.sends = 1  # without sent_at: where the copy that counts went is not known
            current.resend_at = now

    def path_confirmed(self, now: float, *, path_rtt: float | None) -> None:
        """Starts the clock of a message that went out early: it has this long from now, not from then.

        Its confirmation is probably under way right behind the answer to the check that its last copy
        followed, so it is not repeated before half a round trip and ``early_grace`` have passed beyond that.
        Where they have passed already, its copies died at a NAT that the peer had not opened yet.
        """
        if self._current is not None:
            left_at = self._current.resend_at
            rtt = now - left_at if path_rtt is None else path_rtt
            patience = min(self._config.min_rto, rtt / 2 + self._config.early_grace)
            self._current.give_up_at = now + self._config.give_up_after
            self._current.resend_at = max(now, left_at + rtt + patience)
            self._current.rto = self._rto_at(rtt)

    def path_replaced(self, now: float) -> None:
        """Gives the message that is on its way its whole time again, and repeats it at once."""
        if self._current is not None:
            self._current.give_up_at = now + self._config.give_up_after
            self._current.resend_at = now

    def get_timer(self, *, is_sending: bool) -> float | None:
        """When :meth:`take_expired` or, where there is a path to send on, :meth:`take_due` has something."""
        if self._current is None:
            return None
        return (
            min(self._current.resend_at, self._current.give_up_at) if is_sending else self._current.give_up_at
        )

    def take_due(self, now: float, *, path_rtt: float | None) -> tuple[int, bytes] | None:
        """The message that is to be sent now, for the first time or again, or None."""
        current = self._current or self._begin(now, path_rtt)
        if current is None or now < current.resend_at:
            return None
        current.sends += 1
        current.sent_at = now
        current.resend_at = now + current.rto
        current.rto = min(2 * current.rto, self._config.max_rto)
        return current.number, current.payload

    def take_expired(self, now: float) -> int | None:
        """The number of a message that is given up now, or None."""
        if self._current is None or now < self._current.give_up_at:
            return None
        number, self._current = self._current.number, None
        return number

    def receive_acknowledgement(self, number: int, now: float) -> bool:
        """Whether this confirms the message that is on its way."""
        current = self._current
        if current is None or current.number != number:
            return False
        if current.sends == 1 and current.sent_at is not None:
            self.rtt = now - current.sent_at
        self._current = None
        return True

    def abandon(self) -> list[int]:
        """Gives up on everything; returns the numbers, in order."""
        numbers = [] if self._current is None else [self._current.number]
        numbers += [number for number, _ in self._waiting]
        self._current = None
        self._waiting.clear()
        return numbers

    def _begin(self, now: float, path_rtt: float | None) -> _OnItsWay | None:
        if not self._waiting:
            return None
        number, payload = self._waiting.popleft()
        rtt = path_rtt if self.rtt is None else self.rtt
        rto = self._config.initial_rto if rtt is None else self._rto_at(rtt)
        self._current = _OnItsWay(
            number=number,
            payload=payload,
            give_up_at=now + self._config.give_up_after,
            rto=rto,
            resend_at=now,
        )
        return self._current

    def _rto_at(self, rtt: float) -> float:
        return max(self._config.min_rto, 2 * rtt)


class MessageReceiver:
    """The receiving half: the number of the last message taken, and nothing else."""

    def __init__(self) -> None:
        self._last = 0

    def receive(self, number: int) -> tuple[bool, bool]:
        """Judges a message by its number: (is it new, is it to be acknowledged)."""
        if number > self._last:
            self._last = number
            return True, True
        return False, number == self._last


class ReplayWindow:
    """Takes each number once, of the newest ``size`` ones (as RFC 4303 section 3.4.3 does)."""

    def __init__(self, size: int = 1024) -> None:
        self._size = size
        self._newest = -1
        self._seen = 0

    def take(self, number: int) -> bool:
        """Whether the number is new; an old or repeated one is not."""
        if number > self._newest:
            shift = number - self._newest
            self._seen = (self._seen << min(shift, self._size) | 1) & ((1 << self._size) - 1)
            self._newest = number
            return True
        bit = self._newest - number
        if bit >= self._size or self._seen >> bit & 1:
            return False
        self._seen |= 1 << bit
        return True
