"""The peer's candidates: those that it published, and those that its checks revealed."""

from __future__ import annotations

from natcore.address import TransportAddress
from natcore.ice.candidate import Candidate, CandidateType


class RemoteCandidates:
    """Candidates by their address, of which no two share one.

    Args:
        max_published: how many the peer may publish, at once or one after the other.
        max_peer_reflexive: how many authentic checks may add.
    """

    def __init__(self, *, max_published: int, max_peer_reflexive: int) -> None:
        self._max_published = max_published
        self._max_peer_reflexive = max_peer_reflexive
        self._published_count = 0
        self._peer_reflexive_count = 0
        self._by_address: dict[TransportAddress, Candidate] = {}

    def add(self, candidate: Candidate) -> bool:
        """Takes a published candidate; False where its address was published before, or there are too many.

        It takes the place of a peer-reflexive one: now its type, priority and foundation are known (RFC 8445
        section 7.3.1.3).
        """
        known = self._by_address.get(candidate.address)
        if known is not None and known.type is not CandidateType.PEER_REFLEXIVE:
            return False
        if self._published_count >= self._max_published:
            return False
        self._published_count += 1
        self._by_address[candidate.address] = candidate
        return True

    def at(self, source: TransportAddress, *, priority: int) -> Candidate | None:
        """The candidate at the source of an authentic check (RFC 8445 section 7.3.1.3).

        An address that nobody told us of becomes a peer-reflexive candidate with the priority that the check
        carries; None where there are too many of these.
        """
        known = self._by_address.get(source)
        if known is not None or self._peer_reflexive_count >= self._max_peer_reflexive:
            return known
        self._peer_reflexive_count += 1
        candidate = Candidate(
            type=CandidateType.PEER_REFLEXIVE,
            address=source,
            priority=priority,
            foundation=f"prflx{self._peer_reflexive_count}",
        )
        self._by_address[source] = candidate
        return candidate
