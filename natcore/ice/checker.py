"""Sends checks: which pair is next, when it starts, when it is repeated (RFC 8445 sections 6.1.4.2 and 14).

What enters: the check list, whose pairs are ordinary or triggered, and time. What leaves: datagrams, and the
news that a first check, or a repeated one, went somewhere. What comes back is the agent's business.

**The opener.** A check that arrives at a NAT which has not sent towards its sender is unsolicited. Most NATs
drop it and no harm is done. A naive one takes it for its own, and the endpoint that the peer was told of is
lost to that remote (``EarlyInbound.REMAPS``). So the first datagram to each reflexive address is a check
whose TTL suffices to leave our own NAT and no more: it opens that, and dies before the peer's. The check that
is meant to arrive follows ``opener_lead`` later; the peer, told at the same moment, has its NAT open by then.
"""

from __future__ import annotations

from dataclasses import replace

from natcore import stun
from natcore.address import TransportAddress
from natcore.agent import RandomBytes, Transmit
from natcore.ice.candidate import CandidateType, LocalCandidate
from natcore.ice.check import build_check
from natcore.ice.checklist import CheckList
from natcore.ice.config import IceConfig
from natcore.ice.credentials import Credentials
from natcore.ice.events import CheckStarted
from natcore.ice.nomination import Nomination
from natcore.ice.outstanding import OutstandingCheck, OutstandingChecks
from natcore.ice.pacing import Pacing
from natcore.ice.pair import CandidatePair, PairState
from natcore.ice.probes import SCHEDULE, Probes, SentProbe
from natcore.ice.role import Role
from natcore.ice.state import IceCounters

_BEHIND_NATS = (CandidateType.SERVER_REFLEXIVE, CandidateType.RELAYED)
"""Addresses to which our NAT stands in between. A host candidate may be on our own network, where an opener
would arrive; to a peer-reflexive one the peer's own check has already come through."""


class Checker:
    """See the module.

    Attributes:
        opener_ttl: of the first datagram to each reflexive address: hops to our NAT and one more, as a router
            at hop h forwards what has a TTL of h + 1. None where the distance is not known: no openers.
        transmits: what is waiting to be sent.
        started: first and repeated checks that have been put there and not been told of.
    """

    def __init__(
        self,
        config: IceConfig,
        random: RandomBytes,
        *,
        role: Role,
        local: Credentials,
        remote: Credentials,
        checklist: CheckList,
        nomination: Nomination,
        counters: IceCounters,
    ) -> None:
        self._config = config
        self._random = random
        self._role = role
        self._local, self._remote = local, remote
        self._checklist = checklist
        self._nomination = nomination
        self._counters = counters
        self._outstanding = OutstandingChecks()
        self._probes = Probes()
        self._opened: set[tuple[TransportAddress, TransportAddress]] = set()
        self._pacing = Pacing(config)
        self.opener_ttl: int | None = None
        self.transmits: list[Transmit] = []
        self.started: list[CheckStarted] = []

    def begin(self, now: float) -> None:
        """Ordinary checks may start from ``now`` on."""
        self._pacing.begin(now)

    def handle_timer(self, now: float) -> None:
        """Sends what is due: repetitions first, then triggered and ordinary checks, then a nomination."""
        self._send_due(now)
        self._start_due(now)
        pair = self._nomination.choose(self._checklist, now, is_controlling=self._role.is_controlling)
        if pair is not None:
            self._start(pair, now, nominates=True, schedule=self._nomination_schedule(pair))
        self._send_due(now)

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due next."""
        instants = (
            self._outstanding.get_timer(),
            self._nomination.get_timer(is_controlling=self._role.is_controlling),
            self._next_ordinary_at(),
        )
        return min((instant for instant in instants if instant is not None), default=None)

    def __contains__(self, transaction_id: stun.TransactionId) -> bool:
        return transaction_id in self._outstanding or transaction_id in self._probes

    def take(self, transaction_id: stun.TransactionId) -> OutstandingCheck | None:
        """Forgets the check that this transaction is and returns it, or None."""
        return self._outstanding.take(transaction_id)

    def probe(self, local: LocalCandidate, destination: TransportAddress, now: float) -> bytes:
        """The bytes of a check that is sent once, at ``now``; see :mod:`natcore.ice.probes`."""
        transaction_id, request = self.build(local)
        transaction = stun.ClientTransaction(
            transaction_id=transaction_id, request=request, schedule=SCHEDULE, now=now
        )
        transaction.handle_timer(now)
        self._probes.add(
            SentProbe(
                local=local,
                destination=destination,
                transaction=transaction,
                sent_as_controlling=self._role.is_controlling,
            )
        )
        return request

    def take_probe(self, transaction_id: stun.TransactionId) -> SentProbe | None:
        """Forgets the probe that this transaction is and returns it, or None."""
        return self._probes.take(transaction_id)

    def forget_probes(self) -> None:
        """There is a path: what other probes meet is of no use."""
        self._probes.clear()

    def trigger(self, pair: CandidatePair) -> bool:
        """A check of the peer's came on this pair: ours is begun anew (RFC 8445 section 7.3.1.4).

        False where it was triggered too often. The response to the check that it replaces still counts.
        """
        is_triggered = self._checklist.trigger(pair)
        if is_triggered:
            self._outstanding.cancel(only=pair)
        return is_triggered

    def stop_repeating(self) -> None:
        """A pair is selected: what is on its way may be answered, and is not repeated (section 8.1.2)."""
        self._outstanding.cancel()

    def clear(self) -> None:
        """Forgets every check."""
        self._outstanding.clear()
        self._probes.clear()

    def build(self, local: LocalCandidate, *, nominates: bool = False) -> tuple[stun.TransactionId, bytes]:
        """The bytes of a new check from this candidate's base, with our role of this moment."""
        transaction_id = stun.TransactionId(self._random(12))
        request = build_check(
            transaction_id=transaction_id,
            local=self._local,
            remote=self._remote,
            candidate=local,
            is_controlling=self._role.is_controlling,
            tie_breaker=self._role.tie_breaker,
            nominates=nominates,
        )
        return transaction_id, request

    # --- inside ------------------------------------------------------------------------------------------

    def _next_ordinary_at(self) -> float | None:
        if self._nomination.selected is not None:
            return None
        return min(map(self._pacing.due_at, self._checklist.waiting_bases), default=None)

    def _start_due(self, now: float) -> None:
        """Triggered checks go at once; ordinary ones when their socket's turn has come.

        Once a pair is selected there are no ordinary ones any more (RFC 8445 section 8.1.2), and none is
        triggered but by a nomination of another pair.

        Deviation from RFC 8445 section 6.1.4.2, which paces triggered checks too. They answer authentic
        checks one for one, so they cannot be more than the peer paced, and waiting costs a NAT's patience.
        """
        while (pair := self._checklist.next_triggered()) is not None:
            self._begin(pair, now)
        while self._nomination.selected is None:
            pair = self._checklist.next_ordinary(lambda base: self._pacing.due_at(base) <= now)
            if pair is None:
                return
            self._pacing.started(pair.base, now)
            self._begin(pair, now)

    def _begin(self, pair: CandidatePair, now: float) -> None:
        pair.move_to(PairState.IN_PROGRESS)
        lead = self._config.opener_lead if self._send_opener(pair) else 0.0
        self._start(pair, now + lead, nominates=False, schedule=self._config.check_schedule)

    def _send_opener(self, pair: CandidatePair) -> bool:
        """Sends one where it is of use; whether it did. Nobody waits for its answer."""
        is_useful = (
            self.opener_ttl is not None
            and pair.remote.type in _BEHIND_NATS
            and pair.destination.ip.version == 4  # the hops were counted to a NAT, and IPv6 has none
            and pair.triggers == 0  # else the peer's check has come through, and waits for ours
        )
        if is_useful:
            _, request = self.build(pair.local)
            self._counters.openers_sent += 1
            self.transmits.append(
                Transmit(data=request, destination=pair.destination, base=pair.base, ttl=self.opener_ttl)
            )
        return is_useful

    def _start(
        self, pair: CandidatePair, at: float, *, nominates: bool, schedule: stun.RetransmissionSchedule
    ) -> None:
        transaction_id, request = self.build(pair.local, nominates=nominates)
        transaction = stun.ClientTransaction(
            transaction_id=transaction_id, request=request, schedule=schedule, now=at
        )
        self._outstanding.add(
            OutstandingCheck(
                pair=pair,
                transaction=transaction,
                nominates=nominates,
                sent_as_controlling=self._role.is_controlling,
            )
        )

    def _send_due(self, now: float) -> None:
        for check, request in self._outstanding.take_due(now):
            if request is not None:
                self._counters.checks_sent += 1
                pair = check.pair
                self.transmits.append(Transmit(data=request, destination=pair.destination, base=pair.base))
                self._note_opened(pair, is_repeated=check.transaction.requests_sent > 1)
                continue
            if check.nominates:
                self._nomination.is_lost(check.pair)
            check.pair.fail()

    def _note_opened(self, pair: CandidatePair, *, is_repeated: bool) -> None:
        """A triggered check is not told of: what goes behind those is under way already."""
        key = (pair.base, pair.destination)
        if is_repeated or key not in self._opened:
            self._opened.add(key)
            self.started.append(CheckStarted(base=pair.base, destination=pair.destination))

    def _nomination_schedule(self, pair: CandidatePair) -> stun.RetransmissionSchedule:
        """As of any check, but the first transmission measures the round trip: not repeated too early."""
        schedule = self._config.check_schedule
        rto = max(schedule.rto, 2 * (pair.rtt or 0.0))
        return replace(schedule, rto=rto if schedule.max_rto is None else min(rto, schedule.max_rto))
