"""One side of one hard attempt: what is sent from which socket to which port, and when.

What enters: a plan, the peer's address, a budget, randomness and time. What leaves: probes, one after the
other, and how it ended. What is always true: no probe is beyond the budget, none is sent after the end, and
all go to the one address that was verified. What it refuses to know: what a probe says. Its owner sends an
authenticated connectivity check for each, and takes a check of the peer's that arrives on any of the sockets
for what RFC 8445 calls a peer-reflexive candidate; the first one that is authentic ends the attempt
(:meth:`HardAttempt.succeed`).

Sockets are numbered. 0 is the one whose public endpoint the peer knows, by which plain checks go; 1 to
``plan.sockets`` are opened for the attempt, and are best opened when the first probe asks for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import count
from typing import NewType

from natcore.address import TransportAddress
from natcore.agent import RandomBytes
from natcore.hardnat.budget import AttemptBudget
from natcore.hardnat.drift import predicted
from natcore.hardnat.limits import OPENING_SPEED
from natcore.hardnat.plans import Plan, Role, Target

VerifiedAddress = NewType("VerifiedAddress", TransportAddress)
"""The peer's public endpoint, from where it has echoed a token that was sent there: so nobody can make us
send two thousand packets to a third party. Whoever makes one of these vouches for that."""

REOPEN_AFTER = 1.5
"""Seconds after which a holding socket opens once more: a home's wireless network may have lost the first."""

SWEEP_INTERVAL = 0.25
"""Seconds at least from one packet of a sweeping socket to its next, which is for losses: several round
trips."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One packet that the owner shall send.

    Attributes:
        socket_index: from which socket; see the module.
        destination: where to.
        ttl: hops after which it shall die, or None.
    """

    socket_index: int
    destination: TransportAddress
    ttl: int | None = None


class AttemptState(Enum):
    """How far an attempt is. The latter two are final."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class HardAttempt:
    """See the module. ``get_timer``, ``handle_timer`` and ``probes_to_send`` are an agent's verbs.

    Attributes:
        plan: what it follows.
        state: moved by time and by :meth:`succeed`.
        sent: probes so far.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        peer: VerifiedAddress,
        budget: AttemptBudget,
        random: RandomBytes,
        now: float,
    ) -> None:
        self.plan = plan
        self.state = AttemptState.RUNNING
        self.sent = 0
        self._budget = budget
        self._fails_at = now + plan.duration
        self._course = _course(plan, peer, random, now)
        self._next = next(self._course, None) if plan.packets else None
        self._probes: list[Probe] = []

    def handle_timer(self, now: float) -> None:
        """Sends what is due; fails when the time is over."""
        if self.state is not AttemptState.RUNNING:
            return
        if now >= self._fails_at:
            self._end(AttemptState.FAILED)
            return
        while self._next is not None and now >= self._next.due_at and self._budget.take(now):
            self._probes.append(self._next.probe)
            self.sent += 1
            self._next = next(self._course, None) if self.sent < self.plan.packets else None

    def probes_to_send(self) -> list[Probe]:
        """Hands over, once, the probes that are waiting to be sent, in order."""
        probes, self._probes = self._probes, []
        return probes

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due next, or None after the end."""
        if self.state is not AttemptState.RUNNING:
            return None
        allowed_at = self._budget.next_at
        if self._next is None or allowed_at is None:
            return self._fails_at
        return min(max(self._next.due_at, allowed_at), self._fails_at)

    def succeed(self) -> None:
        """The two have met: nothing more is sent."""
        self._end(AttemptState.SUCCEEDED)

    def fail(self) -> None:
        """It is no longer wanted: nothing more is sent."""
        self._end(AttemptState.FAILED)

    def _end(self, state: AttemptState) -> None:
        if self.state is AttemptState.RUNNING:
            self.state = state
            self._probes.clear()
            self._budget.end()


@dataclass(frozen=True, slots=True)
class _Step:
    due_at: float
    probe: Probe


def _course(plan: Plan, peer: TransportAddress, random: RandomBytes, now: float) -> Iterator[_Step]:
    """Everything that a role sends, in order, and when each may be sent at the earliest.

    The plan's rate may be slower than the budget.
    """
    if plan.target is None:
        return iter(())
    match plan.role:
        case Role.HOLD:
            return _hold(plan, plan.target, peer, now)
        case Role.SPRAY:
            return _spray(plan, plan.target, peer, random, now)
        case Role.SWEEP:
            return _sweep(plan, plan.target, peer, now)
        case Role.SCATTER:
            return _scatter(plan, plan.target, peer, random, now)
        case Role.CHECK | Role.WAIT | Role.CALL | Role.REST:
            return iter(())


def _hold(plan: Plan, target: Target, peer: TransportAddress, now: float) -> Iterator[_Step]:
    opening = plan.rate if plan.opener_ttl is None else OPENING_SPEED * plan.rate
    rounds = (
        (0.0, opening, plan.opener_ttl),
        (REOPEN_AFTER, opening, plan.opener_ttl),
        (target.tried_after, plan.rate, None),
    )
    for after, rate, ttl in rounds:
        for index in range(plan.sockets):
            yield _Step(now + after + index / rate, Probe(1 + index, peer, ttl))


def _spray(
    plan: Plan, target: Target, peer: TransportAddress, random: RandomBytes, now: float
) -> Iterator[_Step]:
    if target.drift is None:
        ports = target.pool.likely_first(random)
    else:
        ports = predicted(target.drift, target.sockets, plan.rate)
    for index, port in enumerate(ports):
        yield _Step(now + index / plan.rate, Probe(0, TransportAddress(peer.ip, port)))


def _sweep(plan: Plan, target: Target, peer: TransportAddress, now: float) -> Iterator[_Step]:
    if not target.aims:
        return
    turn_takes = max(SWEEP_INTERVAL, len(target.aims) / plan.rate)
    for turn in count():
        for index, port in enumerate(target.aims):
            due_at = now + turn * turn_takes + index / plan.rate
            yield _Step(due_at, Probe(1 + index, TransportAddress(peer.ip, port)))


def _scatter(
    plan: Plan, target: Target, peer: TransportAddress, random: RandomBytes, now: float
) -> Iterator[_Step]:
    for index, port in enumerate(target.pool.likely_first(random)):
        probe = Probe(1 + index % plan.sockets, TransportAddress(peer.ip, port))
        yield _Step(now + index / plan.rate, probe)
