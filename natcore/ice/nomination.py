"""Which valid pair both sides use in the end (RFC 8445 section 8).

The controlling side waits a little after the first valid pair, since a better one may follow, then repeats
the check of the best one with USE-CANDIDATE; the answer selects the pair. The controlled side selects a pair
that was nominated as soon as it is valid on this side too. One nomination is on its way at a time.
"""

from __future__ import annotations

from natcore.ice.checklist import CheckList
from natcore.ice.pair import CandidatePair


class Nomination:
    """What has been nominated, by whom, and what came of it.

    Attributes:
        selected: the pair that both sides use, once there is one.
    """

    def __init__(self) -> None:
        self.selected: CandidatePair | None = None
        self._due_at = float("inf")
        self._on_its_way: CandidatePair | None = None
        self._by_peer: set[CandidatePair] = set()

    def first_pair_is_valid(self, due_at: float) -> None:
        """Starts the wait for a better pair, until ``due_at``."""
        self._due_at = due_at

    def get_timer(self, *, is_controlling: bool) -> float | None:
        """When :meth:`choose` will choose, whatever is still open."""
        return self._due_at if self._is_open(is_controlling=is_controlling) else None

    def choose(self, checklist: CheckList, now: float, *, is_controlling: bool) -> CandidatePair | None:
        """The pair to nominate now, once: the best valid one, if no better one is awaited any more."""
        if not self._is_open(is_controlling=is_controlling):
            return None
        pair = checklist.best_valid(is_controlling=is_controlling)
        if pair is None:
            return None
        if now < self._due_at and not checklist.is_best_possible(pair, is_controlling=is_controlling):
            return None
        self._on_its_way = pair
        return pair

    def is_lost(self, pair: CandidatePair) -> None:
        """The nomination of this pair has failed: there may be another."""
        if self._on_its_way is pair:
            self._on_its_way = None

    def role_switched(self) -> None:
        """What the side that was controlling nominated means nothing any more, whichever it was."""
        self._on_its_way = None
        self._by_peer.clear()

    def peer_nominates(self, pair: CandidatePair) -> None:
        """The controlling peer's check of this pair carried USE-CANDIDATE."""
        self._by_peer.add(pair)

    def select(self, pair: CandidatePair) -> bool:
        """Makes this the pair to use; False where it is already."""
        if self.selected is pair:
            return False
        pair.is_nominated = True
        self.selected = pair
        return True

    def select_if_nominated(self, pair: CandidatePair, *, is_controlling: bool) -> bool:
        """Of several pairs that the peer nominated the best counts, in whatever order they are heard of."""
        if pair not in self._by_peer:
            return False
        best = self.selected
        priority = pair.priority(is_controlling=is_controlling)
        if best is not None and priority <= best.priority(is_controlling=is_controlling):
            return False
        return self.select(pair)

    def _is_open(self, *, is_controlling: bool) -> bool:
        return is_controlling and self.selected is None and self._on_its_way is None
