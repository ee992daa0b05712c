"""When a mapping is due to be renewed: a pure clock for every protocol that has lifetimes.

Source: RFC 6887 section 11.2.1: renewal at a random instant between 1/2 and 5/8 of the lifetime, then, if
that failed, between 3/4 and 3/4 + 1/16, then between 7/8 and 7/8 + 1/32 and so on, never sooner than 4 s
after the attempt before. So a thousand clients of one gateway do not come back at the same instant, and a
gateway that grants one second is not asked all the time.
"""

from __future__ import annotations

from natcore.agent import RandomBytes

MIN_RENEWAL_INTERVAL = 4.0
"""Seconds between two attempts (RFC 6887 section 11.2.1)."""


class Lease:
    """One granted lifetime.

    Attributes:
        expires_at: the instant at which the gateway forgets the mapping.
        renew_at: the instant of the next attempt.
    """

    def __init__(self, *, lifetime: float, now: float, random: RandomBytes) -> None:
        """Begins at ``now``.

        Args:
            lifetime: seconds, as granted.
            now: when the answer came.
            random: spreads the renewals.
        """
        self.expires_at = now + lifetime
        self._lifetime = lifetime
        self._granted_at = now
        self._random = random
        self._remaining = 1.0
        self.renew_at = now
        self._schedule(now)

    def attempt_failed(self, now: float) -> None:
        """A renewal led to nothing; sets the next instant."""
        self._schedule(now)

    def is_expired(self, now: float) -> bool:
        """Whether the gateway has forgotten the mapping by now."""
        return now >= self.expires_at

    def _schedule(self, now: float) -> None:
        self._remaining /= 2
        share = 1 - self._remaining + self._remaining / 4 * self._random(1)[0] / 255
        self.renew_at = max(self._granted_at + share * self._lifetime, now + MIN_RENEWAL_INTERVAL)
