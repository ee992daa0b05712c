"""An ICE agent for one session with one peer: it finds the addresses at which the two can talk (RFC 8445).

What enters: the credentials and candidates of both sides, received datagrams, time. What leaves: checks and
their answers, and a few events. What is always true: a pair becomes valid only by an authentic response that
came back on the very five-tuple that the check was sent on; data has a path exactly while the agent is
CONFIRMED; FAILED and CLOSED are final. What it refuses to know: sockets, the rendezvous server, what the data
is, and which of several ways to the peer a person would prefer.

The usual course, with both sides told at the same moment and one-way latency d::

    0    both send their first checks to all the other's candidates; each opens its own NAT
    d    both receive the other's check: answer it, and check the very address it came from
    2d   both receive an answer: the pair is valid (PathConfirmed), the controlling side nominates
    4d   the nomination is answered: both use that pair (PathSelected) and keep it alive with consent checks
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from natcore import stun
from natcore.address import TransportAddress
from natcore.agent import RandomBytes, Transmit
from natcore.errors import DecodeError, MisuseError
from natcore.ice.candidate import Candidate, LocalCandidate
from natcore.ice.check import (
    ROLE_CONFLICT,
    IncomingCheck,
    build_check,
    build_role_conflict,
    build_success,
    read_check,
)
from natcore.ice.checklist import CheckList
from natcore.ice.config import IceConfig
from natcore.ice.consent import Consent, Way
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
from natcore.ice.nomination import Nomination
from natcore.ice.outstanding import OutstandingCheck, OutstandingChecks
from natcore.ice.pacing import Pacing
from natcore.ice.pair import CandidatePair, PairState
from natcore.ice.remote import RemoteCandidates
from natcore.ice.state import MOVES, AgentState, IceCounters, diagnose


class IceAgent:
    """See the module. It has the five verbs of :class:`natcore.agent.Agent`.

    Attributes:
        state: moved along a table; FAILED and CLOSED are final.
        is_controlling: the role, which a role conflict may switch (RFC 8445 section 7.3.1.1).
        counters: evidence.
    """

    def __init__(
        self,
        *,
        config: IceConfig,
        is_controlling: bool,
        local: Credentials,
        remote: Credentials,
        local_candidates: Iterable[LocalCandidate],
        random: RandomBytes,
    ) -> None:
        self._config = config
        self._random = random
        self._local, self._remote = local, remote
        self._local_candidates = list(local_candidates)
        self._known_reason: tuple[FailureReason, str] | None = None
        self._held: dict[TransportAddress, LocalCandidate] = {}
        self._remote_candidates = RemoteCandidates(max_peer_reflexive=config.max_peer_reflexive)
        self._tie_breaker = int.from_bytes(random(8), "big")
        self._checklist = CheckList(max_pairs=config.max_pairs)
        self._checks = OutstandingChecks()
        self._opened: set[tuple[TransportAddress, TransportAddress]] = set()
        self._pacing = Pacing(config)
        self._give_up_at = float("inf")
        self._nomination = Nomination()
        self._consent: Consent | None = None
        self._transmits: list[Transmit] = []
        self._events: deque[IceEvent] = deque()
        self.state = AgentState.NEW
        self.is_controlling = is_controlling
        self.counters = IceCounters()

    # --- the owner ---------------------------------------------------------------------------------------

    def start(self, remote_candidates: Iterable[Candidate], now: float) -> None:
        """Begins checking.

        Raises:
            MisuseError: it was started or closed before.
        """
        self._move_to(AgentState.CHECKING)
        self._pacing.begin(now)
        self._give_up_at = now + self._config.give_up_after
        for candidate in remote_candidates:
            self.add_remote_candidate(candidate, now)
        self.handle_timer(now)

    def add_remote_candidate(self, candidate: Candidate, now: float) -> None:
        """Adds a candidate of the peer's, before or while checking (RFC 8838 section 11)."""
        if self._remote_candidates.add(candidate):
            self._checklist.pair_with(self._local_candidates, candidate)
            self._pacing.begin(now)

    def hold(self, candidates: Iterable[LocalCandidate]) -> None:
        """Takes further sockets on which the peer's checks may arrive; a pair is made when one does."""
        self._held.update({candidate.base: candidate for candidate in candidates})

    def probe(self, base: TransportAddress, destination: TransportAddress, *, ttl: int | None = None) -> None:
        """Sends one check that nobody waits for: it opens our NAT, and the peer's own check finds the hole.

        Raises:
            MisuseError: ``base`` is no socket of ours.
        """
        local = self._local_at(base)
        if local is None:
            raise MisuseError(f"probe: got {base}, expected a socket of this session")
        if self.state is AgentState.CHECKING:
            _, request = self._build_check_from(local, nominates=False)
            self.counters.probes_sent += 1
            self._transmits.append(Transmit(data=request, destination=destination, base=base, ttl=ttl))

    def give_up_by(self, deadline: float, reason: FailureReason, detail: str) -> None:
        """Ends the checks earlier than usual, for a reason that the owner knows."""
        if self.state is AgentState.CHECKING and deadline < self._give_up_at:
            self._give_up_at = deadline
            self._known_reason = (reason, detail)

    def hurry(self, now: float) -> None:
        """Data has had no answer for a while: the path is checked now."""
        if self._consent is not None:
            self._consent.hurry(now)
            self.handle_timer(now)

    def doubt(self) -> None:
        """The owner knows that the path is broken; it stays in use until there is another."""
        if self._consent is not None:
            self._consent.is_in_doubt = True

    def close(self) -> None:
        """Ends the session; nothing is sent or told any more."""
        if self.state is not AgentState.CLOSED:
            self._move_to(AgentState.CLOSED)
        self._checks.clear()
        self._consent = None

    @property
    def path(self) -> Path | None:
        """Where data goes now: the nominated pair, before that the best valid one."""
        pair = self._data_pair()
        return None if pair is None else self._path_of(pair)

    @property
    def is_in_doubt(self) -> bool:
        """Whether the last few checks of the path had no answer."""
        return self._consent is not None and self._consent.is_in_doubt

    def is_awaiting(self, transaction_id: stun.TransactionId) -> bool:
        """Whether a response to this transaction would be for us."""
        return transaction_id in self._checks or (
            self._consent is not None and self._consent.is_awaiting(transaction_id)
        )

    # --- the five verbs ----------------------------------------------------------------------------------

    def receive_datagram(
        self, data: bytes, source: TransportAddress, base: TransportAddress, now: float
    ) -> None:
        """Takes one STUN datagram."""
        if self.state not in (AgentState.CHECKING, AgentState.CONFIRMED):
            self.counters.discarded += 1
            return
        try:
            message = stun.Message.decode(data)
        except DecodeError:
            self.counters.discarded += 1
            return
        if message.method is not stun.Method.BINDING or not self._receive(message, source, base, now):
            self.counters.discarded += 1
        self.handle_timer(now)

    def handle_timer(self, now: float) -> None:
        """Retransmits, starts checks, nominates, renews the consent, gives up: whatever is due."""
        if self.state not in (AgentState.CHECKING, AgentState.CONFIRMED):
            return
        if now >= self._give_up_at:
            self._give_up()
            return
        if self._consent is not None and self._consent.is_expired(now):
            self._fail(*self._consent.why_expired())
            return
        self._retransmit(now)
        self._start_due_checks(now)
        self._nominate_if_due(now)
        self._check_consent(now)

    def datagrams_to_send(self) -> list[Transmit]:
        """Hands over what is waiting to be sent."""
        transmits, self._transmits = self._transmits, []
        return transmits

    def next_event(self) -> IceEvent | None:
        """Hands over the oldest event."""
        return self._events.popleft() if self._events else None

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due next."""
        if self.state not in (AgentState.CHECKING, AgentState.CONFIRMED):
            return None
        instants = (
            self._give_up_at,
            self._nomination.get_timer(is_controlling=self.is_controlling),
            self._next_check_at(),
            None if self._consent is None else self._consent.get_timer(),
            self._checks.get_timer(),
        )
        earliest = min(instant for instant in instants if instant is not None)
        return None if earliest == float("inf") else earliest

    # --- receiving ---------------------------------------------------------------------------------------

    def _receive(
        self, message: stun.ReceivedMessage, source: TransportAddress, base: TransportAddress, now: float
    ) -> bool:
        match message.message_class:
            case stun.MessageClass.REQUEST:
                return self._receive_request(message, source, base, now)
            case stun.MessageClass.SUCCESS_RESPONSE | stun.MessageClass.ERROR_RESPONSE:
                return self._receive_response(message, source, base, now)
            case stun.MessageClass.INDICATION:
                return True  # a keepalive (RFC 8445 section 11); its arrival is all there is to it

    def _receive_request(
        self, message: stun.ReceivedMessage, source: TransportAddress, base: TransportAddress, now: float
    ) -> bool:
        check = read_check(message, local=self._local, remote=self._remote)
        if check is None:
            return False
        self.counters.checks_received += 1
        if self._resolve_roles(check) == "reject":
            self._transmit(build_role_conflict(message, local=self._local), source, base)
            return True
        self._transmit(build_success(message, source, local=self._local), source, base)
        pair = self._pair_of(check, source, base)
        if pair is None:
            return True
        if check.nominates and not self.is_controlling:
            self._nomination.peer_nominates(pair)
        if pair.state is PairState.SUCCEEDED:
            self._select_if_nominated(pair)
        elif self._nomination.selected is None and self._checklist.trigger(pair):
            self._checks.cancel(only=pair)
        return True

    def _resolve_roles(self, check: IncomingCheck) -> Literal["accept", "reject"]:
        """RFC 8445 section 7.3.1.1: who has the larger tie-breaker is controlling."""
        if check.is_from_controlling is not self.is_controlling:
            return "accept"
        we_win = self._tie_breaker >= check.tie_breaker
        if we_win is self.is_controlling:
            return "reject"
        self._switch_role()
        return "accept"

    def _switch_role(self) -> None:
        self.is_controlling = not self.is_controlling
        self._nomination.role_switched()

    def _pair_of(
        self, check: IncomingCheck, source: TransportAddress, base: TransportAddress
    ) -> CandidatePair | None:
        """The pair on which a check came, added where it is new and there is room."""
        pair = self._checklist.find(base, source)
        local = self._local_at(base)
        if pair is not None or local is None:
            return pair
        remote = self._remote_candidates.at(source, priority=check.priority)
        return None if remote is None else self._checklist.add(local, remote)

    def _local_at(self, base: TransportAddress) -> LocalCandidate | None:
        own = next((mine for mine in self._local_candidates if mine.base == base), None)
        return self._held.get(base) if own is None else own

    def _receive_response(
        self, message: stun.ReceivedMessage, source: TransportAddress, base: TransportAddress, now: float
    ) -> bool:
        if not message.is_authentic(self._remote.key):
            return False
        if self._consent is not None and self._consent.is_awaiting(message.transaction_id):
            self._receive_consent(self._consent, message, (base, source), now)
            return True
        check = self._checks.take(message.transaction_id)
        if check is None:
            return False
        if (source, base) != (check.pair.destination, check.pair.base):
            # RFC 8445 section 7.2.5.2.1: not symmetric, so data would not be either.
            self._fail_pair(check.pair)
            return True
        if message.message_class is stun.MessageClass.ERROR_RESPONSE:
            self._receive_rejection(check, message)
        else:
            self._receive_success(check, message, now)
        return True

    def _receive_consent(self, consent: Consent, message: stun.ReceivedMessage, way: Way, now: float) -> None:
        rtt = consent.receive_response(message, way, now)
        pair = self._checklist.find(*way)
        if rtt is not None and pair is not None:
            pair.rtt = rtt

    def _receive_rejection(self, check: OutstandingCheck, message: stun.ReceivedMessage) -> None:
        error = message.get(stun.ErrorCode)
        if error is not None and error.code == ROLE_CONFLICT:
            # RFC 8445 section 7.2.5.1; a second 487 to a check of the old role switches nothing.
            if check.sent_as_controlling is self.is_controlling:
                self._switch_role()
                self._tie_breaker = int.from_bytes(self._random(8), "big")
            if check.pair.state is PairState.IN_PROGRESS and not self._checklist.trigger(check.pair):
                self._fail_pair(check.pair)
            return
        self.counters.rejections_received += 1
        self._fail_pair(check.pair)

    def _receive_success(self, check: OutstandingCheck, message: stun.ReceivedMessage, now: float) -> None:
        mapped = message.get(stun.XorMappedAddress)
        if mapped is None:
            self._fail_pair(check.pair)
            return
        self.counters.responses_received += 1
        pair = check.pair
        rtt = check.transaction.receive_response(now)
        pair.rtt = pair.rtt if rtt is None else rtt
        pair.mapped = mapped.address
        if pair.state is not PairState.SUCCEEDED:
            if pair.state is PairState.WAITING:
                pair.move_to(PairState.IN_PROGRESS)
            pair.move_to(PairState.SUCCEEDED)
            self._confirm(pair, now)
        if not check.nominates:
            self._select_if_nominated(pair)
        elif self._nomination.select(pair):
            self._announce_selection(pair)

    # --- outcomes ----------------------------------------------------------------------------------------

    def _confirm(self, pair: CandidatePair, now: float) -> None:
        if self.state is not AgentState.CHECKING:
            return
        self._move_to(AgentState.CONFIRMED)
        self._give_up_at = float("inf")
        self._nomination.first_pair_is_valid(now + self._config.nomination_delay)
        self._consent = Consent(self._config, self._random, now)
        self._events.append(PathConfirmed(path=self._path_of(pair)))

    def _select_if_nominated(self, pair: CandidatePair) -> None:
        if self._nomination.select_if_nominated(pair, is_controlling=self.is_controlling):
            self._announce_selection(pair)

    def _announce_selection(self, pair: CandidatePair) -> None:
        self._checks.cancel()
        self._events.append(PathSelected(path=self._path_of(pair)))

    def _give_up(self) -> None:
        if self._known_reason is not None:
            self._fail(*self._known_reason)
            return
        pairs = len(self._checklist)
        self._fail(
            diagnose(self.counters, pair_count=pairs),
            f"{self.counters.checks_sent} checks to {pairs} addresses in {self._config.give_up_after:.0f} s, "
            f"{self.counters.checks_received} received",
        )

    def _fail(self, reason: FailureReason, detail: str) -> None:
        self._move_to(AgentState.FAILED)
        self._checks.clear()
        self._consent = None
        self._events.append(ConnectivityFailed(reason=reason, detail=detail))

    def _fail_pair(self, pair: CandidatePair) -> None:
        if pair.state in (PairState.WAITING, PairState.IN_PROGRESS):
            pair.move_to(PairState.FAILED)

    # --- checking ----------------------------------------------------------------------------------------

    def _next_check_at(self) -> float | None:
        if self._nomination.selected is not None:
            return None
        waiting = {pair.base for pair in self._checklist if pair.state is PairState.WAITING}
        return min(map(self._pacing.due_at, waiting), default=None)

    def _start_due_checks(self, now: float) -> None:
        """Triggered checks go at once; ordinary ones when their socket's turn has come.

        Deviation from RFC 8445 section 6.1.4.2, which paces triggered checks too. They answer authentic
        checks one for one, so they cannot be more than the peer paced, and waiting costs a NAT's patience.
        """
        while self._nomination.selected is None:
            pair = self._checklist.next_triggered()
            if pair is None:
                pair = self._checklist.next_ordinary(lambda base: self._pacing.due_at(base) <= now)
                if pair is None:
                    return
                self._pacing.started(pair.base, now)
            pair.move_to(PairState.IN_PROGRESS)
            self._start_check(pair, now, nominates=False, schedule=self._config.check_schedule)

    def _start_check(
        self, pair: CandidatePair, now: float, *, nominates: bool, schedule: stun.RetransmissionSchedule
    ) -> None:
        transaction_id, request = self._build_check(pair, nominates=nominates)
        transaction = stun.ClientTransaction(
            transaction_id=transaction_id, request=request, schedule=schedule, now=now
        )
        self._checks.add(
            OutstandingCheck(
                pair=pair,
                transaction=transaction,
                nominates=nominates,
                sent_as_controlling=self.is_controlling,
            )
        )
        self._retransmit(now)

    def _retransmit(self, now: float) -> None:
        for check, request in self._checks.take_due(now):
            if request is not None:
                self.counters.checks_sent += 1
                self._transmit(request, check.pair.destination, check.pair.base)
                self._note_opened(check.pair)
                continue
            if check.nominates:
                self._nomination.is_lost(check.pair)
            self._fail_pair(check.pair)

    def _note_opened(self, pair: CandidatePair) -> None:
        key = (pair.base, pair.destination)
        if key not in self._opened:
            self._opened.add(key)
            self._events.append(CheckStarted(base=pair.base, destination=pair.destination))

    def _nominate_if_due(self, now: float) -> None:
        pair = self._nomination.choose(self._checklist, now, is_controlling=self.is_controlling)
        if pair is not None:
            self._start_check(pair, now, nominates=True, schedule=self._nomination_schedule(pair))

    def _nomination_schedule(self, pair: CandidatePair) -> stun.RetransmissionSchedule:
        """As of any check, but the first transmission measures the round trip: not repeated too early."""
        schedule = self._config.check_schedule
        rto = max(schedule.rto, 2 * (pair.rtt or 0.0))
        return replace(schedule, rto=rto if schedule.max_rto is None else min(rto, schedule.max_rto))

    def _check_consent(self, now: float) -> None:
        pair = self._data_pair()
        if self._consent is not None and self._consent.begin_doubt(now):
            self._events.append(PathDoubted())
        if self._consent is None or pair is None or not self._consent.is_check_due(now):
            return
        transaction_id, request = self._build_check(pair, nominates=False)
        self._consent.sent(transaction_id, (pair.base, pair.destination), now)
        self.counters.checks_sent += 1
        self._transmit(request, pair.destination, pair.base)

    def _build_check(self, pair: CandidatePair, *, nominates: bool) -> tuple[stun.TransactionId, bytes]:
        return self._build_check_from(pair.local, nominates=nominates)

    def _build_check_from(
        self, local: LocalCandidate, *, nominates: bool
    ) -> tuple[stun.TransactionId, bytes]:
        transaction_id = stun.TransactionId(self._random(12))
        request = build_check(
            transaction_id=transaction_id,
            local=self._local,
            remote=self._remote,
            candidate=local,
            is_controlling=self.is_controlling,
            tie_breaker=self._tie_breaker,
            nominates=nominates,
        )
        return transaction_id, request

    # --- small things ------------------------------------------------------------------------------------

    def _data_pair(self) -> CandidatePair | None:
        if self.state is not AgentState.CONFIRMED:
            return None
        return self._nomination.selected or self._checklist.best_valid(is_controlling=self.is_controlling)

    def _path_of(self, pair: CandidatePair) -> Path:
        return Path(
            kind=pair.remote.type,
            base=pair.base,
            local=pair.mapped or pair.base,
            remote=pair.destination,
            rtt=pair.rtt,
            is_mapped=pair.remote.is_mapped,
        )

    def _transmit(self, data: bytes, destination: TransportAddress, base: TransportAddress) -> None:
        self._transmits.append(Transmit(data=data, destination=destination, base=base))

    def _move_to(self, state: AgentState) -> None:
        if state not in MOVES[self.state]:
            raise MisuseError(f"ICE agent: no move from {self.state.value} to {state.value}")
        self.state = state
