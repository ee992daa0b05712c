"""ICE: connectivity checks between two peers (RFC 8445), consent to keep sending (RFC 7675)."""

from natcore.ice.agent import IceAgent
from natcore.ice.candidate import Candidate, CandidateType, LocalCandidate, mapped_candidate, priority_of
from natcore.ice.config import IceConfig
from natcore.ice.credentials import Credentials
from natcore.ice.events import (
    CheckStarted,
    ConnectivityFailed,
    FailureReason,
    IceEvent,
    Path,
    PathConfirmed,
    PathDoubted,
    PathSelected,
)
from natcore.ice.state import AgentState, IceCounters

__all__ = [
    "AgentState",
    "Candidate",
    "CandidateType",
    "CheckStarted",
    "ConnectivityFailed",
    "Credentials",
    "FailureReason",
    "IceAgent",
    "IceConfig",
    "IceCounters",
    "IceEvent",
    "LocalCandidate",
    "Path",
    "PathConfirmed",
    "PathDoubted",
    "PathSelected",
    "mapped_candidate",
    "priority_of",
]
