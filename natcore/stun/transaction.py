"""One STUN request over UDP and its retransmissions, without I/O.

Theory of operation. ``now`` enters; the request's bytes leave when a transmission is due. The schedule is
laid out once, from the construction instant: requests at 0, RTO, 3 RTO, 7 RTO and so on, the gap doubling up
to an optional cap, then one final wait. A timer that comes late sends *one* request and goes on with the
next instant of the schedule that is still ahead: after a suspended laptop wakes, or an event loop stalls,
no burst leaves. It refuses to know what the response says, and where the request goes.

What may happen to a transaction is the table ``_TRANSITIONS``; a missing key is the illegal move.

Source: RFC 8489 section 6.2.1.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import Enum, auto

from natcore.errors import MisuseError
from natcore.stun.header import TransactionId

HIGHEST_MAX_REQUESTS = 64
"""A limit on Rc itself. Doubling from 0.5 s, request 64 would be due in 10^11 years: no use is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetransmissionSchedule:
    """When requests are sent, and when to stop waiting (RFC 8489 section 6.2.1).

    The defaults send at 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s and give up at 39.5 s.

    Attributes:
        rto: seconds from the first request to the second. This RFC and RFC 8445 section 14.3 want at least
            0.5 where nothing is known of the round trip; an owner that starts lower says why.
        max_requests: how many requests at most, 1 to 64 (Rc).
        final_wait_factor: the wait after the last request, in units of ``rto`` (Rm).
        max_rto: seconds that no gap between two requests exceeds; None lets it double for ever. A signalled
            path has a peer that is known to be there: better to ask often than to wait long.
    """

    rto: float = 0.5
    max_requests: int = 7
    final_wait_factor: int = 16
    max_rto: float | None = None

    def __post_init__(self) -> None:
        if not (0 < self.rto < math.inf):
            raise MisuseError(f"rto: got {self.rto} s, expected more than 0 s")
        if not 1 <= self.max_requests <= HIGHEST_MAX_REQUESTS:
            raise MisuseError(f"max_requests: got {self.max_requests}, expected 1 to {HIGHEST_MAX_REQUESTS}")
        if self.final_wait_factor < 0:
            raise MisuseError(f"final_wait_factor: got {self.final_wait_factor}, expected 0 or more")
        if self.max_rto is not None and not self.max_rto >= self.rto:
            raise MisuseError(f"max_rto: got {self.max_rto} s, expected at least the rto, {self.rto} s")

    @property
    def send_offsets(self) -> tuple[float, ...]:
        """Seconds from the start to each request, the first at 0; ``max_requests`` numbers, ascending."""
        longest = math.inf if self.max_rto is None else self.max_rto
        offsets = [0.0]
        for doublings in range(self.max_requests - 1):
            offsets.append(offsets[-1] + min(self.rto * 2**doublings, longest))
        return tuple(offsets)

    @property
    def final_wait(self) -> float:
        """Seconds from the last request to giving up: Rm x RTO."""
        return self.final_wait_factor * self.rto

    @property
    def total(self) -> float:
        """Seconds from the first request to giving up, when every timer is on time: 39.5 by default."""
        return self.send_offsets[-1] + self.final_wait


class TransactionState(Enum):
    """Where a transaction is. COMPLETED and TIMED_OUT are final; CANCELLED can still complete."""

    IN_PROGRESS = auto()
    COMPLETED = auto()
    TIMED_OUT = auto()
    CANCELLED = auto()


class _Happening(Enum):
    """What can happen to a transaction."""

    RESPONSE = "a response"
    EXPIRY = "an expiry"
    CANCELLATION = "a cancellation"


_TRANSITIONS = {
    (TransactionState.IN_PROGRESS, _Happening.RESPONSE): TransactionState.COMPLETED,
    (TransactionState.IN_PROGRESS, _Happening.EXPIRY): TransactionState.TIMED_OUT,
    (TransactionState.IN_PROGRESS, _Happening.CANCELLATION): TransactionState.CANCELLED,
    # Cancelling stops the requests, not the waiting: RFC 8445 section 7.3.1.4 still takes a response to
    # what has been sent, and does not call its absence a failure. Hence no expiry either.
    (TransactionState.CANCELLED, _Happening.RESPONSE): TransactionState.COMPLETED,
}


class ClientTransaction:
    """One request on its way: tells when to send it again, and when nobody will answer any more.

    Attributes:
        transaction_id: what the response must carry.
        request: the datagram's bytes, the same for every retransmission.
        state: where the transaction is.
        requests_sent: how often ``handle_timer`` has handed the request over.
        started_at: the instant of construction; the first request is due at once.
    """

    __slots__ = (
        "_final_wait",
        "_first_sent_at",
        "_sends_ahead",
        "_timer",
        "request",
        "requests_sent",
        "started_at",
        "state",
        "transaction_id",
    )

    def __init__(
        self,
        *,
        transaction_id: TransactionId,
        request: bytes,
        schedule: RetransmissionSchedule,
        now: float,
    ) -> None:
        self.transaction_id = transaction_id
        self.request = request
        self.state = TransactionState.IN_PROGRESS
        self.requests_sent = 0
        self.started_at = now
        self._first_sent_at = now
        self._final_wait = schedule.final_wait
        self._sends_ahead = deque(now + offset for offset in schedule.send_offsets)
        self._timer: float | None = now

    def get_timer(self) -> float | None:
        """The instant of the next request or of giving up; None once neither will come."""
        return self._timer

    def handle_timer(self, now: float) -> bytes | None:
        """The request when a transmission is due, else None; ends the transaction after the final wait.

        Early, or in a state without a timer, it does nothing. However late, it sends one request at most.
        """
        if self._timer is None or now < self._timer:
            return None
        if not self._sends_ahead:
            self._move(_Happening.EXPIRY)
            return None
        while self._sends_ahead and self._sends_ahead[0] <= now:
            self._sends_ahead.popleft()  # what a late timer missed is skipped, not made up for
        self._timer = self._sends_ahead[0] if self._sends_ahead else now + self._final_wait
        if self.requests_sent == 0:
            self._first_sent_at = now
        self.requests_sent += 1
        return self.request

    def receive_response(self, now: float) -> float | None:
        """Completes the transaction; the round-trip time in seconds, or None where it is ambiguous.

        Karn's rule: after a retransmission nobody knows which request the response answers.

        Raises:
            MisuseError: the transaction had already completed or timed out.
        """
        self._move(_Happening.RESPONSE)
        return now - self._first_sent_at if self.requests_sent == 1 else None

    def cancel(self) -> None:
        """Stops retransmitting (RFC 8445 section 7.3.1.4); a response may still come.

        There is no timer any more: the owner forgets a cancelled transaction when it likes, at the latest
        ``schedule.total`` seconds after ``started_at``.

        Raises:
            MisuseError: the transaction was not in progress.
        """
        self._move(_Happening.CANCELLATION)

    def _move(self, happening: _Happening) -> None:
        """The next state by the table; no state but IN_PROGRESS has a timer."""
        state = _TRANSITIONS.get((self.state, happening))
        if state is None:
            raise MisuseError(f"transaction: got {happening.value} when {self.state.name}")
        self.state = state
        self._timer = None
