"""A token bucket: a rate in the long run, a burst at once."""

from __future__ import annotations


class TokenBucket:
    """Full at first; refills steadily up to its size. Needs no timer: it is computed when asked."""

    def __init__(self, *, rate: float, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._counted_at = now

    def take(self, now: float, count: int = 1) -> bool:
        """Takes tokens; False, and nothing taken, if there are not so many.

        Args:
            now: seconds; ``rate`` tokens a second have come since the last call.
            count: how many.
        """
        self._tokens = min(self._burst, self._tokens + (now - self._counted_at) * self._rate)
        self._counted_at = now
        if self._tokens < count:
            return False
        self._tokens -= count
        return True
