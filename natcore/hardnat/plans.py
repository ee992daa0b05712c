"""What a planner can say: a technique, the role that one side has in it, and its numbers.

===========  ===========================================================================================
role         does
===========  ===========================================================================================
check, call  plain checks to the peer's candidates, of which ``call`` knows that one is forwarded
wait         plain checks; the peer is heard through the mapped port
hold         opens many sockets towards the peer's endpoint, and speaks when the peer has tried its ports
spray        sends from its one socket to many ports of the peer's
sweep        sends a burst from many sockets to one port of the peer's, then to another
scatter      sends from many sockets to many ports of the peer's
rest         nothing
===========  ===========================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from natcore.hardnat.drift import Drift
from natcore.hardnat.ports import PortPool


class Technique(Enum):
    """How the two sides try to meet."""

    PLAIN = "plain checks"
    MAPPED_PORT = "mapped port"
    PREDICTION = "port prediction"
    BIRTHDAY = "birthday probing"
    GIVE_UP = "give up"


class Role(Enum):
    """What one side does; see the module."""

    CHECK = "check"
    WAIT = "wait"
    CALL = "call"
    HOLD = "hold"
    SPRAY = "spray"
    SWEEP = "sweep"
    SCATTER = "scatter"
    REST = "rest"


class GiveUpReason(Enum):
    """Why no attempt is made."""

    UDP_BLOCKED = "udp-blocked"
    BOTH_UNPREDICTABLE = "both-unpredictable"
    """Both map each destination anew, one of them at random, and both let in only endpoints they sent to."""
    TOO_EXPENSIVE = "too-expensive"
    """It could be done, but hardly within the packets and sockets that the sides may spend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a plan says of the other side.

    Attributes:
        pool: the ports that random probes go to first.
        drift: of its NAT, where that is to be predicted.
        sockets: that it holds.
        tried_after: seconds until it has tried every port that it will.
        aims: the port that each of our sockets aims at, in order, when we sweep.
    """

    pool: PortPool
    drift: Drift | None
    sockets: int
    tried_after: float
    aims: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one side does in a hard attempt.

    Attributes:
        technique: the same on both sides.
        role: ours.
        evidence: a sentence on why, with what was measured.
        reason: why we give up, or None.
        sockets: that we open beside the one we have.
        packets: that we send at most; those of plain checks are not counted.
        rate: of them, in a second; the slower side's.
        opener_ttl: hops after which the first packet of each holding socket dies, or None.
        probability: of meeting.
        median_seconds: until half of all attempts have met, without what is under way.
        duration: seconds after which it has failed.
        target: where to aim, and until when.
    """

    technique: Technique
    role: Role
    evidence: str
    reason: GiveUpReason | None = None
    sockets: int = 0
    packets: int = 0
    rate: int
    opener_ttl: int | None = None
    probability: float
    median_seconds: float
    duration: float
    target: Target | None = None
