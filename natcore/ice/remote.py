"""The peer's candidates: those that it published, and those that its checks revealed."""

from __future__ import annotations

from natcore.address import TransportAddress
from natcore.ice.candidate import Candidate, CandidateType


class RemoteCandidates:
    """Candidates by their address, of which no two share one.

    Args:
        max_peer_reflexive: how many authentic checks may add.
    """

    def __init__(self, *, max_peer_reflexive: int) -> None:
        self._max_peer_reflexive = max_peer_reflexive
        self._peer_reflexive_count = 0
        self._by_address: dict[TransportAddress, Candidate] = {}

    def add(self, candidate: Candidate) -> bool:
        """Takes a published candidate; False where its address is known already."""
        if candidate.address in self._by_address:
            return False
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
