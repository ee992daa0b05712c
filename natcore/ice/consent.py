"""Consent to keep sending on a path, which is also its keepalive (RFC 7675 section 5.1).

Each consent check is a transaction of its own and is never retransmitted. Whatever authentic response comes
renews the consent, the newest and the ones before it alike.
"""

from __future__ import annotations

from natcore.agent import RandomBytes
from natcore.ice.config import IceConfig
from natcore.stun import TransactionId

_MAX_OUTSTANDING = 16
"""More than fit into one consent timeout at the shortest interval: 30 s / (5 s x 0.8) = 8."""


class Consent:
    """When to send the next consent check, and when to stop sending for good.

    Attributes:
        expires_at: the instant at which the consent ends unless a response comes.
    """

    def __init__(self, config: IceConfig, random: RandomBytes, now: float) -> None:
        self._config = config
        self._random = random
        self._outstanding: dict[TransactionId, float] = {}
        self.expires_at = now + config.consent_timeout
        self._next_check_at = now + self._interval()

    def get_timer(self) -> float:
        """The earlier of the next check and the expiry."""
        return min(self._next_check_at, self.expires_at)

    def is_expired(self, now: float) -> bool:
        """Whether sending must have stopped."""
        return now >= self.expires_at

    def is_check_due(self, now: float) -> bool:
        """Whether a consent check is to be sent; the owner then calls :meth:`sent`."""
        return now >= self._next_check_at

    def sent(self, transaction_id: TransactionId, now: float) -> None:
        """Notes a consent check that goes out now."""
        if len(self._outstanding) >= _MAX_OUTSTANDING:
            del self._outstanding[next(iter(self._outstanding))]
        self._outstanding[transaction_id] = now
        self._next_check_at = now + self._interval()

    def is_awaiting(self, transaction_id: TransactionId) -> bool:
        """Whether this consent check has not been answered."""
        return transaction_id in self._outstanding

    def receive_response(self, transaction_id: TransactionId, now: float) -> float | None:
        """Renews the consent if the transaction is one of ours; returns its round-trip time in seconds."""
        sent_at = self._outstanding.pop(transaction_id, None)
        if sent_at is None:
            return None
        self.expires_at = now + self._config.consent_timeout
        return now - sent_at

    def _interval(self) -> float:
        # "randomly varied between 0.8 and 1.2 times the basic period"
        fraction = int.from_bytes(self._random(2), "big") / 0xFFFF
        return self._config.consent_interval * (0.8 + 0.4 * fraction)
