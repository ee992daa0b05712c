"""What hard attempts may cost: one at a time for a host, so many packets in it, in any second and any minute.

Packets are spaced, by half of the interval that the rate gives at least. A timer that rings late may catch
up, by a few packets and never beyond what any one second may see, so that a slow event loop costs little and
no burst reaches a small router.
"""

from __future__ import annotations

from collections import deque

from natcore.hardnat.limits import OPENING_SPEED, HardNatLimits

MAX_CATCH_UP = 0.01
"""Seconds of lateness that are made up for at once: 5 packets at 250 a second. Event loops are late by 1 to
15 ms."""

_MINUTE = 60.0


class HostBudget:
    """Of one host, for all its peers."""

    def __init__(self, limits: HardNatLimits) -> None:
        self.limits = limits
        self._sent: deque[float] = deque(maxlen=limits.max_packets_a_minute)
        self._next_at = float("-inf")
        self._attempt: AttemptBudget | None = None

    @property
    def is_taken(self) -> bool:
        """Whether an attempt is under way."""
        return self._attempt is not None

    def obstacle(self, now: float) -> str | None:
        """Why no attempt may begin in the next seconds, as a clause, or None where one may."""
        if now < self._minute_allows_at:
            return f"{self.limits.max_packets_a_minute} packets were sent in the last minute"
        return None

    def begin(self) -> AttemptBudget | None:
        """The budget of a new attempt, or None while another one goes on."""
        if self._attempt is not None:
            return None
        self._attempt = AttemptBudget(self, self.limits.max_packets)
        return self._attempt

    def end(self, attempt: AttemptBudget) -> None:
        """Lets the next attempt begin, if it is this one that goes on."""
        if self._attempt is attempt:
            self._attempt = None

    @property
    def next_at(self) -> float:
        """The first instant at which a packet may leave."""
        rate = self.limits.packet_rate
        second_allows_at = float("-inf") if len(self._sent) < rate else self._sent[-rate] + 1.0
        return max(self._next_at, second_allows_at, self._minute_allows_at)

    @property
    def _minute_allows_at(self) -> float:
        if len(self._sent) < self.limits.max_packets_a_minute:
            return float("-inf")
        return self._sent[0] + _MINUTE

    def take(self, now: float) -> bool:
        """Takes one packet; False where it would be too early."""
        if now < self.next_at:
            return False
        began_at = now if not self._sent else max(self._next_at, now - MAX_CATCH_UP)
        self._next_at = began_at + 1 / (OPENING_SPEED * self.limits.packet_rate)
        self._sent.append(now)
        return True


class AttemptBudget:
    """Of one attempt; made by :meth:`HostBudget.begin`.

    Attributes:
        left: packets that it may still send.
    """

    def __init__(self, host: HostBudget, packets: int) -> None:
        self._host = host
        self.left = packets

    @property
    def next_at(self) -> float | None:
        """The first instant at which a packet may leave, or None where none may any more."""
        return self._host.next_at if self.left else None

    def take(self, now: float) -> bool:
        """Takes one packet; False where it would be one too many, or too early."""
        if not self.left or not self._host.take(now):
            return False
        self.left -= 1
        return True

    def end(self) -> None:
        """Gives back what is left; nothing can be taken any more."""
        self.left = 0
        self._host.end(self)
