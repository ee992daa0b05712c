"""What is done about a path that breaks: when another is asked for, and how long one is waited for.

What enters: what becomes of the path and of the searches for another, time. What leaves: whether it is time
to ask once more, or to give up. What is always true: it is asked ever more rarely until there is a path
again, not at all while an introduction is followed, and given up only where the path is lost. What it refuses
to know: how a break is noticed, who is asked, and how a path is found.
"""

from __future__ import annotations

from dataclasses import dataclass

from natcore.ice import FailureReason

ASK_INTERVAL = 2.0
"""Seconds from the first wish to be introduced anew to the second; doubled for each further one."""

MAX_ASK_INTERVAL = 15.0
"""Seconds; where that ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """There is no path any more, and the session waits for another.

    Attributes:
        reason: why it was lost.
        detail: the same, a clause for people.
        ends_at: the instant, in seconds, at which nobody waits any longer.
    """

    reason: FailureReason
    detail: str
    ends_at: float


class Recovery:
    """See the module.

    Args:
        patience: seconds from the loss of a path to the end.

    Attributes:
        loss: of the path, or None. A path that is only in doubt is not lost.
    """

    def __init__(self, patience: float) -> None:
        self.loss: Loss | None = None
        self._patience = patience
        self._interval = ASK_INTERVAL
        self._ask_at: float | None = None

    def asked(self, now: float) -> None:
        """The path is in doubt, and another is asked for now."""
        self._ask_at = now + self._interval
        self._interval = min(2 * self._interval, MAX_ASK_INTERVAL)

    def begin_anew(self) -> None:
        """Things have changed, which may help: it is asked as often again as at first."""
        self._interval = ASK_INTERVAL

    def search_begun(self) -> None:
        """What was asked for is here."""
        self._ask_at = None

    def search_failed(self, now: float) -> None:
        """It did not help."""
        self._ask_at = now + self._interval

    def path_lost(self, reason: FailureReason, detail: str, now: float) -> None:
        """Nothing may be sent on the path any more."""
        self.loss = Loss(reason=reason, detail=detail, ends_at=now + self._patience)

    def path_found(self) -> None:
        """There is a path that works."""
        self.loss = self._ask_at = None
        self._interval = ASK_INTERVAL

    def take_due(self, now: float) -> bool:
        """Whether it is time to ask again; true once."""
        if self._ask_at is None or now < self._ask_at:
            return False
        self._ask_at = None
        return True

    def get_timer(self) -> float | None:
        """When it is time to ask again or to give up, whichever is earlier."""
        if self.loss is None:
            return self._ask_at
        return self.loss.ends_at if self._ask_at is None else min(self._ask_at, self.loss.ends_at)
