"""Where a session's connectivity stands, the legal moves, and what failing looks like from here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from natcore.ice.events import FailureReason


class AgentState(Enum):
    """Where a session's connectivity stands."""

    NEW = "new"
    CHECKING = "checking"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    CLOSED = "closed"


MOVES = {
    AgentState.NEW: {AgentState.CHECKING, AgentState.CLOSED},
    AgentState.CHECKING: {AgentState.CONFIRMED, AgentState.FAILED, AgentState.CLOSED},
    AgentState.CONFIRMED: {AgentState.FAILED, AgentState.CLOSED},
    AgentState.FAILED: {AgentState.CLOSED},
    AgentState.CLOSED: set[AgentState](),
}
"""A missing move is an illegal one."""


@dataclass(slots=True)
class IceCounters:
    """What happened so far; evidence for people, never read by the protocol."""

    checks_sent: int = 0
    checks_received: int = 0
    responses_received: int = 0
    rejections_received: int = 0
    openers_sent: int = 0
    probes_sent: int = 0
    discarded: int = 0


def diagnose(counters: IceCounters, *, pair_count: int, waited: float) -> tuple[FailureReason, str]:
    """Why no pair became valid, as far as this side can tell; and the evidence, for people.

    Args:
        counters: what happened.
        pair_count: how many addresses there were.
        waited: seconds.
    """
    if pair_count == 0:
        reason = FailureReason.NO_CANDIDATES
    elif counters.rejections_received:
        reason = FailureReason.REJECTED
    elif counters.checks_received:
        reason = FailureReason.ONE_WAY
    else:
        reason = FailureReason.SILENCE
    return reason, (
        f"{counters.checks_sent} checks to {pair_count} addresses in {waited:.0f} s, "
        f"{counters.checks_received} received"
    )
