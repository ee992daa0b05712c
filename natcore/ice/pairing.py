"""The candidates of both sides, and the pairs that come of them (RFC 8445 sections 6.1.2.2 and 7.3.1.3)."""

from __future__ import annotations

from collections.abc import Iterable

from natcore.address import TransportAddress
from natcore.ice.candidate import Candidate, LocalCandidate
from natcore.ice.checklist import CheckList
from natcore.ice.config import IceConfig
from natcore.ice.pair import CandidatePair
from natcore.ice.remote import RemoteCandidates


class Pairing:
    """Fills a check list.

    Attributes:
        checklist: what it fills.
    """

    def __init__(self, config: IceConfig, local_candidates: Iterable[LocalCandidate]) -> None:
        self._local = list(local_candidates)
        self._held: dict[TransportAddress, LocalCandidate] = {}
        self._remote = RemoteCandidates(
            max_published=config.max_pairs, max_peer_reflexive=config.max_peer_reflexive
        )
        self.checklist = CheckList(max_pairs=config.max_pairs)

    def add_remote(self, candidate: Candidate) -> bool:
        """Pairs a candidate that the peer published with all of ours; False where it is nothing new."""
        is_new = self._remote.add(candidate)
        if is_new:
            self.checklist.pair_with(self._local, candidate)
        return is_new

    def hold(self, candidates: Iterable[LocalCandidate]) -> None:
        """Takes candidates of ours that are paired with what is heard there, and with nothing else."""
        self._held.update({candidate.base: candidate for candidate in candidates})

    def local_at(self, base: TransportAddress) -> LocalCandidate | None:
        """Our candidate with this base; of several the first."""
        own = next((mine for mine in self._local if mine.base == base), None)
        return self._held.get(base) if own is None else own

    def pair_at(
        self, base: TransportAddress, remote: TransportAddress, *, priority: int
    ) -> CandidatePair | None:
        """The pair on which an authentic message came, added where it is new and there is room.

        Args:
            base: where it arrived.
            remote: where it came from.
            priority: of the peer-reflexive candidate, where nobody has told us of that address.
        """
        pair = self.checklist.find(base, remote)
        local = self.local_at(base)
        if pair is not None or local is None:
            return pair
        candidate = self._remote.at(remote, priority=priority)
        return None if candidate is None else self.checklist.add(local, candidate)
