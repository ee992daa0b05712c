"""A session with one peer: connectivity below, data on top, one agent for the owner.

:class:`PeerSession` joins the :class:`~natcore.channel.searches.Searches`, which find and keep a path, to the
:class:`~natcore.channel.exchange.DataExchange` whose frames travel on it. When to look whether the path still
stands is for :class:`~natcore.channel.silence.Silence` to say, and when to ask for another one for
:class:`~natcore.channel.recovery.Recovery`. STUN and frames share the
five-tuple and are told apart by their first byte (RFC 7983).

**Early data.** A message that is waiting when the session starts is sent right behind the first check to each
address, because that check has just opened our NAT and the peer's has been opened by its own. It so arrives
1.5 round trips after ``connect``, which no exchange of questions and answers can reach. The price is a copy
to each of the first few addresses before any has answered, and another one behind each check that is
repeated, for where the check was lost the copy may be too. ``MAX_EARLY_COPIES`` bounds it, and the frame can
be read by nobody's session but the peer's.

**A path that breaks.** A rebooted NAT or another network ends a path and not the session. When checks of the
path stay unanswered the session asks to be introduced anew, and a second search with credentials of its own
(an ICE restart, RFC 8445 section 2.4) looks for a path beside the old one. Data frames keep their keys and
their numbers, so nothing is delivered twice and nothing is lost that a message would not repeat. When the
consent to the path has ended (a machine slept) nothing is sent any more, but the session waits and asks on.

**Where data goes.** To the path that ICE confirmed; before that, to where the peer's newest authentic frame
came from, which is proof enough that the peer is there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from natcore import stun
from natcore.address import IPAddress, TransportAddress
from natcore.agent import RandomBytes, Transmit
from natcore.channel.delivery import DeliveryConfig
from natcore.channel.events import (
    MessageUnconfirmed,
    SessionConfirmed,
    SessionDoubted,
    SessionEnded,
    SessionEvent,
    SessionLost,
    SessionMoved,
    SocketsReleased,
)
from natcore.channel.exchange import DataExchange
from natcore.channel.recovery import Recovery
from natcore.channel.search import PathSearch
from natcore.channel.searches import RenewalFailed, Searches
from natcore.channel.silence import Silence
from natcore.channel.timeline import Timeline, TimelineEvent, candidates_in_words
from natcore.errors import MisuseError
from natcore.hardnat import HardAttempt, Plan, SideSummary, Technique
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

MAX_EARLY_COPIES = 12
"""Copies of early data: three to each of the host and reflexive candidates of an ordinary peer."""

CLOSE_COPIES = 2
"""A lost CLOSE leaves the peer waiting for its consent to expire, so a second one follows at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfig:
    """Of the parts, and how long a session outlives its path.

    Attributes:
        patience: seconds after the consent to a path has ended for which another is looked for: long enough
            for a laptop that is carried from one room, or one meeting, to another.
    """

    ice: IceConfig = field(default_factory=IceConfig)
    delivery: DeliveryConfig = field(default_factory=DeliveryConfig)
    patience: float = 600.0


class PeerSession:
    """See the module. It has the five verbs of :class:`natcore.agent.Agent`.

    Attributes:
        peer: the id of the other side.
        name: of the introduction that began it.
        local_ufrag: our user name fragment in its first search.
        opener_ttl: for the next search, as of :class:`natcore.ice.IceAgent`.
        peer_nat: what the peer told of its NAT, or None.
        timeline: what happened so far.
        packets_sent: datagrams of any kind.
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
        opener_ttl: int | None = None,
    ) -> None:
        self.name = name
        self.peer = peer
        self.packets_sent = 0
        self.peer_nat: SideSummary | None = None
        self.timeline = Timeline()
        self._config = config
        self._random = random
        self._remote = remote
        self.opener_ttl = opener_ttl
        first = self._make_search(name, is_controlling, local, remote, local_candidates)
        self._searches = Searches(first)
        self.local_ufrag = first.ufrag
        self._has_met = False
        self._recovery = Recovery(config.patience)
        self._silence = Silence()
        self._exchange = DataExchange(session=name, local=local, remote=remote, config=config.delivery)
        self._early_copies_left = 0
        self._proven: _Way | None = None
        self._told: _Way | None = None
        self._is_ended = False
        self._transmits: list[Transmit] = []
        self._events: deque[SessionEvent] = deque()

    def _make_search(
        self,
        name: str,
        is_controlling: bool,
        local: Credentials,
        remote: Credentials,
        local_candidates: Iterable[LocalCandidate],
    ) -> PathSearch:
        return PathSearch(
            name=name,
            is_controlling=is_controlling,
            local=local,
            remote=remote,
            local_candidates=local_candidates,
            config=self._config.ice,
            timeline=self.timeline,
            random=self._random,
            opener_ttl=self.opener_ttl,
        )

    # --- the owner: searching for a path -----------------------------------------------------------------

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
            number = self._exchange.messages.queue(early_data)
            self._early_copies_left = MAX_EARLY_COPIES
        offered = list(remote_candidates)
        self.note(TimelineEvent.INTRODUCED, f"{self.peer} offers {candidates_in_words(offered)}", now)
        self._searches.current.start(offered, now)
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
        A peer with other credentials is another program of that name, which knows nothing of this session:
        where the path is broken, the session ends.
        """
        offered = list(remote_candidates)
        if remote != self._remote:
            if self.is_in_doubt:
                self._end(FailureReason.CONSENT_EXPIRED, f"{self.peer} has started anew", now)
            return self.local_ufrag
        self._recovery.search_begun()
        self.note(TimelineEvent.RENEWED, f"{self.peer} offers {candidates_in_words(offered)}", now)
        renewal = self._make_search(name, is_controlling, local, remote, local_candidates)
        self._searches.renew(renewal)
        renewal.start(offered, now)
        self._pump(now)
        return renewal.ufrag

    def add_remote_candidates(self, candidates: Iterable[Candidate], now: float) -> None:
        """Takes candidates that the peer has had later than the introduction (RFC 8838 section 11)."""
        for candidate in candidates:
            self._searches.newest.ice.add_remote_candidate(candidate, now)
        self._searches.newest.handle_timer(now)
        self._pump(now)

    def note(self, event: TimelineEvent, detail: str, now: float) -> None:
        """Adds to the timeline what the owner knows."""
        self.timeline.add(event, detail, now)

    def take_plan(self, plan: Plan, now: float) -> None:
        """Tells what was made of both NATs; for looking at, and no more than a plan."""
        self._searches.newest.take_plan(plan, now)

    def begin_hard(self, attempt: HardAttempt, sockets: Sequence[LocalCandidate], now: float) -> None:
        """As :meth:`PathSearch.begin_hard`, of the newest search."""
        self._searches.newest.begin_hard(attempt, sockets, now)
        self._pump(now)

    def give_up_by(self, deadline: float, detail: str) -> None:
        """No more than plain checks can be tried, and these will hardly do: they end at ``deadline``."""
        self._searches.newest.ice.give_up_by(deadline, FailureReason.HARD_NATS, detail)

    def doubt(self, now: float, why: str) -> None:
        """Asks for another path now, and again until there is one.

        Args:
            now: seconds.
            why: a clause for people.
        """
        if self._is_ended:
            return
        self._recovery.asked(now)
        self.note(TimelineEvent.PATH_DOUBTED, why, now)
        self._events.append(SessionDoubted(at=now))

    def take_addresses(self, own: Collection[IPAddress], now: float) -> None:
        """This machine has these addresses now: what is broken is looked for at once, and not in a while.

        Args:
            own: of its sockets; a path from any other cannot be used any more.
            now: seconds.
        """
        path = self.path
        if path is not None and path.base.ip not in own:
            self.ice.doubt()
            why = f"our address {path.base.ip} is gone"
        elif self.is_in_doubt:
            why = "our addresses have changed"
        else:
            return
        self._recovery.begin_anew()
        self.doubt(now, why)

    def declined(self, reason: str, now: float) -> None:
        """The peer does not follow the newest introduction.

        A session that it does not follow from the beginning is over. One that it does not know any more is
        over where the path is broken; else its own word, on the path, will tell.
        """
        if not self._has_met or self.is_in_doubt:
            self._end(FailureReason.REJECTED, f"{self.peer} declined: {reason}", now)

    def peer_left(self, now: float) -> None:
        """The peer has said goodbye to the server: nobody will be found where the path is lost."""
        loss = self._recovery.loss
        if loss is not None:
            self._end(loss.reason, f"{loss.detail}, and {self.peer} left the server", now)

    @property
    def ice(self) -> IceAgent:
        """The connectivity below; for looking at, not for driving."""
        return self._searches.current.ice

    @property
    def discarded(self) -> int:
        """Frames that were not authentic, or repeated."""
        return self._exchange.discarded

    @property
    def introduction(self) -> str:
        """The name of the introduction that the newest search follows."""
        return self._searches.newest.name

    @property
    def is_searching(self) -> bool:
        """Whether the newest search is under way."""
        return not self._is_ended and self._searches.newest.is_under_way

    @property
    def is_in_doubt(self) -> bool:
        """Whether the path is lost, or has answered none of the last few checks."""
        return self._recovery.loss is not None or self.ice.is_in_doubt

    @property
    def plan(self) -> Plan | None:
        """What was made of both NATs, or None where one of them is not known."""
        return self._searches.newest.plan

    @property
    def technique(self) -> Technique:
        """By what the two met, or would."""
        return self._searches.current.technique

    @property
    def path(self) -> Path | None:
        """The path that data takes now; None before one is confirmed, while it is lost, and after the end."""
        return self.ice.path

    @property
    def rtt(self) -> float | None:
        """Seconds; the newest measurement of the path's or of a message's round trip."""
        path = self.path
        return path.rtt if path is not None and path.rtt is not None else self._exchange.messages.rtt

    def is_awaiting(self, transaction_id: stun.TransactionId) -> bool:
        """Whether a response to this transaction would be for us."""
        return self._searches.is_awaiting(transaction_id)

    # --- the owner: data ---------------------------------------------------------------------------------

    def send_datagram(self, payload: bytes, now: float) -> None:
        """Sends a payload once; it may be lost, as datagrams may.

        Raises:
            MisuseError: the payload is too long, or there is no way to the peer (yet, or any more).
        """
        way = self._way()
        if way is None:
            raise MisuseError(f"no path to {self.peer}")
        self._send_frame(self._exchange.datagram(payload), way)
        self._hurry_if_quiet(now)
        self._pump(now)

    def send_message(self, payload: bytes, now: float) -> int:
        """Sends a payload until it is confirmed; returns its number for the event that will tell.

        Raises:
            MisuseError: the payload is too long, too many are waiting, or the session is over.
        """
        if self._is_ended:
            raise MisuseError(f"the session with {self.peer} is over")
        number = self._exchange.messages.queue(payload)
        self._pump(now)
        return number

    def close(self, now: float) -> None:
        """Ends the session and tells the peer, as far as a datagram can."""
        way = self._way()
        if way is not None:
            for _ in range(CLOSE_COPIES):
                self._send_frame(self._exchange.goodbye(), way)
        self._end(None, "closed by us", now)

    # --- the five verbs ----------------------------------------------------------------------------------

    def receive_datagram(
        self, data: bytes, source: TransportAddress, base: TransportAddress, now: float
    ) -> None:
        """Takes a datagram that is for this session, as far as its unproven fields tell."""
        if self._is_ended:
            return
        if stun.is_stun(data):
            self._searches.receive_stun(data, source, base, now)
        else:
            self._receive_frame(data, source, base, now)
        self._pump(now)

    def handle_timer(self, now: float) -> None:
        """Does whatever is due."""
        self._searches.handle_timer(now)
        loss = self._recovery.loss
        if loss is not None and now >= loss.ends_at:
            self._end(loss.reason, loss.detail, now)
        if self._silence.take_due(now):
            self.ice.hurry(now)
        if self._recovery.take_due(now) and self.is_in_doubt:
            self.doubt(now, "there is no other path yet")
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
        instants = [self._searches.get_timer(), self._recovery.get_timer(), self._silence.get_timer()]
        if self._has_met:
            instants.append(self._exchange.messages.get_timer(is_sending=self.path is not None))
        return min((instant for instant in instants if instant is not None), default=None)

    # --- inside ------------------------------------------------------------------------------------------

    def _pump(self, now: float) -> None:
        self._take_from_searches(now)
        if self._has_met and not self._is_ended:
            self._handle_messages(now)

    def _take_from_searches(self, now: float) -> None:
        # Checks come first: the datagram that opens a NAT must leave before the data behind it.
        checks = self._searches.datagrams_to_send()
        self.packets_sent += len(checks)
        self._transmits += checks
        while (event := self._searches.next_event(now)) is not None:
            match event:
                case CheckStarted():
                    self._send_early(event, now)
                case PathConfirmed():
                    self._confirm(event.path, now)
                case PathSelected():
                    self._receive_selection(event.path, now)
                case PathDoubted():
                    self.doubt(now, "the last few checks of it had no answer")
                case ConnectivityFailed():
                    self._receive_failure(event, now)
                case RenewalFailed():
                    self._receive_renewal_failure(event, now)
                case _:
                    assert_never(event)
        self._take_released()

    def _take_released(self) -> None:
        bases = self._searches.released_sockets()
        if bases:
            self._events.append(SocketsReleased(bases=bases))

    def _receive_failure(self, failure: ConnectivityFailed, now: float) -> None:
        """The path is gone for good; where there was one, another is looked for."""
        if failure.reason is FailureReason.REJECTED and self._has_met:
            self._end(failure.reason, failure.detail, now)
        elif self._has_met:
            self._recovery.path_lost(failure.reason, failure.detail, now)
            self._proven = None
            self.note(TimelineEvent.PATH_LOST, failure.detail, now)
            self._events.append(SessionLost(detail=failure.detail))
            self.doubt(now, "it is lost")
        elif self._searches.renewal is None:
            self._end(failure.reason, failure.detail, now)

    def _receive_renewal_failure(self, failure: RenewalFailed, now: float) -> None:
        self.note(TimelineEvent.RENEWAL_FAILED, f"{failure.reason.value} ({failure.detail})", now)
        if self._has_met:
            self._recovery.search_failed(now)
        elif not self._searches.current.is_under_way:
            self._end(failure.reason, failure.detail, now)

    def _confirm(self, path: Path, now: float) -> None:
        self._early_copies_left = 0
        self._recovery.path_found()
        self._silence.path_found(now)
        self._told = _way_of(path)
        if self._has_met:
            self._exchange.messages.path_replaced(now)
            self.note(TimelineEvent.PATH_MOVED, str(path), now)
            self._events.append(SessionMoved(path=path))
        else:
            self._has_met = True
            self._exchange.messages.path_confirmed(now, path_rtt=path.rtt)
            self.note(TimelineEvent.PATH_CONFIRMED, str(path), now)
            self._events.append(SessionConfirmed(path=path))

    def _receive_selection(self, path: Path, now: float) -> None:
        has_moved = self._told != _way_of(path)
        self.note(TimelineEvent.PATH_MOVED if has_moved else TimelineEvent.PATH_SELECTED, str(path), now)
        if has_moved:
            self._told = _way_of(path)
            self._events.append(SessionMoved(path=path))

    def _send_early(self, event: CheckStarted, now: float) -> None:
        if self._early_copies_left == 0:
            return
        data = self._exchange.early_message(now)
        if data is not None:
            self._early_copies_left -= 1
            self._send_frame(data, (event.base, event.destination))

    def _handle_messages(self, now: float) -> None:
        for number in self._exchange.expired_messages(now):
            self._events.append(MessageUnconfirmed(number=number))
        path = self.path
        if path is None:
            return
        data = self._exchange.due_message(now, path_rtt=path.rtt)
        if data is not None:
            self._send_frame(data, _way_of(path))
            self._hurry_if_quiet(now)
            self._take_from_searches(now)

    def _hurry_if_quiet(self, now: float) -> None:
        if self._silence.is_long_for_sender(now):
            self.ice.hurry(now)

    def _receive_frame(
        self, data: bytes, source: TransportAddress, base: TransportAddress, now: float
    ) -> None:
        heard = self._exchange.receive(data, now)
        if heard is None:
            return
        self._silence.broken(now)
        if heard.reply is not None:
            # To where it came from: our own path may still be unconfirmed.
            self._send_frame(heard.reply, (base, source))
        if heard.is_new:
            self._proven = (base, source)
            if self.path is not None and self._proven != _way_of(self.path):
                # The peer's NAT may have given it another port: does our path still lead there?
                self.ice.hurry(now)
        if heard.event is not None:
            self._events.append(heard.event)
        if heard.closes:
            self._end(None, f"closed by {self.peer}", now)

    def _way(self) -> _Way | None:
        if self._is_ended or self._recovery.loss is not None:
            return None
        path = self.path
        if path is None:
            return self._proven
        # In doubt as well: a peer whose NAT has moved it is heard from there, and may not have noticed.
        return self._proven if self.is_in_doubt and self._proven is not None else _way_of(path)

    def _send_frame(self, data: bytes, way: _Way) -> None:
        base, destination = way
        self.packets_sent += 1
        self._transmits.append(Transmit(data=data, destination=destination, base=base))

    def _end(self, reason: FailureReason | None, detail: str, now: float) -> None:
        if self._is_ended:
            return
        self._is_ended = True
        self._searches.close()
        self._take_released()
        for number in self._exchange.messages.abandon():
            self._events.append(MessageUnconfirmed(number=number))
        if reason is None:
            self.note(TimelineEvent.CLOSED, detail, now)
        else:
            self.note(TimelineEvent.FAILED, f"{reason.value} ({detail})", now)
        self._events.append(SessionEnded(reason=reason, detail=detail))


def _way_of(path: Path) -> _Way:
    return path.base, path.remote
