"""Consent to keep sending on a path, which is also its keepalive (RFC 7675 section 5.1).

Each consent check is a transaction of its own and is never retransmitted. A success response renews the
consent, to the newest check and to the ones before it alike, if it came the way that the check went. An error
response says that the peer is there, not that it wants our data; with the code 403 it says that it does not
want them any more (section 5.2), and the consent ends at once.

Both sides check at about the same time, since the check of one has the other send its own: so both notice a
break, also the one whose own NAT it is and who alone can show the server where it is now.

A check that is not answered soon is followed by another. After a few the path is in doubt, long before the
consent ends: its owner then looks for another one, and goes on with this one until it has it.

Consent is to one pair. Where data takes another, the check that made that one valid was its first consent.
"""

from __future__ import annotations

from natcore.address import TransportAddress
from natcore.agent import RandomBytes
from natcore.ice.config import IceConfig
from natcore.ice.events import FailureReason
from natcore.stun import ErrorCode, Message, MessageClass, TransactionId

Way = tuple[TransportAddress, TransportAddress]
"""Our base and the peer's address: a pair on the wire."""

_MAX_OUTSTANDING = 16
"""More than fit into one consent timeout at the shortest interval: 30 s / (5 s x 0.8) = 8."""

FORBIDDEN = 403
"""The error code that revokes a consent (RFC 7675 section 5.2)."""


class Consent:
    """When to send the next consent check, and when to stop sending for good.

    Attributes:
        way: the pair that it is to, or None before the first and after the end.
        expires_at: the instant at which the consent ends unless a response comes.
        is_in_doubt: whether the last few checks had no answer.
    """

    def __init__(self, config: IceConfig, random: RandomBytes) -> None:
        self._config = config
        self._random = random
        self.end()

    def end(self) -> None:
        """There is no path, or there is none any more."""
        self.way: Way | None = None
        self._outstanding: dict[TransactionId, float] = {}
        self._is_revoked = False
        self._unanswered = 0
        self._soon = self._config.doubt_interval
        self.is_in_doubt = False
        self.expires_at = self._next_check_at = float("inf")

    def follow(self, way: Way, now: float) -> None:
        """Data goes this way now; does nothing where it did before."""
        if way == self.way:
            return
        self.end()
        self.way = way
        self.expires_at = now + self._config.consent_timeout
        self._next_check_at = now + self._interval()

    def get_timer(self) -> float | None:
        """The earlier of the next check and the expiry; None without a path."""
        return None if self.way is None else min(self._next_check_at, self.expires_at)

    @property
    def renewed_at(self) -> float:
        """When the newest answer came, or the path began."""
        return self.expires_at - self._config.consent_timeout

    def is_expired(self, now: float) -> bool:
        """Whether sending must have stopped."""
        return now >= self.expires_at

    def why_expired(self) -> tuple[FailureReason, str]:
        """The reason, and a clause for people."""
        if self._is_revoked:
            return FailureReason.REJECTED, "the peer withdrew its consent"
        return (
            FailureReason.CONSENT_EXPIRED,
            f"no answer on the path for {self._config.consent_timeout:.0f} s",
        )

    def is_check_due(self, now: float) -> bool:
        """Whether a consent check is to be sent; the owner then calls :meth:`sent`."""
        return now >= self._next_check_at

    def sent(self, transaction_id: TransactionId, now: float) -> None:
        """Notes a consent check that goes out now."""
        if len(self._outstanding) >= _MAX_OUTSTANDING:
            del self._outstanding[next(iter(self._outstanding))]
        self._outstanding[transaction_id] = now
        self._unanswered += 1
        is_regular = self.is_in_doubt or self._unanswered > self._config.doubt_checks
        self._next_check_at = now + (self._interval() if is_regular else self._soon)

    def hurry(self, now: float) -> None:
        """Data has had no answer for a while: checks now, unless a check is under way."""
        if not self._unanswered:
            self._next_check_at = min(self._next_check_at, now)

    def peer_checks(self, now: float) -> None:
        """The peer checks just now: so do we, unless we have lately, so that both notice a break alike."""
        if now >= self.renewed_at + self._config.consent_interval / 2:
            self.hurry(now)

    def begin_doubt(self, now: float) -> bool:
        """Whether the path has just come into doubt: true once, when a further check would be due."""
        if self.is_in_doubt or self._unanswered < self._config.doubt_checks or now < self._next_check_at:
            return False
        self.is_in_doubt = True
        return True

    def is_awaiting(self, transaction_id: TransactionId) -> bool:
        """Whether this consent check has not been answered."""
        return transaction_id in self._outstanding

    def receive_response(self, response: Message, way: Way, now: float) -> float | None:
        """Takes an authentic response to one of ours; returns its round-trip time in seconds if it renews."""
        sent_at = self._outstanding.pop(response.transaction_id)
        error = response.get(ErrorCode)
        if error is not None and error.code == FORBIDDEN:
            self._is_revoked = True
            self.expires_at = now
        if way != self.way or response.message_class is not MessageClass.SUCCESS_RESPONSE:
            return None
        self.expires_at = now + self._config.consent_timeout
        self._unanswered = 0
        self.is_in_doubt = False
        self._soon = max(self._config.doubt_interval, 2 * (now - sent_at))
        self._next_check_at = now + self._interval()
        return now - sent_at

    def _interval(self) -> float:
        # "randomly varied between 0.8 and 1.2 times the basic period"
        fraction = int.from_bytes(self._random(2), "big") / 0xFFFF
        return self._config.consent_interval * (0.8 + 0.4 * fraction)
