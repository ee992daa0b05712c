"""One question to a server, or to ourselves, and what has become of it.

Deviation from RFC 8489 section 6.2.1: every repetition has a transaction id of its own. So the round trip
is never ambiguous, and which packets were lost can be counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from natcore.address import ReflexiveAddress, TransportAddress
from natcore.discovery.plan import Role
from natcore.stun import ChangeRequest, TransactionId

TRY_LATER = 500
"""The error of a server that cannot answer for the moment (RFC 8489 section 14.8)."""


@dataclass(slots=True, kw_only=True, eq=False)
class Question:
    """A Binding request from one socket to one address.

    Attributes:
        role: what it is for.
        base: the socket.
        destination: where it goes.
        change: from where the answer shall come, or None for the destination itself.
        expected_source: where the answer must come from to be one.
        ttl: hops after which it dies, or None.
        sent: when it was sent, by transaction id; in order.
        due_at: when it is to be sent again, or None.
        mapped: how the answerer saw our socket.
        rtt: seconds from the one that was answered to the answer.
        error: the code of an error response.
        is_disobeyed: an answer came, but not from where it was asked for.
        was_turned: it came back to us as a request.
    """

    role: Role
    base: TransportAddress
    destination: TransportAddress
    change: ChangeRequest | None = None
    expected_source: TransportAddress
    ttl: int | None = None
    sent: dict[TransactionId, float] = field(default_factory=dict)
    due_at: float | None = None
    answered_ids: set[TransactionId] = field(default_factory=set)
    mapped: ReflexiveAddress | None = None
    rtt: float | None = None
    error: int | None = None
    is_disobeyed: bool = False
    was_turned: bool = False

    @property
    def is_answered(self) -> bool:
        """Whether an answer came from where it was asked for."""
        return self.mapped is not None

    @property
    def is_open(self) -> bool:
        """Whether it is to be sent again."""
        return self.due_at is not None


def plain(
    role: Role, base: TransportAddress, destination: TransportAddress, *, ttl: int | None = None
) -> Question:
    """A question whose answer comes from where it goes."""
    return Question(role=role, base=base, destination=destination, expected_source=destination, ttl=ttl)
