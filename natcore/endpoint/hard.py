"""Beyond plain checks: one endpoint's plans for hard pairs, and the attempts that follow from them.

What enters: what our own NAT does, what peers say of theirs and when either is learned, sockets. What leaves:
plans for sessions, wishes for sockets, attempts. What is always true: one attempt goes on at a time, the next
one waits for its end, and many ports are tried at no address but one at which the server has proven the peer
to receive. What it refuses to know: where the summaries come from, and how sockets are opened.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from natcore.address import TransportAddress
from natcore.agent import RandomBytes
from natcore.channel import PeerSession, TimelineEvent
from natcore.control.messages import Introduction, Trickle
from natcore.endpoint.presence import OwnNat
from natcore.errors import DecodeError
from natcore.hardnat import (
    AttemptBudget,
    HardAttempt,
    HardNatLimits,
    HostBudget,
    Role,
    Technique,
    VerifiedAddress,
    plan,
)
from natcore.ice import CandidateType, LocalCandidate

_PROBING = frozenset({Role.HOLD, Role.SPRAY, Role.SWEEP, Role.SCATTER})
"""The roles that send more than plain checks."""


@dataclass(slots=True)
class _Pair:
    """One session's two NATs, as far as they are known.

    Attributes:
        introduction: that the rest is of.
        target: where many ports may be tried, once the peer is proven to be there.
        is_decided: whether its attempt was begun, or skipped, or only waits for sockets.
        budget: of the attempt that waits for sockets.
    """

    introduction: str
    target: TransportAddress | None = None
    is_decided: bool = False
    budget: AttemptBudget | None = None

    def take_budget(self) -> AttemptBudget | None:
        """Hands it over, once."""
        budget, self.budget = self.budget, None
        return budget


class HardPairs:
    """See the module."""

    def __init__(self, limits: HardNatLimits, random: RandomBytes) -> None:
        self._limits = limits
        self._random = random
        self._budget = HostBudget(limits)
        self._pairs: dict[str, _Pair] = {}
        self._waiting: dict[str, PeerSession] = {}

    def learn_peer(self, session: PeerSession, told: Introduction | Trickle) -> None:
        """Takes what the server says of a session's peer."""
        known = self._pairs.get(session.name)
        if known is None or known.introduction != told.session:
            self.forget(session)
            known = self._pairs[session.name] = _Pair(introduction=told.session)
        if told.nat is not None:
            session.peer_nat = told.nat
        known.target = _parsed(told.observed) or known.target

    def sockets_wanted(self, session: PeerSession, own: OwnNat, now: float) -> int | None:
        """Plans, once for each introduction, as soon as both NATs are known; how many sockets that takes.

        Args:
            session: which.
            own: what our own NAT does.
            now: seconds.

        Returns:
            A number for :meth:`begin`, which may be 0; None where plain checks are all that is tried, where
            something is not known yet, or where it is not this session's turn.
        """
        known = self._pairs.get(session.name)
        if known is None or known.is_decided or not session.is_searching:
            return None
        made = session.plan
        if made is None:
            summary = own.summary_at(now)
            if summary is None or session.peer_nat is None:
                return None
            made = plan(summary, session.peer_nat, self._limits, opener_ttl=own.opener_ttl)
            session.take_plan(made, now)
            if made.technique is Technique.GIVE_UP:
                session.give_up_by(now + made.duration, made.evidence)
        if made.role not in _PROBING or known.target is None:
            return None
        if self._budget.is_taken:
            if session.name not in self._waiting:
                self._waiting[session.name] = session
                session.note(TimelineEvent.ATTEMPT_DELAYED, "another one is under way", now)
            return None
        known.is_decided = True
        obstacle = self._budget.obstacle(now)
        if obstacle is not None:
            session.note(TimelineEvent.ATTEMPT_SKIPPED, obstacle, now)
            return None
        known.budget = self._budget.begin()
        return made.sockets

    def next_waiting(self) -> PeerSession | None:
        """A session that may ask for :meth:`sockets_wanted` again, the one that waits longest first."""
        if not self._waiting or self._budget.is_taken:
            return None
        return self._waiting.pop(next(iter(self._waiting)))

    def begin(
        self, session: PeerSession, own: LocalCandidate | None, bases: Iterable[TransportAddress], now: float
    ) -> tuple[TransportAddress, ...]:
        """Begins the attempt that was planned; returns the sockets that it does not take.

        Args:
            session: which.
            own: of the socket that the server observes.
            bases: of the sockets that were asked for, as many as could be opened.
            now: seconds.
        """
        bases = tuple(bases)
        known = self._pairs.get(session.name)
        budget = None if known is None else known.take_budget()
        if known is None or budget is None:
            return bases
        made = session.plan
        if made is None or known.target is None or own is None:
            budget.end()
            return bases
        if len(bases) < made.sockets:
            detail = f"{len(bases)} sockets of {made.sockets} are open"
            session.note(TimelineEvent.ATTEMPT_SKIPPED, detail, now)
            budget.end()
            return bases
        attempt = HardAttempt(
            made, peer=VerifiedAddress(known.target), budget=budget, random=self._random, now=now
        )
        extra = [LocalCandidate.of(CandidateType.HOST, base, base=base) for base in bases]
        session.begin_hard(attempt, [own, *extra], now)
        return ()

    def forget(self, session: PeerSession) -> None:
        """The session has ended, or follows another introduction."""
        self._waiting.pop(session.name, None)
        known = self._pairs.pop(session.name, None)
        budget = None if known is None else known.take_budget()
        if budget is not None:
            budget.end()


def _parsed(address: str | None) -> TransportAddress | None:
    try:
        return None if address is None else TransportAddress.parse(address)
    except DecodeError:
        return None
