"""What an ICE agent tells its owner."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from natcore.address import TransportAddress
from natcore.ice.candidate import CandidateType


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A five-tuple over which both sides have heard each other.

    Attributes:
        kind: type of the remote candidate: ``host`` on one network, ``srflx`` or ``prflx`` through NATs.
        base: the local address of the socket to send from.
        local: our address as the peer sees it.
        remote: the peer's address as we see it.
        rtt: seconds, or None where no check has measured it unambiguously.
        is_mapped: whether ``remote`` is a port that the peer says its gateway forwards.
    """

    kind: CandidateType
    base: TransportAddress
    local: TransportAddress
    remote: TransportAddress
    rtt: float | None
    is_mapped: bool = False

    def __str__(self) -> str:
        rtt = "" if self.rtt is None else f", rtt {self.rtt * 1000:.1f} ms"
        return f"{self.local} -> {self.remote} ({self.kind.value}{rtt})"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStarted:
    """The first check ever towards a remote address went out, or a check there was repeated.

    Our NAT is open for the address from then on; what is sent now goes the same way.
    """

    base: TransportAddress
    destination: TransportAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class PathConfirmed:
    """The first pair became valid; data may be sent on it (RFC 8445 section 12.1.1)."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class PathSelected:
    """The controlling side nominated this pair; data goes here from now on."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class PathDoubted:
    """The last few checks of the path had no answer; it is used on until there is another or it fails."""


class FailureReason(Enum):
    """Why there is no path, as far as this side can observe it."""

    NO_CANDIDATES = "the peer offered no address that we can send to"
    SILENCE = "nothing of the peer's reached us: a NAT or firewall on the way dropped it all"
    ONE_WAY = "the peer's checks reached us, but no answer to ours did"
    HARD_NATS = "the two NATs keep the peers apart"
    REJECTED = "the peer rejected our checks"
    CONSENT_EXPIRED = "the path went silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectivityFailed:
    """There is no path, or there is none any more. Terminal.

    Attributes:
        reason: what this side saw.
        detail: the evidence: what was tried and for how long.
    """

    reason: FailureReason
    detail: str


IceEvent = CheckStarted | PathConfirmed | PathSelected | PathDoubted | ConnectivityFailed
