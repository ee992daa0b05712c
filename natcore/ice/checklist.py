"""The check list: which pairs there are, in which order they are checked (RFC 8445 section 6.1.2)."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator

from natcore.address import TransportAddress
from natcore.ice.candidate import Candidate, CandidateType, LocalCandidate
from natcore.ice.pair import CandidatePair, PairState

MAX_TRIGGERS = 8
"""Triggered checks of one pair. Deviation from RFC 8445 section 7.3.1.4, where every request triggers one:
two peers whose answers do not come back the way that the checks went would trigger each other for ever."""


class CheckList:
    """Pairs by what they are on the wire, a queue of triggered checks, and a bound on both.

    Attributes:
        dropped_pairs: how many pairs did not fit in.
    """

    def __init__(self, *, max_pairs: int) -> None:
        self._max_pairs = max_pairs
        self._pairs: dict[tuple[TransportAddress, TransportAddress], CandidatePair] = {}
        self._triggered: deque[CandidatePair] = deque()
        self._turns: Counter[tuple[TransportAddress, CandidateType]] = Counter()
        self.dropped_pairs = 0

    def __iter__(self) -> Iterator[CandidatePair]:
        return iter(self._pairs.values())

    def __len__(self) -> int:
        return len(self._pairs)

    def find(self, base: TransportAddress, destination: TransportAddress) -> CandidatePair | None:
        """The pair that sends from ``base`` to ``destination``."""
        return self._pairs.get((base, destination))

    def add(self, local: LocalCandidate, remote: Candidate) -> CandidatePair | None:
        """Adds a pair; None where the list is full of better ones, or of ones whose check has begun.

        A pair that is the same on the wire is there already and is returned: the pruning of RFC 8445
        section 6.1.2.4, where of equal pairs the first one added, the host candidate's, stays. Of too many
        the ones of lowest priority are dropped (section 6.1.2.5).
        """
        key = (local.base, remote.address)
        if key in self._pairs:
            return self._pairs[key]
        pair = CandidatePair(local, remote)
        if len(self._pairs) >= self._max_pairs:
            self.dropped_pairs += 1
            if not self._drop_one_worse_than(pair):
                return None
        self._pairs[key] = pair
        return pair

    def _drop_one_worse_than(self, new: CandidatePair) -> bool:
        untried = (pair for pair in self if pair.state is PairState.WAITING and not pair.triggers)
        worst = min(untried, key=_priority, default=None)
        if worst is None or _priority(worst) >= _priority(new):
            return False
        del self._pairs[worst.base, worst.destination]
        return True

    def pair_with(self, locals_: Iterable[LocalCandidate], remote: Candidate) -> None:
        """Pairs a remote candidate with every local one that can send to it (RFC 8445 section 6.1.2.2).

        Pairs that a check from its address has made, before it was known, become its own.
        """
        for pair in self:
            if pair.destination == remote.address:
                pair.remote = remote
        for local in locals_:
            if can_pair(local.base, remote.address):
                self.add(local, remote)

    def trigger(self, pair: CandidatePair) -> bool:
        """Puts a pair into the triggered-check queue, in front of all ordinary checks (section 6.1.4.1).

        False, and nothing done, where the pair had ``MAX_TRIGGERS`` of them.
        """
        if pair in self._triggered:
            return True
        if pair.triggers >= MAX_TRIGGERS:
            return False
        pair.triggers += 1
        if pair.state is not PairState.WAITING:
            pair.move_to(PairState.WAITING)
        self._triggered.append(pair)
        return True

    @property
    def waiting_bases(self) -> set[TransportAddress]:
        """From where ordinary checks are still to start."""
        return {pair.base for pair in self if pair.state is PairState.WAITING}

    def next_triggered(self) -> CandidatePair | None:
        """Takes the pair that has waited longest in the triggered-check queue."""
        while self._triggered:
            pair = self._triggered.popleft()
            if pair.state is PairState.WAITING:
                return pair
        return None

    def next_ordinary(self, may_send: Callable[[TransportAddress], bool]) -> CandidatePair | None:
        """Takes the next pair that is waiting, of those whose base may send now.

        The types of the peer's candidates take turns, and within one the best comes first. Deviation from
        RFC 8445 section 6.1.4.2, where the best pair of all is next: a peer with eight interfaces that lead
        nowhere from here would have its reflexive candidate checked last.
        """
        waiting = [pair for pair in self if pair.state is PairState.WAITING and may_send(pair.base)]
        if not waiting:
            return None
        pair = min(waiting, key=self._turn)
        self._turns[pair.base, pair.remote.type] += 1
        return pair

    def _turn(self, pair: CandidatePair) -> tuple[int, int, int]:
        return self._turns[pair.base, pair.remote.type], -pair.local.priority, -pair.remote.priority

    def best_valid(self, *, is_controlling: bool) -> CandidatePair | None:
        """The succeeded pair of highest priority."""
        valid = (pair for pair in self if pair.state is PairState.SUCCEEDED)
        return max(valid, key=lambda pair: pair.priority(is_controlling=is_controlling), default=None)

    def is_best_possible(self, candidate: CandidatePair, *, is_controlling: bool) -> bool:
        """Whether no better pair than this one can succeed any more."""
        mine = candidate.priority(is_controlling=is_controlling)
        open_states = (PairState.WAITING, PairState.IN_PROGRESS)
        return not any(
            pair.state in open_states and pair.priority(is_controlling=is_controlling) > mine for pair in self
        )


def _priority(pair: CandidatePair) -> int:
    # The role moves the last bit only, which does not decide what is dropped.
    return pair.priority(is_controlling=True)


def can_pair(base: TransportAddress, destination: TransportAddress) -> bool:
    """Whether a socket at ``base`` can send to ``destination`` at all (RFC 8445 section 6.1.2.2).

    Families must agree, and of IPv6 link-local addresses either both are or none is. A loopback address
    reaches only loopback: towards it, or from it, a check would find ourselves or nobody.
    """
    ours, theirs = base.ip, destination.ip
    return (
        ours.version == theirs.version
        and ours.is_link_local == theirs.is_link_local
        and ours.is_loopback == theirs.is_loopback
        and base != destination
    )
