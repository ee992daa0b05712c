"""Candidate pairs and the legal moves of their state (RFC 8445 section 6.1.2.6).

::

    WAITING -> IN_PROGRESS -> SUCCEEDED
       ^            |  |          |        a nomination was rejected
       |            |  +----> FAILED
       +------------+------------+         a triggered check begins anew

The RFC's Frozen state is left out. Deviation: of the pairs with one foundation it checks one first, and the
others once that has succeeded. This saves checks where there are several components, or several streams. We
have one of each, so of a foundation there are as many pairs as an interface has sockets; that is one, or a
hard NAT's dozens, of which each must be tried by itself.
"""

from __future__ import annotations

from enum import Enum

from natcore.address import TransportAddress
from natcore.errors import MisuseError
from natcore.ice.candidate import Candidate, LocalCandidate
from natcore.ice.events import Path


class PairState(Enum):
    """Where the check of a pair stands."""

    WAITING = "waiting"
    IN_PROGRESS = "in progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


_MOVES = {
    PairState.WAITING: {PairState.IN_PROGRESS, PairState.FAILED},
    PairState.IN_PROGRESS: {PairState.WAITING, PairState.SUCCEEDED, PairState.FAILED},
    PairState.FAILED: {PairState.WAITING, PairState.SUCCEEDED},  # a late response is a response
    PairState.SUCCEEDED: {PairState.FAILED},  # its nomination was rejected
}


class CandidatePair:
    """A local and a remote candidate, checked together.

    On the wire a pair is its local *base* and its remote *address*; two pairs never share both
    (RFC 8445 section 6.1.2.4).

    Attributes:
        local: the candidate whose base sends.
        remote: where the checks go.
        state: moved by :meth:`move_to` only.
        mapped: our address as the peer sees it on this pair, once a response has told.
        is_nominated: whether the controlling side chose it.
        rtt: seconds, from the newest unambiguous check, or None.
        triggers: how many triggered checks it had.
        heard_at: seconds; the newest answer on it, or check of the peer's once it was valid.
    """

    __slots__ = ("heard_at", "is_nominated", "local", "mapped", "remote", "rtt", "state", "triggers")

    def __init__(self, local: LocalCandidate, remote: Candidate) -> None:
        self.local = local
        self.remote = remote
        self.state = PairState.WAITING
        self.mapped: TransportAddress | None = None
        self.is_nominated = False
        self.rtt: float | None = None
        self.triggers = 0
        self.heard_at = float("-inf")

    @property
    def base(self) -> TransportAddress:
        """The socket that the pair sends from."""
        return self.local.base

    @property
    def destination(self) -> TransportAddress:
        """Where the pair sends to."""
        return self.remote.address

    def move_to(self, state: PairState) -> None:
        """Changes the state.

        Raises:
            MisuseError: the table has no such move.
        """
        if state not in _MOVES[self.state]:
            raise MisuseError(f"{self}: no move from {self.state.value} to {state.value}")
        self.state = state

    def fail(self) -> None:
        """Its check came to nothing; a pair that is valid already stays so."""
        if self.state in (PairState.WAITING, PairState.IN_PROGRESS):
            self.move_to(PairState.FAILED)

    def priority(self, *, is_controlling: bool) -> int:
        """The priority of the pair, the same on both sides (RFC 8445 section 6.1.2.3)."""
        ours, theirs = self.local.priority, self.remote.priority
        controlling, controlled = (ours, theirs) if is_controlling else (theirs, ours)
        return (min(ours, theirs) << 32) + 2 * max(ours, theirs) + (controlling > controlled)

    def as_path(self) -> Path:
        """What the owner is told of it."""
        return Path(
            kind=self.remote.type,
            base=self.base,
            local=self.mapped or self.base,
            remote=self.destination,
            rtt=self.rtt,
            is_mapped=self.remote.is_mapped,
        )

    def __str__(self) -> str:
        return f"{self.base} -> {self.destination}"
