"""A session with one peer: connectivity below, data on top, one agent for the owner.

:class:`PeerSession` joins an :class:`~natcore.ice.IceAgent`, which finds and keeps a path, to the data frames
that travel on it. STUN and frames share the five-tuple and are told apart by their first byte (RFC 7983).

**Early data.** A message that is waiting when the session starts is sent right behind the first check to each
address, because that check has just opened our NAT and the peer's has been opened by its own. It so arrives
1.5 round trips after ``connect``, which no exchange of questions and answers can reach. The price is a copy
to each of the first few addresses before any has answered; ``MAX_EARLY_COPIES`` bounds it, and the frame can
be read by nobody's session but the peer's.

**A path that breaks.** A rebooted NAT or another network ends a path and not the session. When checks of the
path stay unanswered the session asks to be introduced anew, and a second agent with credentials of its own
(an ICE restart, RFC 8445 section 2.4) looks for a path beside the old one. Data frames keep their keys and
their numbers, so nothing is delivered twice and nothing is lost that a message would not repeat.

**Where data goes.** To the path that ICE confirmed; before that, to where the peer's newest authentic frame
came from, which is proof enough that the peer is there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from natcore import stun
from natcore.address import TransportAddress
from natcore.agent import RandomBytes, Transmit
from natcore.channel.delivery import DeliveryConfig, MessageReceiver, MessageSender, ReplayWindow
from natcore.channel.frame import MAX_NUMBER, Frame, FrameKey, FrameType
from natcore.channel.timeline import Timeline, TimelineEvent, candidates_in_words
from natcore.errors import DecodeError, MisuseError
from natcore.hardnat import AttemptState, HardAttempt, Plan, SideSummary, Technique
from natcore.ice import (
    AgentState,
    Candidate,
    CheckStarted,
    ConnectivityFailed,
    Credentials,
    FailureReason,
    IceAgent,
    IceConfig,
    LocalCandidate,
    Path,
    PathConfirmed,
    PathDoubted,
    PathSelected,
)

_Way = tuple[TransportAddress, TransportAddress]
"""Our base and the peer's address: where a frame leaves from and goes to."""

MAX_EARLY_COPIES = 4
"""Addresses that get a copy of early data: the host and reflexive candidates of an ordinary peer."""

QUIET = 0.3
"""Seconds without a word of the peer's after which sending has the path checked at once."""

ASK_INTERVAL = 2.0
"""Seconds between two wishes to be introduced anew, while a path is in doubt."""

CLOSE_COPIES = 2
"""A lost CLOSE leaves the peer waiting for its consent to expire, so a second one follows at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfig:
    """Of the parts."""

    ice: IceConfig = field(default_factory=IceConfig)
    delivery: DeliveryConfig = field(default_factory=DeliveryConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfirmed:
    """There is a path."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionMoved:
    """Data takes another path from now on."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionDoubted:
    """The path seems to be broken; the server should introduce the two anew to find another.

    Attributes:
        at: the instant, seconds.
    """

    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketsReleased:
    """Sockets of a hard attempt that nobody needs any more.

    Attributes:
        bases: which.
    """

    bases: tuple[TransportAddress, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReceived:
    """A datagram or a message of the peer's, authentic and never delivered before."""

    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageConfirmed:
    """The peer has the message of this number."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageUnconfirmed:
    """Whether the peer has the message of this number is not known, and it is not repeated any more."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded:
    """The session is over. Terminal.

    Attributes:
        reason: why there is no path (any more), or None where one of the two sides closed.
        detail: a clause for people.
    """

    reason: FailureReason | None
    detail: str


SessionEvent = (
    SessionConfirmed
    | SessionMoved
    | SessionDoubted
    | SocketsReleased
    | DataReceived
    | MessageConfirmed
    | MessageUnconfirmed
    | SessionEnded
)


class PeerSession:
    """See the module. It has the five verbs of :class:`natcore.agent.Agent`.

    Attributes:
        peer: the id of the other side.
        name: of the introduction that began it.
        ice: the connectivity below; for looking at, not for driving.
        technique: by what the two met, or would.
        peer_nat: what the peer told of its NAT, or None.
        plan: what was made of both NATs, or None where one is not known.
        timeline: what happened so far.
        packets_sent: datagrams of any kind.
        discarded: frames that were not authentic, or repeated.
    """

    def __init__(
        self,
        *,
        name: str,
        peer: str,
        is_controlling: bool,
        local: Credentials,
        remote: Credentials,
        local_candidates: Iterable[LocalCandidate],
        config: SessionConfig,
        random: RandomBytes,
    ) -> None:
        local, remote = local.for_session(name), remote.for_session(name)
        self.name = name
        self.peer = peer
        self.local_ufrag = local.ufrag
        self.packets_sent = 0
        self.discarded = 0
        self.ice = IceAgent(
            config=config.ice,
            is_controlling=is_controlling,
            local=local,
            remote=remote,
            local_candidates=local_candidates,
            random=random,
        )
        self._ice_config = config.ice
        self._random = random
        self._renewal: IceAgent | None = None
        self._ask_again_at: float | None = None
        self._heard_at = 0.0
        self._hard: HardAttempt | None = None
        self._hard_sockets: tuple[TransportAddress, ...] = ()
        self.technique = Technique.PLAIN
        self.peer_nat: SideSummary | None = None
        self.plan: Plan | None = None
        self.timeline = Timeline()
        self._checked: set[TransportAddress] = set()
        self._outgoing = FrameKey.of(name, remote)
        self._incoming = FrameKey.of(name, local)
        self._sender = MessageSender(config.delivery)
        self._receiver = MessageReceiver()
        self._datagrams_seen = ReplayWindow()
        self._next_datagram = 0
        self._early_copies_left = 0
        self._proven: _Way | None = None
        self._told: _Way | None = None
        self._is_ended = False
        self._transmits: list[Transmit] = []
        self._events: deque[SessionEvent] = deque()

    # --- the owner ---------------------------------------------------------------------------------------

    def start(
        self, remote_candidates: Iterable[Candidate], now: float, *, early_data: bytes | None = None
    ) -> int | None:
        """Begins checking; ``early_data`` becomes the first message, and its number is returned.

        Raises:
            MisuseError: started before, or the early data is too long; nothing has happened then.
        """
        if self.ice.state is not AgentState.NEW:
            raise MisuseError(f"the session with {self.peer} was started before")
        number = None
        if early_data is not None:
            number = self._sender.queue(early_data)
            self._early_copies_left = MAX_EARLY_COPIES
        offered = list(remote_candidates)
        self.note(TimelineEvent.INTRODUCED, f"{self.peer} offers {candidates_in_words(offered)}", now)
        self.ice.start(offered, now)
        self._pump(now)
        return number

    def renew(
        self,
        *,
        name: str,
        is_controlling: bool,
        local: Credentials,
        remote: Credentials,
        local_candidates: Iterable[LocalCandidate],
        remote_candidates: Iterable[Candidate],
        now: float,
    ) -> str:
        """Looks for another path, by a new introduction; returns the user name fragment of its checks.

        The path that there is stays in use until there is another. A search that is under way is given up.
        """
        local, remote = local.for_session(name), remote.for_session(name)
        if self._renewal is not None:
            self._renewal.close()
        self._renewal = IceAgent(
            config=self._ice_config,
            is_controlling=is_controlling,
            local=local,
            remote=remote,
            local_candidates=local_candidates,
            random=self._random,
        )
        self._ask_again_at = None
        offered = list(remote_candidates)
        self.note(TimelineEvent.RENEWED, f"{self.peer} offers {candidates_in_words(offered)}", now)
        self._checked.clear()
        self._renewal.start(offered, now)
        self._pump(now)
        return local.ufrag

    def note(self, event: TimelineEvent, detail: str, now: float) -> None:
        """Adds to the timeline what the owner knows."""
        self.timeline.add(event, detail, now)

    def take_plan(self, plan: Plan, now: float) -> None:
        """Tells what was made of both NATs; for looking at, and no more than a plan."""
        self.plan = plan
        detail = f"{plan.technique.value}, our role is to {plan.role.value}: {plan.evidence}"
        self.note(TimelineEvent.PLAN_CHOSEN, detail, now)

    def begin_hard(self, attempt: HardAttempt, sockets: Sequence[LocalCandidate], now: float) -> None:
        """Goes on beyond plain checks: the attempt says which socket sends where, and when.

        Args:
            attempt: ended when there is a path, or at the end of the session.
            sockets: number 0 is the one whose public endpoint the peer knows, the others are the attempt's.
            now: seconds.
        """
        if self._hard is not None or self.ice.state is not AgentState.CHECKING:
            attempt.fail()
            return
        self._hard, self._hard_sockets = attempt, tuple(one.base for one in sockets)
        self.ice.hold(sockets[1:])
        if len(sockets) > 1:
            self.note(
                TimelineEvent.SOCKETS_OPENED, f"{len(sockets) - 1} for {attempt.plan.technique.value}", now
            )
        self._pump(now)

    def give_up_by(self, deadline: float, detail: str) -> None:
        """No more than plain checks can be tried, and these will hardly do: they end at ``deadline``."""
        self.ice.give_up_by(deadline, FailureReason.HARD_NATS, detail)

    def is_awaiting(self, transaction_id: stun.TransactionId) -> bool:
        """Whether a response to this transaction would be for us."""
        return any(agent.is_awaiting(transaction_id) for agent in self._agents)

    @property
    def _agents(self) -> tuple[IceAgent, ...]:
        return (self.ice,) if self._renewal is None else (self._renewal, self.ice)

    def send_datagram(self, payload: bytes, now: float) -> None:
        """Sends a payload once; it may be lost, as datagrams may.

        Raises:
            MisuseError: the payload is too long, or there is no way to the peer (yet, or any more).
        """
        way = self._way()
        if way is None or self._next_datagram > MAX_NUMBER:
            raise MisuseError(f"no path to {self.peer}")
        self._send_frame(Frame(FrameType.DATAGRAM, self._next_datagram, payload), way)
        self._next_datagram += 1
        if now - self._heard_at > QUIET:
            self.ice.hurry(now)
            self._pump(now)

    def send_message(self, payload: bytes, now: float) -> int:
        """Sends a payload until it is confirmed; returns its number for the event that will tell.

        Raises:
            MisuseError: the payload is too long, too many are waiting, or the session is over.
        """
        if self._is_ended:
            raise MisuseError(f"the session with {self.peer} is over")
        number = self._sender.queue(payload)
        self._pump(now)
        return number

    def close(self, now: float) -> None:
        """Ends the session and tells the peer, as far as a datagram can."""
        way = self._way()
        if way is not None:
            for _ in range(CLOSE_COPIES):
                self._send_frame(Frame(FrameType.CLOSE, 0), way)
        self._end(None, "closed by us", now)

    @property
    def path(self) -> Path | None:
        """The path that data takes now, or None before one is confirmed and after the end."""
        return self.ice.path

    @property
    def rtt(self) -> float | None:
        """Seconds; the newest measurement of the path's or of a message's round trip."""
        path = self.path
        return path.rtt if path is not None and path.rtt is not None else self._sender.rtt

    # --- the five verbs ----------------------------------------------------------------------------------

    def receive_datagram(
        self, data: bytes, source: TransportAddress, base: TransportAddress, now: float
    ) -> None:
        """Takes a datagram that is for this session, as far as its unproven fields tell."""
        if self._is_ended:
            return
        if stun.is_stun(data):
            for agent in self._agents:  # each discards what is not for its credentials
                self._receive_stun(agent, data, source, base, now)
        else:
            self._receive_frame(data, source, base, now)
        self._pump(now)

    def handle_timer(self, now: float) -> None:
        """Does whatever is due."""
        for agent in self._agents:
            agent.handle_timer(now)
        if self._ask_again_at is not None and now >= self._ask_again_at:
            self._ask_again_at = None
            if self.ice.is_in_doubt:
                self._doubt(now)
        self._pump(now)

    def datagrams_to_send(self) -> list[Transmit]:
        """Hands over what is waiting to be sent."""
        transmits, self._transmits = self._transmits, []
        return transmits

    def next_event(self) -> SessionEvent | None:
        """Hands over the oldest event."""
        return self._events.popleft() if self._events else None

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due next."""
        if self._is_ended:
            return None
        instants = [agent.get_timer() for agent in self._agents]
        instants.append(self._ask_again_at)
        instants.append(None if self._hard is None else self._hard.get_timer())
        if self.path is not None:
            instants.append(self._sender.get_timer())
        return min((instant for instant in instants if instant is not None), default=None)

    # --- inside ------------------------------------------------------------------------------------------

    def _receive_stun(
        self, agent: IceAgent, data: bytes, source: TransportAddress, base: TransportAddress, now: float
    ) -> None:
        is_first = agent.counters.checks_received == 0
        agent.receive_datagram(data, source, base, now)
        if is_first and agent.counters.checks_received:
            self.note(TimelineEvent.CHECK_RECEIVED, f"from {source}", now)

    def _pump(self, now: float) -> None:
        self._take_from_ice(now)
        self._take_from_renewal(now)
        self._send_probes(now)
        if self.path is not None:
            self._send_due_messages(now)

    def _take_from_ice(self, now: float) -> None:
        # Checks come first: the datagram that opens a NAT must leave before the data behind it.
        checks = self.ice.datagrams_to_send()
        self.packets_sent += len(checks)
        self._transmits += checks
        while (event := self.ice.next_event()) is not None:
            match event:
                case CheckStarted():
                    self._note_checks(event, now)
                    self._send_early(event, now)
                case PathConfirmed():
                    self._early_copies_left = 0
                    self._sender.path_confirmed(now, path_rtt=event.path.rtt)
                    self._told = _way_of(event.path)
                    self.note(TimelineEvent.PATH_CONFIRMED, str(event.path), now)
                    self._events.append(SessionConfirmed(path=event.path))
                case PathSelected():
                    self._receive_selection(event.path, now)
                case PathDoubted():
                    self._doubt(now)
                case ConnectivityFailed():
                    if self._renewal is None:
                        self._end(event.reason, event.detail, now)
                case _:
                    assert_never(event)

    def _take_from_renewal(self, now: float) -> None:
        agent = self._renewal
        if agent is None:
            return
        checks = agent.datagrams_to_send()
        self.packets_sent += len(checks)
        self._transmits += checks
        while (event := agent.next_event()) is not None:
            match event:
                case PathConfirmed():
                    self.ice.close()
                    self.ice, self._renewal = agent, None
                    self._ask_again_at = None
                    self._heard_at = now
                    self._sender.path_confirmed(now, path_rtt=event.path.rtt)
                    self._told = _way_of(event.path)
                    self.note(TimelineEvent.PATH_MOVED, str(event.path), now)
                    self._events.append(SessionMoved(path=event.path))
                    self._release_sockets()
                    self._take_from_ice(now)  # what the agent has to tell beyond this
                    return
                case ConnectivityFailed():
                    self._renewal = None
                    self.note(TimelineEvent.RENEWAL_FAILED, f"{event.reason.value} ({event.detail})", now)
                    if self.ice.state is AgentState.FAILED:
                        self._end(event.reason, event.detail, now)
                    else:
                        self._ask_again_at = now + ASK_INTERVAL
                    return
                case CheckStarted():
                    self._note_checks(event, now)
                case _:
                    pass

    def _note_checks(self, event: CheckStarted, now: float) -> None:
        """One entry an address; a check from each of our sockets goes there."""
        if event.destination not in self._checked:
            self._checked.add(event.destination)
            self.note(TimelineEvent.CHECKS_BEGUN, f"to {event.destination}", now)

    def _send_probes(self, now: float) -> None:
        if self._hard is None:
            return
        if self.ice.state is not AgentState.CHECKING:
            self._end_hard(now, has_met=self.path is not None)
            return
        self._hard.handle_timer(now)
        for probe in self._hard.probes_to_send():
            base = self._hard_sockets[probe.socket_index]
            self.ice.probe(base, probe.destination, ttl=probe.ttl)
        self._take_from_ice(now)
        if self._hard.state is AttemptState.FAILED:
            self.ice.give_up_by(now, FailureReason.HARD_NATS, self._hard.plan.evidence)
            self.ice.handle_timer(now)
            self._take_from_ice(now)

    def _end_hard(self, now: float, *, has_met: bool) -> None:
        if self._hard is None:
            return
        if has_met:
            self._hard.succeed()
            self.technique = self._hard.plan.technique
        else:
            self._hard.fail()
        self._hard = None
        if not has_met:
            self._release_sockets()

    def _release_sockets(self) -> None:
        """Lets go of the sockets of a hard attempt, but for the one that the path takes.

        Not before both sides use the same pair: what is confirmed first here need not be what is nominated.
        """
        path = self.path
        own, *extra = self._hard_sockets or (None,)
        unused = tuple(base for base in extra if path is None or base != path.base)
        if own is not None and unused:
            self._hard_sockets = (own, *(base for base in extra if base not in unused))
            self._events.append(SocketsReleased(bases=unused))

    def _doubt(self, now: float) -> None:
        """Asks for another path now, and again until there is one or the consent to this one ends."""
        self._ask_again_at = now + ASK_INTERVAL
        self.note(TimelineEvent.PATH_DOUBTED, "the last few checks of it had no answer", now)
        self._events.append(SessionDoubted(at=now))

    def _receive_selection(self, path: Path, now: float) -> None:
        has_moved = self._told != _way_of(path)
        self.note(TimelineEvent.PATH_MOVED if has_moved else TimelineEvent.PATH_SELECTED, str(path), now)
        if has_moved:
            self._told = _way_of(path)
            self._events.append(SessionMoved(path=path))
        self._release_sockets()

    def _send_early(self, event: CheckStarted, now: float) -> None:
        message = self._sender.peek()
        if self._early_copies_left == 0 or message is None:
            return
        if self._early_copies_left == MAX_EARLY_COPIES:
            self._sender.begin_early(now)
        self._early_copies_left -= 1
        self._send_frame(Frame(FrameType.MESSAGE, *message), (event.base, event.destination))

    def _send_due_messages(self, now: float) -> None:
        while (number := self._sender.take_expired(now)) is not None:
            self._events.append(MessageUnconfirmed(number=number))
        way = self._way()
        path = self.path
        if way is None or path is None:
            return
        message = self._sender.take_due(now, path_rtt=path.rtt)
        if message is not None:
            self._send_frame(Frame(FrameType.MESSAGE, *message), way)
            if now - self._heard_at > QUIET:
                self.ice.hurry(now)
                self._take_from_ice(now)

    def _receive_frame(
        self, data: bytes, source: TransportAddress, base: TransportAddress, now: float
    ) -> None:
        try:
            frame = Frame.decode(data, self._incoming)
        except DecodeError:
            self.discarded += 1
            return
        match frame.type:
            case FrameType.DATAGRAM:
                is_new = self._receive_once(frame)
            case FrameType.MESSAGE:
                is_new = self._receive_message(frame, (base, source))
            case FrameType.ACKNOWLEDGEMENT:
                is_new = self._receive_acknowledgement(frame, now)
            case FrameType.CLOSE:
                is_new = True
                self._end(None, f"closed by {self.peer}", now)
        self._heard_at = now
        if is_new:  # a copy proves nothing: anybody who saw it can send it from anywhere
            self._proven = (base, source)
        else:
            self.discarded += 1

    def _receive_once(self, frame: Frame) -> bool:
        is_new = self._datagrams_seen.take(frame.number)
        if is_new:
            self._events.append(DataReceived(payload=frame.payload))
        return is_new

    def _receive_message(self, frame: Frame, way: _Way) -> bool:
        is_new, is_acknowledged = self._receiver.receive(frame.number)
        if is_new:
            self._events.append(DataReceived(payload=frame.payload))
        if is_acknowledged:
            # To where it came from: our own path may still be unconfirmed.
            self._send_frame(Frame(FrameType.ACKNOWLEDGEMENT, frame.number), way)
        return is_new

    def _receive_acknowledgement(self, frame: Frame, now: float) -> bool:
        is_new = self._sender.receive_acknowledgement(frame.number, now)
        if is_new:
            self._events.append(MessageConfirmed(number=frame.number))
        return is_new

    def _way(self) -> _Way | None:
        if self._is_ended:
            return None
        path = self.path
        return self._proven if path is None else _way_of(path)

    def _send_frame(self, frame: Frame, way: _Way) -> None:
        base, destination = way
        self.packets_sent += 1
        self._transmits.append(
            Transmit(data=frame.encode(self._outgoing), destination=destination, base=base)
        )

    def _end(self, reason: FailureReason | None, detail: str, now: float) -> None:
        if self._is_ended:
            return
        self._is_ended = True
        for agent in self._agents:
            agent.close()
        self._end_hard(now, has_met=False)
        self._release_sockets()
        for number in self._sender.abandon():
            self._events.append(MessageUnconfirmed(number=number))
        if reason is None:
            self.note(TimelineEvent.CLOSED, detail, now)
        else:
            self.note(TimelineEvent.FAILED, f"{reason.value} ({detail})", now)
        self._events.append(SessionEnded(reason=reason, detail=detail))


def _way_of(path: Path) -> _Way:
    return path.base, path.remote
