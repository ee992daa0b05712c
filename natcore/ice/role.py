"""Which side is controlling, and how two that both claim it, or neither, agree (RFC 8445 section 7.3.1.1)."""

from __future__ import annotations

from enum import Enum

from natcore.agent import RandomBytes
from natcore.ice.check import IncomingCheck


class Verdict(Enum):
    """What to do about the role that a check of the peer's claims."""

    ACCEPT = "the roles fit"
    SWITCH = "ours has been switched, and now they fit"
    REJECT = "the peer has to switch"


class Role:
    """Our role, and the tie-breaker that defends it.

    Attributes:
        is_controlling: whether we nominate.
        tie_breaker: 64 bits; of two sides in one role, the larger one becomes or stays controlling.
    """

    def __init__(self, random: RandomBytes, *, is_controlling: bool) -> None:
        self._random = random
        self.is_controlling = is_controlling
        self.tie_breaker = self._draw()

    def receive_check(self, check: IncomingCheck) -> Verdict:
        """Compares the roles, and switches ours where it has to yield."""
        if check.is_from_controlling is not self.is_controlling:
            return Verdict.ACCEPT
        we_win = self.tie_breaker >= check.tie_breaker
        if we_win is self.is_controlling:
            return Verdict.REJECT
        self.is_controlling = not self.is_controlling
        return Verdict.SWITCH

    def receive_conflict(self, *, sent_as_controlling: bool) -> bool:
        """The peer answered 487 to a check that claimed a role; whether ours has been switched.

        A second 487 to a check of the old role switches nothing (RFC 8445 section 7.2.5.1).
        """
        if sent_as_controlling is not self.is_controlling:
            return False
        self.is_controlling = not self.is_controlling
        self.tie_breaker = self._draw()
        return True

    def _draw(self) -> int:
        return int.from_bytes(self._random(8), "big")
