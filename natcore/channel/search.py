"""One search for a path to the peer: ICE's checks, and what goes beyond them where the NATs are hard.

What enters: the credentials and candidates of one introduction, a plan made of both NATs, received datagrams,
time. What leaves: datagrams, ICE's events, and sockets that nobody needs any more. What is always true: a
hard attempt is under way only while the agent is checking, and has the same credentials as its checks. What
it refuses to know: whether it is a session's first search or a later one, and what the path is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from natcore import stun
from natcore.address import TransportAddress
from natcore.agent import RandomBytes, Transmit
from natcore.channel.timeline import Timeline, TimelineEvent
from natcore.hardnat import AttemptState, HardAttempt, Plan, Technique
from natcore.ice import (
    AgentState,
    Candidate,
    CheckStarted,
    Credentials,
    FailureReason,
    IceAgent,
    IceConfig,
    IceEvent,
    LocalCandidate,
    PathSelected,
)


class PathSearch:
    """See the module. It has the five verbs of :class:`natcore.agent.Agent`.

    Attributes:
        name: of the introduction that it follows.
        ufrag: our user name fragment in it.
        ice: the agent; for looking at, not for driving.
        plan: what was made of both NATs, or None where one is not known.
    """

    def __init__(
        self,
        *,
        name: str,
        is_controlling: bool,
        local: Credentials,
        remote: Credentials,
        local_candidates: Iterable[LocalCandidate],
        config: IceConfig,
        timeline: Timeline,
        random: RandomBytes,
        opener_ttl: int | None,
    ) -> None:
        local, remote = local.for_session(name), remote.for_session(name)
        self.name = name
        self.ufrag = local.ufrag
        self.ice = IceAgent(
            config=config,
            is_controlling=is_controlling,
            local=local,
            remote=remote,
            local_candidates=local_candidates,
            random=random,
            opener_ttl=opener_ttl,
        )
        self.plan: Plan | None = None
        self._timeline = timeline
        self._checked: set[TransportAddress] = set()
        self._attempt: HardAttempt | None = None
        self._sockets: tuple[TransportAddress, ...] = ()
        self._released: tuple[TransportAddress, ...] = ()

    # --- the owner ---------------------------------------------------------------------------------------

    @property
    def is_under_way(self) -> bool:
        """Whether it has found no path yet and may still find one."""
        return self.ice.state is AgentState.CHECKING

    @property
    def technique(self) -> Technique:
        """By what the two met, or would.

        Where both sides have planned an attempt, its technique, though the peer's part of it may have found a
        socket of the plain checks before ours has begun.
        """
        planned = None if self.plan is None else self.plan.technique
        return planned if planned in (Technique.PREDICTION, Technique.BIRTHDAY) else Technique.PLAIN

    def start(self, remote_candidates: Iterable[Candidate], now: float) -> None:
        """Begins checking.

        Raises:
            MisuseError: it was started or closed before.
        """
        self.ice.start(remote_candidates, now)

    def take_plan(self, plan: Plan, now: float) -> None:
        """Tells what was made of both NATs; for looking at, and no more than a plan."""
        self.plan = plan
        detail = f"{plan.technique.value}, our role is to {plan.role.value}: {plan.evidence}"
        self._timeline.add(TimelineEvent.PLAN_CHOSEN, detail, now)

    def begin_hard(self, attempt: HardAttempt, sockets: Sequence[LocalCandidate], now: float) -> None:
        """Goes on beyond plain checks: the attempt says which socket sends where, and when.

        Args:
            attempt: ended when there is a path, or at the end of the search.
            sockets: number 0 is the one whose public endpoint the peer knows, the others are the attempt's.
            now: seconds.
        """
        if self._attempt is not None or not self.is_under_way:
            attempt.fail()
            self._released += tuple(one.base for one in sockets[1:])
            return
        self._attempt, self._sockets = attempt, tuple(one.base for one in sockets)
        self.ice.hold(sockets[1:])
        detail = f"{attempt.plan.technique.value}, with {len(sockets) - 1} further sockets"
        self._timeline.add(TimelineEvent.ATTEMPT_BEGUN, detail, now)
        self._drive_attempt(now)

    def close(self) -> None:
        """Ends the search, the path that it may have found, and its need of sockets."""
        self.ice.close()
        self._end_attempt()
        self._release_unused()

    def released_sockets(self) -> tuple[TransportAddress, ...]:
        """Hands over the bases of sockets that the hard attempt needs no more."""
        released, self._released = self._released, ()
        return released

    # --- the five verbs ----------------------------------------------------------------------------------

    def receive_stun(self, data: bytes, source: TransportAddress, base: TransportAddress, now: float) -> None:
        """Takes a STUN datagram; what is not for our credentials, but for another search's, is counted."""
        is_first = self.ice.counters.checks_received == 0
        self.ice.receive_datagram(data, source, base, now)
        if is_first and self.ice.counters.checks_received:
            self._timeline.add(TimelineEvent.CHECK_RECEIVED, f"from {source}", now)
        self._drive_attempt(now)

    def is_awaiting(self, transaction_id: stun.TransactionId) -> bool:
        """Whether a response to this transaction would be for us."""
        return self.ice.is_awaiting(transaction_id)

    def handle_timer(self, now: float) -> None:
        """Does whatever is due."""
        self.ice.handle_timer(now)
        self._drive_attempt(now)

    def datagrams_to_send(self) -> list[Transmit]:
        """Hands over what is waiting to be sent."""
        return self.ice.datagrams_to_send()

    def next_event(self, now: float) -> IceEvent | None:
        """Hands over the oldest event."""
        event = self.ice.next_event()
        match event:
            case CheckStarted() if event.destination not in self._checked:
                # One entry an address; a check from each of our sockets goes there.
                self._checked.add(event.destination)
                self._timeline.add(TimelineEvent.CHECKS_BEGUN, f"to {event.destination}", now)
            case PathSelected():
                # Not before both sides use the same pair: what is confirmed first here need not be nominated.
                self._release_unused()
        return event

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due next."""
        instants = (self.ice.get_timer(), None if self._attempt is None else self._attempt.get_timer())
        return min((instant for instant in instants if instant is not None), default=None)

    # --- inside ------------------------------------------------------------------------------------------

    def _drive_attempt(self, now: float) -> None:
        attempt = self._attempt
        if attempt is None:
            return
        if not self.is_under_way:
            self._end_attempt()
            return
        attempt.handle_timer(now)
        for probe in attempt.probes_to_send():
            self.ice.probe(self._sockets[probe.socket_index], probe.destination, now, ttl=probe.ttl)
        if attempt.state is AttemptState.FAILED:
            self.ice.give_up_by(now, FailureReason.HARD_NATS, attempt.plan.evidence)
            self.ice.handle_timer(now)
            self._end_attempt()

    def _end_attempt(self) -> None:
        if self._attempt is None:
            return
        if self.ice.path is not None:
            self._attempt.succeed()
        else:
            self._attempt.fail()
            self._release_unused()
        self._attempt = None

    def _release_unused(self) -> None:
        """Lets go of the sockets of the hard attempt, but for the one that the path takes."""
        path = self.ice.path
        own, *extra = self._sockets or (None,)
        if own is None:
            return
        unused = tuple(base for base in extra if path is None or base != path.base)
        self._sockets = (own, *(base for base in extra if base not in unused))
        self._released += unused
