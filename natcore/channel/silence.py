"""The peer's silence, and when it is a reason to check the path before ICE would.

What enters: when the peer's data was heard, time. What leaves: whether the path is to be checked, once after
the last data for who listens, and at once for who sends. What it refuses to know: what a check is, and what
it shows.
"""

from __future__ import annotations

SILENCE = 1.0
"""Seconds after the peer's last data at which the path is checked, once: a NAT that has forgotten the one who
only listens keeps from him what the peer notices, and the server's word as well."""

QUIET = 0.3
"""Seconds without a word of the peer's after which sending has the path checked at once."""


class Silence:
    """See the module."""

    def __init__(self) -> None:
        self._heard_at = 0.0
        self._check_at: float | None = None

    def path_found(self, now: float) -> None:
        """The peer has just answered a check: it is there, though it has sent no data."""
        self._heard_at = now

    def broken(self, now: float) -> None:
        """Data of the peer's has come."""
        self._heard_at = now
        self._check_at = now + SILENCE

    def is_long_for_sender(self, now: float) -> bool:
        """Whether who sends now had better check the path."""
        return now - self._heard_at > QUIET

    def take_due(self, now: float) -> bool:
        """Whether who only listens is to check the path now; true once."""
        if self._check_at is None or now < self._check_at:
            return False
        self._check_at = None
        return True

    def get_timer(self) -> float | None:
        """When :meth:`take_due` is true next."""
        return self._check_at
