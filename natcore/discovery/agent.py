"""Behaviour discovery: asks servers through the NAT and says what it saw (RFC 5780, RFC 4787's words).

Theory of operation. The owner opens ``SOCKET_COUNT`` sockets on one local address and hands over their
bases. First one of them, the scout, asks every server; the answers tell the round trip and who has further
endpoints. Then everything that does not depend on each other's outcome is asked at once, in the order of the
plan, so that the ports of new mappings come in a known order. Where silence would be an answer, a
:class:`~natcore.discovery.trial.Trial` waits for it. In go also what the owner finds out by other means: that
TCP connects, which routers answered on the way, what the gateway says of itself. Out comes one event, the
report; some three round trips after the first answer, where nothing is lost.

What is always true: no more than ``max_tries`` packets a question and ``max_trial_rounds`` a doubtful one; an
answer counts only with a transaction id of ours, at the socket that asked, from where it was asked for.

It refuses to know sockets, names of servers, and what the report means to anybody.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from natcore import stun
from natcore.address import IPAddress, ReflexiveAddress, TransportAddress
from natcore.agent import RandomBytes, Transmit
from natcore.discovery import inference
from natcore.discovery.config import DiscoveryConfig
from natcore.discovery.finding import Finding, Known, Unknown
from natcore.discovery.path import wan_side
from natcore.discovery.plan import MAX_ENDPOINTS, MAX_SERVERS, SOCKET_COUNT, Role, cast
from natcore.discovery.question import TRY_LATER, Question, plain
from natcore.discovery.report import DiscoveryReport, everything_unknown
from natcore.discovery.request import SOFTWARE, binding_request
from natcore.discovery.server import StunServer, all_endpoints
from natcore.discovery.trial import Trial
from natcore.errors import DecodeError, MisuseError


class Discovery:
    """See the module; it has the five verbs of :class:`natcore.agent.Agent`.

    Attributes:
        report: the outcome, once it is there; ``next_event`` hands it over, too.
        discarded: datagrams that answered nothing.
    """

    def __init__(
        self,
        *,
        bases: Sequence[TransportAddress],
        servers: Sequence[TransportAddress],
        random: RandomBytes,
        now: float,
        config: DiscoveryConfig | None = None,
    ) -> None:
        """Begins to ask at once.

        Args:
            bases: the sockets, ``SOCKET_COUNT`` of one address and of different ports.
            servers: STUN servers of the same address family, best first; those beyond ``MAX_SERVERS`` are
                not asked.
            random: for transaction ids.
            now: seconds.
            config: the numbers.

        Raises:
            MisuseError: another number of sockets, or no server.
        """
        if len(bases) != SOCKET_COUNT or not servers:
            raise MisuseError(
                f"discovery: got {len(bases)} sockets and {len(servers)} servers, "
                f"expected {SOCKET_COUNT} and at least 1"
            )
        self.report: DiscoveryReport | None = None
        self.discarded = 0
        self._config = config or DiscoveryConfig()
        self._random = random
        self._sockets = cast(bases)
        self._started_at = now
        self._tcp: dict[TransportAddress, float | None] = {}
        self._tcp_until: float | None = now + self._config.tcp_patience
        self._servers: dict[TransportAddress, StunServer] = {}
        self._first_answer_at: float | None = None
        self._unhelpful: TransportAddress | None = None
        self._is_probing = False
        self._trials: list[Trial] = []
        self._hairpin: Trial | None = None
        self._hops: dict[int, IPAddress] = {}
        self._hops_until: float | None = None
        self._questions: list[Question] = []
        self._by_transaction: dict[stun.TransactionId, Question] = {}
        self._transmits: list[Transmit] = []
        self._events: deque[DiscoveryReport] = deque()
        (scout,) = self._sockets[Role.SCOUT]
        self._asked_servers = tuple(dict.fromkeys(servers))[:MAX_SERVERS]
        self._ask([plain(Role.SCOUT, scout, server) for server in self._asked_servers], now)

    # --- what the owner finds out by other means -----------------------------------------------------------

    def tcp_connected(self, server: TransportAddress, seconds: float, now: float) -> None:
        """A TCP connection to a server came about, after so many seconds."""
        self._tcp[server] = seconds
        self._tcp_until = None
        self._proceed(now)

    def tcp_failed(self, server: TransportAddress, now: float) -> None:
        """One did not."""
        self._tcp.setdefault(server, None)
        if len(self._tcp) == len(self._asked_servers):
            self._tcp_until = None
        self._proceed(now)

    def hop_answered(self, base: TransportAddress, router: IPAddress, now: float) -> None:
        """A router said (ICMP time exceeded) that a packet of this socket had died there."""
        bases = self._sockets[Role.HOP]
        if base in bases and router.version == base.ip.version:
            self._hops.setdefault(bases.index(base) + 1, router)
            self._proceed(now)

    # --- the five verbs ------------------------------------------------------------------------------------

    def receive_datagram(
        self, data: bytes, source: TransportAddress, base: TransportAddress, now: float
    ) -> None:
        """Takes one datagram from any of the sockets."""
        try:
            message = stun.Message.decode(data)
        except DecodeError:
            self.discarded += 1
            return
        question = self._by_transaction.get(message.transaction_id)
        if question is None or self.report is not None:
            self.discarded += 1
        elif message.message_class is stun.MessageClass.REQUEST:
            self._receive_turned(question, base)
        elif base != question.base:
            self.discarded += 1
        elif message.message_class is stun.MessageClass.SUCCESS_RESPONSE:
            self._receive_answer(question, message, source, now)
        else:
            self._receive_error(question, message, source)
        self._proceed(now)

    def handle_timer(self, now: float) -> None:
        """Asks again what is due, and ends what has waited long enough."""
        if self.report is None:
            for question in self._questions:
                if question.due_at is not None and question.due_at <= now:
                    self._repeat(question, now)
            self._proceed(now)

    def datagrams_to_send(self) -> list[Transmit]:
        """Hands over what is waiting to be sent."""
        transmits, self._transmits = self._transmits, []
        return transmits

    def next_event(self) -> DiscoveryReport | None:
        """The report, once."""
        return self._events.popleft() if self._events else None

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due next."""
        return None if self.report is not None else min(self._deadlines())

    def _deadlines(self) -> Iterator[float]:
        yield self._started_at + self._config.deadline
        if not self._is_probing:
            if self._first_answer_at is None:
                yield self._blocked_at
            else:
                yield self._first_answer_at + self._config.scout_patience
        else:
            if self._hops_until is not None:
                yield self._hops_until
            if self._tcp_until is not None:
                yield self._tcp_until
        for question in self._questions:
            if question.due_at is not None:
                yield question.due_at
        for trial in self._trials:
            if trial.due_at is not None:
                yield trial.due_at

    # --- what arrives --------------------------------------------------------------------------------------

    def _receive_turned(self, question: Question, base: TransportAddress) -> None:
        """A request of ours came in at a socket of ours: something has turned it around."""
        if question.role is Role.HAIRPIN and base in self._sockets[Role.HAIRPIN] and base != question.base:
            question.was_turned = True
        else:
            self.discarded += 1

    def _receive_answer(
        self, question: Question, message: stun.ReceivedMessage, source: TransportAddress, now: float
    ) -> None:
        attribute = message.get(stun.XorMappedAddress) or message.get(stun.MappedAddress)
        mapped = None if attribute is None else attribute.address
        if mapped is None or mapped.port == 0 or mapped.ip.version != question.base.ip.version:
            self.discarded += 1
            self._note_unhelpful(source, question)
            return
        if source != question.expected_source:
            question.is_disobeyed |= question.change is not None and source == question.destination
            self.discarded += 1
            return
        if message.transaction_id not in question.sent:  # of a control that was asked anew since
            self.discarded += 1
            return
        question.answered_ids.add(message.transaction_id)
        if question.mapped is None:
            question.mapped = ReflexiveAddress(mapped)
            question.rtt = now - question.sent[message.transaction_id]
            question.due_at = None
        if question.role is Role.SCOUT and question.destination not in self._servers:
            self._servers[question.destination] = StunServer.described_by(question.destination, message)
            if self._first_answer_at is None:
                self._first_answer_at = now

    def _receive_error(
        self, question: Question, message: stun.ReceivedMessage, source: TransportAddress
    ) -> None:
        error = message.get(stun.ErrorCode)
        if error is None or source != question.destination:
            self.discarded += 1
            return
        question.error = error.code
        question.due_at = None
        self._note_unhelpful(source, question)

    def _note_unhelpful(self, source: TransportAddress, question: Question) -> None:
        """Who answers without an address of ours has shown nothing but that UDP passes."""
        if source == question.destination:
            self._unhelpful = source

    # --- what to do next -----------------------------------------------------------------------------------

    def _proceed(self, now: float) -> None:
        if self.report is not None:
            return
        if not self._is_probing and self._has_scouted(now):
            self._begin_probing(now)
        if self._hops_until is not None and now >= self._hops_until:
            self._hops_until = None
        if self._tcp_until is not None and now >= self._tcp_until:
            self._tcp_until = None
        for trial in self._trials:
            self._send_all(trial.advance(now, rtt=self._longest_rtt, loss=self._loss(now)), trial, now)
        if self._is_probing and self._hairpin is None:
            self._try_hairpin(now)
        if self._is_done(now) or now >= self._started_at + self._config.deadline:
            self._finish(now)

    def _has_scouted(self, now: float) -> bool:
        if self._first_answer_at is None:
            return False
        best = max(server.quality for server in self._servers.values())
        is_patient = now < self._first_answer_at + self._config.scout_patience
        return best == 2 or len(self._servers) == len(self._asked_servers) or not is_patient

    def _begin_probing(self, now: float) -> None:
        self._is_probing = True
        best = max(self._servers.values(), key=lambda server: server.quality)
        target = best.primary
        endpoints = all_endpoints(self._servers.values(), MAX_ENDPOINTS)
        filters = [self._filtering_trial(base, best) for base in self._sockets[Role.FILTERING]]
        self._ask(
            [
                *(
                    plain(Role.MAPPING, base, one)
                    for base in self._sockets[Role.MAPPING]
                    for one in endpoints
                ),
                *(plain(Role.HAIRPIN, base, target) for base in self._sockets[Role.HAIRPIN]),
                *(plain(Role.ALLOCATION, base, target) for base in self._sockets[Role.ALLOCATION]),
            ],
            now,
        )
        self._trials = [trial for trial in filters if trial.doubtful]
        self._ask(
            [
                plain(Role.HOP, base, target, ttl=distance)
                for distance, base in enumerate(self._sockets[Role.HOP], start=1)
            ],
            now,
        )
        self._hops_until = now + self._config.hop_tries * self._config.rto(self._shortest_rtt)

    def _filtering_trial(self, base: TransportAddress, server: StunServer) -> Trial:
        doubtful = []
        for change in (inference.CHANGE_BOTH, inference.CHANGE_PORT):
            source = server.source_after(change)
            if source is not None:
                doubtful.append(
                    Question(
                        role=Role.FILTERING,
                        base=base,
                        destination=server.primary,
                        change=change,
                        expected_source=source,
                    )
                )
        return self._trial(doubtful, plain(Role.FILTERING, base, server.primary))

    def _try_hairpin(self, now: float) -> None:
        """As soon as both sockets know how the internet sees them, each sends to the other by that."""
        learned = [one for one in self._questions if one.role is Role.HAIRPIN]
        if not all(one.is_answered for one in learned):
            return
        doubtful = [
            plain(Role.HAIRPIN, one.base, other.mapped)
            for one, other in (learned, learned[::-1])
            if other.mapped is not None
        ]
        self._hairpin = self._trial(doubtful, plain(Role.HAIRPIN, learned[0].base, learned[0].destination))
        self._trials.append(self._hairpin)
        self._hairpin.due_at = now
        self._send_all(
            self._hairpin.advance(now, rtt=self._longest_rtt, loss=self._loss(now)), self._hairpin, now
        )

    def _trial(self, doubtful: Iterable[Question], control: Question) -> Trial:
        return Trial(doubtful=tuple(doubtful), control=control, config=self._config, due_at=self._started_at)

    def _is_done(self, now: float) -> bool:
        if not self._is_probing:
            return self._first_answer_at is None and now >= self._blocked_at
        is_asking = any(one.is_open and one.role is not Role.HOP for one in self._questions)
        has_hairpinned = self._hairpin is not None or not is_asking
        is_waiting = not all(trial.is_final for trial in self._trials)
        awaits_others = self._awaits_hops or self._tcp_until is not None
        return has_hairpinned and not (is_asking or is_waiting or awaits_others)

    @property
    def _awaits_hops(self) -> bool:
        return self._hops_until is not None and not {1, 2} <= self._hops.keys()

    @property
    def _blocked_at(self) -> float:
        """When silence means that UDP is blocked."""
        slowest = max((seconds for seconds in self._tcp.values() if seconds is not None), default=0.0)
        return self._started_at + max(self._config.blocked_after, self._config.blocked_round_trips * slowest)

    # --- sending -------------------------------------------------------------------------------------------

    def _ask(self, questions: Sequence[Question], now: float) -> None:
        """Sends questions for the first time; they are repeated until they are answered."""
        self._questions += questions
        for question in questions:
            self._send(question, now)
            question.due_at = now + self._config.rto(self._shortest_rtt)

    def _send_all(self, questions: Iterable[Question], trial: Trial, now: float) -> None:
        """A round of a trial; only the control of it is repeated."""
        for question in questions:
            if question is not trial.control:
                self._send(question, now)
            else:
                if question not in self._questions:
                    self._questions.append(question)
                question.sent.clear()
                question.answered_ids.clear()
                self._send(question, now)
                question.due_at = now + self._config.rto(self._shortest_rtt)

    def _repeat(self, question: Question, now: float) -> None:
        tries = self._config.hop_tries if question.role is Role.HOP else self._config.max_tries
        if len(question.sent) >= tries:
            question.due_at = None
            return
        self._send(question, now)
        gap = self._config.rto(self._shortest_rtt)
        question.due_at = now + (gap if question.role is Role.HOP else gap * len(question.sent) ** 0.5)

    def _send(self, question: Question, now: float) -> None:
        attributes: list[stun.Attribute] = [SOFTWARE]
        if question.change is not None:
            attributes.append(question.change)
        elif question.role is Role.SCOUT:
            attributes.append(stun.AlternatePort(0))
        transaction, request = binding_request(self._random, *attributes)
        question.sent[transaction] = now
        self._by_transaction[transaction] = question
        self._transmits.append(
            Transmit(
                data=request,
                destination=question.destination,
                base=question.base,
                ttl=question.ttl,
            )
        )

    # --- numbers -------------------------------------------------------------------------------------------

    @property
    def _rtts(self) -> list[float]:
        return [question.rtt for question in self._questions if question.rtt is not None]

    @property
    def _shortest_rtt(self) -> float | None:
        return min(self._rtts, default=None)

    @property
    def _longest_rtt(self) -> float:
        return max(self._rtts, default=0.0)

    def _loss(self, now: float) -> float:
        """The share of plain questions that had no answer, on the careful side (Laplace's rule)."""
        overdue = now - self._longest_rtt - self._config.grace(self._longest_rtt)
        lost = total = 0
        for question in self._questions:
            if question.role in (Role.HOP, Role.SCOUT) or question.change is not None or question.error:
                continue
            for transaction, sent_at in question.sent.items():
                is_answered = transaction in question.answered_ids
                if is_answered or sent_at < overdue:
                    total += 1
                    lost += not is_answered
        return (lost + 1) / (total + 2)

    # --- the outcome ---------------------------------------------------------------------------------------

    def _finish(self, now: float) -> None:
        report = self._report(now)
        self.report = report
        self._events.append(report)

    def _report(self, now: float) -> DiscoveryReport:
        return replace(
            self._findings(), packets_sent=len(self._by_transaction), elapsed=now - self._started_at
        )

    def _findings(self) -> DiscoveryReport:
        (scout,) = self._sockets[Role.SCOUT]
        answered = [one for one in self._questions if one.is_answered]
        if not answered:
            return self._silence(scout)
        local = scout.ip
        reflexive = tuple(dict.fromkeys(one.mapped.ip for one in answered if one.mapped is not None))
        is_translated = inference.translated(local, answered)
        has_nat = is_translated.value if isinstance(is_translated, Known) else True
        filters = [trial for trial in self._trials if trial is not self._hairpin]
        has_second_address = any(server.other is not None for server in self._servers.values())
        return DiscoveryReport(
            local_address=local,
            reflexive_addresses=reflexive,
            rtt=self._shortest_rtt,
            udp_blocked=Known(False, f"{answered[0].destination} answers"),
            tcp_passes=self._tcp_finding(),
            translated=is_translated,
            mapping=inference.mapping(self._questions, is_translated=has_nat),
            filtering=inference.filtering(filters, has_second_address=has_second_address),
            allocation=inference.allocation(self._questions, is_translated=has_nat),
            several_addresses=inference.several_addresses(reflexive, len({one.base for one in answered})),
            hairpinning=inference.hairpinning(self._hairpin, is_translated=has_nat),
            wan_side=wan_side(is_translated=has_nat, reflexive=reflexive[0], hops=self._hops),
            servers=tuple(self._servers.values()),
            was_put_off=any(one.error == TRY_LATER for one in self._by_transaction.values()),
            hops=dict(sorted(self._hops.items())),
            loss=max(0.0, self._loss_seen()),
        )

    def _loss_seen(self) -> float:
        asked = [one for one in self._questions if one.role not in (Role.HOP, Role.SCOUT)]
        total = sum(len(one.sent) for one in asked)
        return 0.0 if total == 0 else 1 - sum(len(one.answered_ids) for one in asked) / total

    def _silence(self, scout: TransportAddress) -> DiscoveryReport:
        names = " or ".join(map(str, self._asked_servers))
        tcp = self._tcp_finding()
        blocked: Finding[bool]
        if self._unhelpful is not None:
            blocked = Known(False, f"{self._unhelpful} answers, though not with an address of ours")
            reason = "no server says how it sees us"
        elif isinstance(tcp, Known) and tcp.value:
            blocked = Known(True, f"no answer from {names} by UDP, while TCP connects")
            reason = "UDP is blocked"
        else:
            blocked = Unknown(f"{names} answers neither by UDP nor by TCP, so it may be gone")
            reason = "no server answers"
        return everything_unknown(scout, reason, udp_blocked=blocked, tcp_passes=tcp)

    def _tcp_finding(self) -> Finding[bool]:
        connected = next((server for server, seconds in self._tcp.items() if seconds is not None), None)
        if connected is not None:
            return Known(True, f"a TCP connection to {connected} comes about")
        if len(self._tcp) < len(self._asked_servers):
            return Unknown("no server was reached by TCP in time")
        if self._servers:
            return Unknown("no server takes TCP connections on its STUN port")
        return Unknown("no server is reached by TCP either")
