"""Candidates: the transport addresses at which a peer might be reached (RFC 8445 section 5.1).

A *host* candidate is an address of an interface, a *server-reflexive* one is what the rendezvous server
observed, a *peer-reflexive* one is what a connectivity check revealed, a *relayed* one belongs to a relay.
Of a remote candidate we know the address; of a local one we also know its ``base``: the socket from which a
datagram leaves when it is to come from that candidate.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from hashlib import sha256

from natcore.address import TransportAddress
from natcore.control.messages import WireCandidate


class CandidateType(Enum):
    """The four types, by their names in RFC 8839 section 5.1."""

    HOST = "host"
    SERVER_REFLEXIVE = "srflx"
    PEER_REFLEXIVE = "prflx"
    RELAYED = "relay"


TYPE_PREFERENCE = {
    CandidateType.HOST: 126,
    CandidateType.PEER_REFLEXIVE: 110,
    CandidateType.SERVER_REFLEXIVE: 100,
    CandidateType.RELAYED: 0,
}
"""RFC 8445 section 5.1.2.2, the recommended values: the shorter the way, the higher."""

COMPONENT_ID = 1
"""We have one component: everything of a session shares one five-tuple (RFC 8445 section 4)."""

MAX_LOCAL_PREFERENCE = 65535

MAPPED_FOUNDATION = "mapped"
"""Of the candidate at a port that a gateway forwards: it has no server, and there is one at most."""


def priority_of(candidate_type: CandidateType, *, local_preference: int = MAX_LOCAL_PREFERENCE) -> int:
    """The priority of a candidate (RFC 8445 section 5.1.2.1).

    Args:
        candidate_type: decides first.
        local_preference: 0 to 65535, tells the candidates of one type apart; higher is better.
    """
    return TYPE_PREFERENCE[candidate_type] << 24 | local_preference << 8 | 256 - COMPONENT_ID


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A candidate as either side knows it.

    Attributes:
        type: how the address was learned.
        address: where datagrams for it go.
        priority: 1 to 2**31 - 1.
        foundation: equal for candidates of one type, base address and server (RFC 8445 section 5.1.1.3).
    """

    type: CandidateType
    address: TransportAddress
    priority: int
    foundation: str

    @property
    def is_mapped(self) -> bool:
        """Whether it is said to be a port that a gateway forwards, see :func:`mapped_candidate`."""
        return self.type is CandidateType.SERVER_REFLEXIVE and self.foundation == MAPPED_FOUNDATION

    def to_wire(self) -> WireCandidate:
        """As a control message carries it; a ``base`` stays at home."""
        return WireCandidate(
            type=self.type.value,
            address=str(self.address),
            priority=self.priority,
            foundation=self.foundation,
        )

    @classmethod
    def from_wire(cls, wire: WireCandidate) -> Candidate:
        """Reads a candidate that a peer published.

        Raises:
            DecodeError: its address is none.
        """
        return Candidate(
            type=CandidateType(wire.type),
            address=TransportAddress.parse(wire.address),
            priority=wire.priority,
            foundation=wire.foundation,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCandidate(Candidate):
    """A candidate of our own.

    Attributes:
        base: the local address of its socket; for a host candidate the address itself.
    """

    base: TransportAddress

    @classmethod
    def of(
        cls,
        candidate_type: CandidateType,
        address: TransportAddress,
        *,
        base: TransportAddress,
        local_preference: int = MAX_LOCAL_PREFERENCE,
    ) -> LocalCandidate:
        """Makes a candidate with its priority and foundation."""
        return cls(
            type=candidate_type,
            address=address,
            base=base,
            priority=priority_of(candidate_type, local_preference=local_preference),
            foundation=_foundation(candidate_type, base),
        )

    @property
    def local_preference(self) -> int:
        """The part of the priority that tells candidates of one type apart."""
        return self.priority >> 8 & 0xFFFF


def mapped_candidate(address: TransportAddress) -> Candidate:
    """The candidate at a port that the gateway forwards to us.

    RFC 8445 has no type of its own for it and section 5.1.1.1 calls addresses that a NAT was asked for
    server-reflexive. It is preferred a little less than the observed one: where that one works, no hole in
    the NAT is needed.
    """
    return Candidate(
        type=CandidateType.SERVER_REFLEXIVE,
        address=address,
        priority=priority_of(CandidateType.SERVER_REFLEXIVE, local_preference=MAX_LOCAL_PREFERENCE - 1),
        foundation=MAPPED_FOUNDATION,
    )


def _foundation(candidate_type: CandidateType, base: TransportAddress) -> str:
    # A digest and not the text itself: a foundation is shown to the peer and a base is not its business.
    return sha256(f"{candidate_type.value} {base.ip}".encode()).hexdigest()[:8]
