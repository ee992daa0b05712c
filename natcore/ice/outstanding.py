"""Checks that were sent and not answered: their retransmissions, and which response answers which.

A cancelled check is not repeated but stays known, because a response that comes late still counts (RFC 8445
section 7.3.1.4). ``MAX_OUTSTANDING`` bounds them all; the oldest are forgotten first.
"""

from __future__ import annotations

from dataclasses import dataclass

from natcore import stun
from natcore.ice.pair import CandidatePair

MAX_OUTSTANDING = 256
"""Every pair of a full check list in progress, and its triggered predecessors."""


@dataclass(slots=True, kw_only=True, eq=False)
class OutstandingCheck:
    """A check on its way.

    Attributes:
        pair: what is checked.
        transaction: its requests and their schedule.
        nominates: whether it carries USE-CANDIDATE.
        sent_as_controlling: the role that it claims, which may have switched since.
    """

    pair: CandidatePair
    transaction: stun.ClientTransaction
    nominates: bool
    sent_as_controlling: bool

    @property
    def is_timed_out(self) -> bool:
        """Whether nobody will answer any more."""
        return self.transaction.state is stun.TransactionState.TIMED_OUT


class OutstandingChecks:
    """See the module."""

    def __init__(self) -> None:
        self._checks: dict[stun.TransactionId, OutstandingCheck] = {}

    def __contains__(self, transaction_id: stun.TransactionId) -> bool:
        return transaction_id in self._checks

    def add(self, check: OutstandingCheck) -> None:
        """Takes note of a check; its first request is due at once."""
        if len(self._checks) >= MAX_OUTSTANDING:
            del self._checks[next(iter(self._checks))]
        self._checks[check.transaction.transaction_id] = check

    def take(self, transaction_id: stun.TransactionId) -> OutstandingCheck | None:
        """Forgets the check with this transaction and returns it, or None."""
        return self._checks.pop(transaction_id, None)

    def take_due(self, now: float) -> list[tuple[OutstandingCheck, bytes | None]]:
        """What is due: a check with its request to send, or None where it has timed out and is forgotten."""
        due: list[tuple[OutstandingCheck, bytes | None]] = []
        for check in self._checks.values():
            request = check.transaction.handle_timer(now)
            if request is not None or check.is_timed_out:
                due.append((check, request))
        for check, request in due:
            if request is None:
                del self._checks[check.transaction.transaction_id]
        return due

    def cancel(self, only: CandidatePair | None = None) -> None:
        """Ends the retransmissions, of all checks or of one pair's."""
        for check in self._checks.values():
            if check.transaction.state is stun.TransactionState.IN_PROGRESS and only in (None, check.pair):
                check.transaction.cancel()

    def clear(self) -> None:
        """Forgets all."""
        self._checks.clear()

    def get_timer(self) -> float | None:
        """When :meth:`take_due` will have something."""
        instants = (check.transaction.get_timer() for check in self._checks.values())
        return min((instant for instant in instants if instant is not None), default=None)
