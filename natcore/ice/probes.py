"""Checks of a hard attempt: each is sent once, to an address that is probably nobody's, and few are answered.

An answer is as good as that of any check: who sprays ports so has its path a round trip before the peer's own
check is answered. ``MAX_PROBES`` bounds what is remembered; the oldest are forgotten first.
"""

from __future__ import annotations

from dataclasses import dataclass

from natcore import stun
from natcore.address import TransportAddress
from natcore.ice.candidate import LocalCandidate
from natcore.ice.outstanding import OutstandingCheck
from natcore.ice.pair import CandidatePair

MAX_PROBES = 2048
"""As many as an attempt sends."""

SCHEDULE = stun.RetransmissionSchedule(rto=1.0, max_requests=1)
"""It is sent once; a transaction is for the round trip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentProbe:
    """A probe on its way.

    Attributes:
        local: the candidate that it left from.
        destination: where it went.
        transaction: of one request.
        sent_as_controlling: the role that it claims.
    """

    local: LocalCandidate
    destination: TransportAddress
    transaction: stun.ClientTransaction
    sent_as_controlling: bool

    def as_check_of(self, pair: CandidatePair) -> OutstandingCheck:
        """The same, now that the pair is known on which it was answered."""
        return OutstandingCheck(
            pair=pair,
            transaction=self.transaction,
            nominates=False,
            sent_as_controlling=self.sent_as_controlling,
        )


class Probes:
    """See the module."""

    def __init__(self) -> None:
        self._sent: dict[stun.TransactionId, SentProbe] = {}

    def __contains__(self, transaction_id: stun.TransactionId) -> bool:
        return transaction_id in self._sent

    def add(self, probe: SentProbe) -> None:
        """Takes note of a probe."""
        if len(self._sent) >= MAX_PROBES:
            del self._sent[next(iter(self._sent))]
        self._sent[probe.transaction.transaction_id] = probe

    def take(self, transaction_id: stun.TransactionId) -> SentProbe | None:
        """Forgets the probe with this transaction and returns it, or None."""
        return self._sent.pop(transaction_id, None)

    def clear(self) -> None:
        """Forgets all."""
        self._sent.clear()
