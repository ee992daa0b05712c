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

from natcore import stun
from natcore.address import TransportAddress
from natcore.agent import RandomBytes, Transmit
from natcore.errors import DecodeError, MisuseError
from natcore.ice.candidate import Candidate, CandidateType, LocalCandidate, priority_of
from natcore.ice.check import (
    ROLE_CONFLICT,
    IncomingCheck,
    build_role_conflict,
    build_success,
    read_check,
)
from natcore.ice.checker import Checker
from natcore.ice.config import IceConfig
from natcore.ice.consent import Consent, Way
from natcore.ice.credentials import Credentials
from natcore.ice.events import (
    ConnectivityFailed,
    FailureReason,
    IceEvent,
    Path,
    PathConfirmed,
    PathDoubted,
    PathSelected,
)
from natcore.ice.nomination import Nomination
from natcore.ice.outstanding import OutstandingCheck
from natcore.ice.pair import CandidatePair, PairState
from natcore.ice.pairing import Pairing
from natcore.ice.role import Role, Verdict
from natcore.ice.state import MOVES, AgentState, IceCounters, diagnose


class IceAgent:
    """See the module. It has the five verbs of :class:`natcore.agent.Agent`.

    Attributes:
        state: moved along a table; FAILED and CLOSED are final.
        counters: evidence.
        opener_ttl: hops to our own NAT and one more, see :mod:`natcore.ice.checker`; read by :meth:`start`.
            None where that is not known: then no first datagram is meant to die on the way.
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
        opener_ttl: int | None = None,
    ) -> None:
        self._config = config
        self._local, self._remote = local, remote
        self._known_reason: tuple[FailureReason, str] | None = None
        self._give_up_at = float("inf")
        self._role = Role(random, is_controlling=is_controlling)
        self._pairing = Pairing(config, local_candidates)
        self._checklist = self._pairing.checklist
        self._nomination = Nomination()
        self._consent = Consent(config, random)
        self._transmits: list[Transmit] = []
        self._events: deque[IceEvent] = deque()
        self.state = AgentState.NEW
        self.counters = IceCounters()
        self._checker = Checker(
            config,
            random,
            role=self._role,
            local=local,
            remote=remote,
            checklist=self._checklist,
            nomination=self._nomination,
            counters=self.counters,
        )
        self.opener_ttl = opener_ttl

    # --- the owner ---------------------------------------------------------------------------------------

    def start(self, remote_candidates: Iterable[Candidate], now: float) -> None:
        """Begins checking.

        Raises:
            MisuseError: it was started or closed before.
        """
        self._move_to(AgentState.CHECKING)
        self._checker.opener_ttl = self.opener_ttl
        self._checker.begin(now)
        self._give_up_at = now + self._config.give_up_after
        for candidate in remote_candidates:
            self.add_remote_candidate(candidate, now)
        self.handle_timer(now)

    def add_remote_candidate(self, candidate: Candidate, now: float) -> None:
        """Adds a candidate of the peer's, at any time (RFC 8838 section 11).

        One whose address its checks have revealed takes the peer-reflexive one's place. Without an end of
        candidates (section 13) the check list does not fail before its time, whatever has failed so far.
        """
        if self._pairing.add_remote(candidate):
            self._checker.begin(now)

    def hold(self, candidates: Iterable[LocalCandidate]) -> None:
        """Takes further sockets on which the peer's checks may arrive; a pair is made when one does."""
        self._pairing.hold(candidates)

    def probe(
        self, base: TransportAddress, destination: TransportAddress, now: float, *, ttl: int | None = None
    ) -> None:
        """Sends one check that is not repeated: it opens our NAT, and may meet a hole of the peer's.

        Raises:
            MisuseError: ``base`` is no socket of ours.
        """
        local = self._pairing.local_at(base)
        if local is None:
            raise MisuseError(f"probe: got {base}, expected a socket of this session")
        if self.state is AgentState.CHECKING:
            self.counters.probes_sent += 1
            request = self._checker.probe(local, destination, now)
            self._transmits.append(Transmit(data=request, destination=destination, base=base, ttl=ttl))

    def give_up_by(self, deadline: float, reason: FailureReason, detail: str) -> None:
        """Ends the checks earlier than usual, for a reason that the owner knows."""
        if self.state is AgentState.CHECKING and deadline < self._give_up_at:
            self._give_up_at = deadline
            self._known_reason = (reason, detail)

    def hurry(self, now: float) -> None:
        """Data has had no answer for a while: the path is checked now."""
        self._consent.hurry(now)
        self.handle_timer(now)

    def doubt(self) -> None:
        """The owner knows that the path is broken; it stays in use until there is another."""
        self._consent.is_in_doubt = True

    def close(self) -> None:
        """Ends the session; nothing is sent or told any more."""
        if self.state is not AgentState.CLOSED:
            self._move_to(AgentState.CLOSED)
        self._checker.clear()
        self._consent.end()

    @property
    def is_controlling(self) -> bool:
        """The role, which a role conflict may switch (RFC 8445 section 7.3.1.1)."""
        return self._role.is_controlling

    @property
    def path(self) -> Path | None:
        """Where data goes now: the nominated pair, before that the best valid one."""
        pair = self._data_pair()
        return None if pair is None else pair.as_path()

    @property
    def is_in_doubt(self) -> bool:
        """Whether the last few checks of the path had no answer."""
        return self._consent.is_in_doubt

    def is_awaiting(self, transaction_id: stun.TransactionId) -> bool:
        """Whether a response to this transaction would be for us."""
        return transaction_id in self._checker or self._consent.is_awaiting(transaction_id)

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
        self._follow_path(now)
        if self._consent.is_expired(now):
            self._fail(*self._consent.why_expired())
            return
        self._checker.handle_timer(now)
        self._events += self._checker.started
        self._checker.started = []
        self._check_consent(now)

    def datagrams_to_send(self) -> list[Transmit]:
        """Hands over what is waiting to be sent."""
        transmits = self._transmits + self._checker.transmits
        self._transmits, self._checker.transmits = [], []
        return transmits

    def next_event(self) -> IceEvent | None:
        """Hands over the oldest event."""
        return self._events.popleft() if self._events else None

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due next."""
        if self.state not in (AgentState.CHECKING, AgentState.CONFIRMED):
            return None
        instants = self._give_up_at, self._checker.get_timer(), self._consent.get_timer()
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
        if not self._agree_on_roles(check):
            self._transmit(build_role_conflict(message, local=self._local), source, base)
            return True
        self._transmit(build_success(message, source, local=self._local), source, base)
        self._consent.peer_checks(now)
        pair = self._pairing.pair_at(base, source, priority=check.priority)
        if pair is None:
            return True
        is_nominated = check.nominates and not self.is_controlling
        if is_nominated:
            self._nomination.peer_nominates(pair)
        if pair.state is PairState.SUCCEEDED:
            pair.heard_at = now
            self._select_if_nominated(pair)
            self._follow_peer()
        elif self._nomination.selected is None or is_nominated or pair.state is PairState.WAITING:
            self._checker.trigger(pair)
        return True

    def _agree_on_roles(self, check: IncomingCheck) -> bool:
        verdict = self._role.receive_check(check)
        if verdict is Verdict.SWITCH:
            self._nomination.role_switched()
        return verdict is not Verdict.REJECT

    def _receive_response(
        self, message: stun.ReceivedMessage, source: TransportAddress, base: TransportAddress, now: float
    ) -> bool:
        if not message.is_authentic(self._remote.key):
            return False
        if self._consent.is_awaiting(message.transaction_id):
            self._receive_consent(message, (base, source), now)
            return True
        check = self._checker.take(message.transaction_id) or self._take_probe(message, source, base)
        if check is None:
            return False
        if (source, base) != (check.pair.destination, check.pair.base):
            # RFC 8445 section 7.2.5.2.1: not symmetric, so data would not be either.
            self._fail_check(check)
            return True
        if message.message_class is stun.MessageClass.ERROR_RESPONSE:
            self._receive_rejection(check, message)
        else:
            self._receive_success(check, message, now)
        return True

    def _take_probe(
        self, message: stun.ReceivedMessage, source: TransportAddress, base: TransportAddress
    ) -> OutstandingCheck | None:
        """A probe that was answered, as a check of the pair that it has found."""
        probe = self._checker.take_probe(message.transaction_id)
        if probe is None or (source, base) != (probe.destination, probe.local.base):
            return None
        pair = self._pairing.pair_at(base, source, priority=priority_of(CandidateType.PEER_REFLEXIVE))
        return None if pair is None else probe.as_check_of(pair)

    def _receive_consent(self, message: stun.ReceivedMessage, way: Way, now: float) -> None:
        rtt = self._consent.receive_response(message, way, now)
        pair = self._checklist.find(*way)
        if rtt is not None and pair is not None:
            pair.rtt = rtt

    def _receive_rejection(self, check: OutstandingCheck, message: stun.ReceivedMessage) -> None:
        error = message.get(stun.ErrorCode)
        if error is None or error.code != ROLE_CONFLICT:
            self.counters.rejections_received += 1
            self._fail_check(check)
            return
        if self._role.receive_conflict(sent_as_controlling=check.sent_as_controlling):
            self._nomination.role_switched()
        if check.pair.state is PairState.IN_PROGRESS and not self._checker.trigger(check.pair):
            check.pair.fail()

    def _receive_success(self, check: OutstandingCheck, message: stun.ReceivedMessage, now: float) -> None:
        mapped = message.get(stun.XorMappedAddress)
        if mapped is None:
            self._fail_check(check)
            return
        self.counters.responses_received += 1
        pair = check.pair
        rtt = check.transaction.receive_response(now)
        pair.rtt = pair.rtt if rtt is None else rtt
        pair.mapped = mapped.address
        pair.heard_at = now
        if pair.state is not PairState.SUCCEEDED:
            if pair.state is PairState.WAITING:
                pair.move_to(PairState.IN_PROGRESS)
            pair.move_to(PairState.SUCCEEDED)
            self._confirm(pair, now)
        if not check.nominates:
            self._select_if_nominated(pair)
        elif self._nomination.select(pair):
            self._announce_selection(pair)
        self._follow_peer()

    # --- outcomes ----------------------------------------------------------------------------------------

    def _confirm(self, pair: CandidatePair, now: float) -> None:
        if self.state is not AgentState.CHECKING:
            return
        self._move_to(AgentState.CONFIRMED)
        self._checker.forget_probes()
        self._give_up_at = float("inf")
        self._nomination.first_pair_is_valid(now + self._config.nomination_delay)
        self._events.append(PathConfirmed(path=pair.as_path()))

    def _select_if_nominated(self, pair: CandidatePair) -> None:
        if self._nomination.select_if_nominated(pair, is_controlling=self.is_controlling):
            self._announce_selection(pair)

    def _announce_selection(self, pair: CandidatePair) -> None:
        self._checker.stop_repeating()
        self._events.append(PathSelected(path=pair.as_path()))

    def _give_up(self) -> None:
        if self._known_reason is not None:
            self._fail(*self._known_reason)
            return
        self._fail(
            *diagnose(self.counters, pair_count=len(self._checklist), waited=self._config.give_up_after)
        )

    def _fail(self, reason: FailureReason, detail: str) -> None:
        self._move_to(AgentState.FAILED)
        self._checker.clear()
        self._consent.end()
        self._events.append(ConnectivityFailed(reason=reason, detail=detail))

    def _fail_check(self, check: OutstandingCheck) -> None:
        """The peer answered, and not as it must.

        A valid pair whose nomination comes to this is not valid any more (RFC 8445 section 7.2.5.3.4). The
        next best one is nominated then; where there is none, there is no path.
        """
        check.pair.fail()
        if not check.nominates or check.pair.state is not PairState.SUCCEEDED:
            return
        self._nomination.is_lost(check.pair)
        if self._nomination.selected is None:
            check.pair.move_to(PairState.FAILED)
            if self._data_pair() is None:
                self._fail(FailureReason.REJECTED, "the peer rejected the nomination of the only path")

    # --- the path ----------------------------------------------------------------------------------------

    def _check_consent(self, now: float) -> None:
        if self._consent.begin_doubt(now) and not self._follow_peer():
            self._events.append(PathDoubted())
        pair = self._data_pair()
        if pair is None or not self._consent.is_check_due(now):
            return
        transaction_id, request = self._checker.build(pair.local)
        self._consent.sent(transaction_id, now)
        self.counters.checks_sent += 1
        self._transmit(request, pair.destination, pair.base)

    def _follow_peer(self) -> bool:
        """Whether a path in doubt has given way to another pair on which the peer was heard since.

        Deviation from RFC 8445 section 8.1.1: nobody nominated it. A peer whose NAT gave it another port, and
        whose checks we answer all the same, has no reason to, and does not know.
        """
        selected, since = self._nomination.selected, self._consent.renewed_at
        if not self._consent.is_in_doubt or selected is None:
            return False
        heard = [one for one in self._checklist if one.state is PairState.SUCCEEDED and one.heard_at > since]
        newest = max(heard, key=lambda one: one.heard_at, default=None)
        if newest is None or not self._nomination.select(newest):
            return False
        self._announce_selection(newest)
        return True

    def _follow_path(self, now: float) -> None:
        pair = self._data_pair()
        if pair is not None:
            self._consent.follow((pair.base, pair.destination), now)

    # --- small things ------------------------------------------------------------------------------------

    def _data_pair(self) -> CandidatePair | None:
        if self.state is not AgentState.CONFIRMED:
            return None
        return self._nomination.selected or self._checklist.best_valid(is_controlling=self.is_controlling)

    def _transmit(self, data: bytes, destination: TransportAddress, base: TransportAddress) -> None:
        self._transmits.append(Transmit(data=data, destination=destination, base=base))

    def _move_to(self, state: AgentState) -> None:
        if state not in MOVES[self.state]:
            raise MisuseError(f"ICE agent: no move from {self.state.value} to {state.value}")
        self.state = state
