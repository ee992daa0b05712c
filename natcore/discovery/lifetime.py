"""How long an idle mapping lives, found by sections (RFC 5780 section 4.6).

Theory of operation. Several sockets, the holders, speak once and then keep silent. Each is tested once, after
a time of its own: another socket, the asker, has the server send an answer to the holder's public port
(RESPONSE-PORT). If the answer arrives, the mapping lived. A first round of times, each twice the one before,
ends with the first mapping that is found dead; the gap between the longest life and the first death is then
cut into sections, one holder each, until it is narrow. With eight sections at once a gap shrinks ninefold in
the time in which bisection would halve it once.

A death is believed when the asker's own plain question, sent behind the test, is answered and the test is
not, ``tries`` times at least, and so often that losses can hardly be the reason, given those among the plain
questions. Such a mapping was dead by the time of the last test, which is what is told.

What is measured is the life of a mapping that carried one question and its answer; some NATs give a longer
one to a mapping in long use.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from natcore import stun
from natcore.address import ReflexiveAddress, TransportAddress
from natcore.agent import RandomBytes, Transmit
from natcore.discovery.finding import Finding, Known, Unknown
from natcore.discovery.request import SOFTWARE, binding_request
from natcore.errors import DecodeError, MisuseError

SECTIONS = 8
"""Holders of every round after the first."""

MAX_ROUNDS = 4
"""Of sections at most; ninefold each time, two are usual."""

LADDER = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)
"""Seconds of the first round. Routers have 30 to 300 (Hätönen 2010); RFC 4787 REQ-5 asks for 120 at least."""

LIFETIME_SOCKETS = 1 + len(LADDER) + 1 + MAX_ROUNDS * SECTIONS
"""The asker and a fresh holder for each idle time; in the first round the limit is one more of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LifetimeConfig:
    """What may be chosen; times in seconds.

    Attributes:
        limit: longer idle times are not tried.
        precision: a gap is narrow that is at most this share of the shorter time,
        resolution: or at most so long.
        tries: of each test, at least; ``4 * tries`` without any answer show a server that is gone, and after
            ``8 * tries`` too much gets lost.
        risk: the probability of taking losses for a death, below which it is believed.
        answer_timeout: for the asker's question.
    """

    limit: float = 300.0
    precision: float = 0.05
    resolution: float = 0.5
    tries: int = 4
    risk: float = 1e-4
    answer_timeout: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingLifetime:
    """Seconds between which an idle mapping dies; ``at_most`` is None where none died.

    A death is certain only by the end of its tests, which take some round trips.
    """

    at_least: float
    at_most: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LifetimeProgress:
    """What is known so far.

    Attributes:
        elapsed: seconds since the start.
        expected: seconds in all, as far as can be told now; never less than ``elapsed``.
        at_least: the longest life seen, seconds.
        at_most: the shortest death seen, or None.
    """

    elapsed: float
    expected: float
    at_least: float
    at_most: float | None


@dataclass(slots=True, kw_only=True, eq=False)
class _Holder:
    base: TransportAddress
    idle: float
    mapped: ReflexiveAddress | None = None
    sent_at: float = 0.0
    spoke_at: float | None = None
    sends: int = 0
    due_at: float | None = None
    lived: bool | None = None
    questions: set[stun.TransactionId] = field(default_factory=set)
    tests: set[stun.TransactionId] = field(default_factory=set)
    tested_at: float = 0.0
    control: stun.TransactionId | None = None
    is_controlled: bool = False
    silences: int = 0
    outages: int = 0


LifetimeEvent = LifetimeProgress | Known[MappingLifetime] | Unknown


class LifetimeDiscovery:
    """See the module; it has the five verbs of :class:`natcore.agent.Agent`.

    Attributes:
        finding: the outcome, once it is there; ``next_event`` hands it over, too.
        discarded: datagrams that answered nothing.
    """

    def __init__(
        self,
        *,
        bases: Sequence[TransportAddress],
        server: TransportAddress,
        random: RandomBytes,
        now: float,
        config: LifetimeConfig | None = None,
    ) -> None:
        """Begins at once.

        Args:
            bases: the sockets, ``LIFETIME_SOCKETS`` of one address.
            server: one that obeys RESPONSE-PORT.
            random: for transaction ids.
            now: seconds.
            config: the numbers.

        Raises:
            MisuseError: another number of sockets.
        """
        if len(bases) != LIFETIME_SOCKETS:
            raise MisuseError(f"lifetime: got {len(bases)} sockets, expected {LIFETIME_SOCKETS}")
        self.finding: Finding[MappingLifetime] | None = None
        self.discarded = 0
        self._config = config or LifetimeConfig()
        self._random = random
        self._server = server
        self._asker, *self._fresh = bases
        self._started_at = now
        self._alive = 0.0
        self._dead: float | None = None
        self._dead_by: float | None = None
        self._answered = self._lost = 0
        self._rounds = 0
        self._round_ends_at = now
        self._holders: list[_Holder] = []
        self._controls: dict[stun.TransactionId, _Holder] = {}
        self._transmits: list[Transmit] = []
        self._events: deque[LifetimeEvent] = deque()
        self._begin_round([idle for idle in LADDER if idle < self._config.limit] + [self._config.limit], now)

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
        if source != self._server or self.finding is not None:
            self.discarded += 1
        elif base == self._asker:
            self._receive_at_asker(message, now)
        else:
            self._receive_at_holder(message, base, now)
        self._proceed(now)

    def handle_timer(self, now: float) -> None:
        """Asks and tests what is due."""
        if self.finding is None:
            for holder in self._holders:
                if holder.due_at is not None and holder.due_at <= now:
                    self._act(holder, now)
            self._proceed(now)

    def datagrams_to_send(self) -> list[Transmit]:
        """Hands over what is waiting to be sent."""
        transmits, self._transmits = self._transmits, []
        return transmits

    def next_event(self) -> LifetimeEvent | None:
        """Progress, and at the end the finding."""
        return self._events.popleft() if self._events else None

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due next."""
        if self.finding is not None:
            return None
        return min((one.due_at for one in self._holders if one.due_at is not None), default=None)

    # --- holders -------------------------------------------------------------------------------------------

    def _receive_at_holder(self, message: stun.ReceivedMessage, base: TransportAddress, now: float) -> None:
        holder = next((one for one in self._holders if one.base == base), None)
        attribute = message.get(stun.XorMappedAddress)
        if holder is None or attribute is None:
            self.discarded += 1
        elif message.transaction_id in holder.tests:
            self._decide(holder, lived=True)
        elif message.transaction_id in holder.questions and not holder.tests:
            self._answered += holder.spoke_at is None
            holder.mapped = ReflexiveAddress(attribute.address)
            holder.spoke_at = now
            holder.due_at = now + holder.idle
        else:
            self.discarded += 1

    def _receive_at_asker(self, message: stun.ReceivedMessage, now: float) -> None:
        if any(message.transaction_id in one.tests for one in self._holders):
            error = message.get(stun.ErrorCode)
            detail = "" if error is None else f" (error {error.code})"
            self._finish(Unknown(f"the server does not send answers to other ports of ours{detail}"))
            return
        holder = self._controls.get(message.transaction_id)
        is_awaited = holder is not None and message.transaction_id == holder.control
        if holder is None or holder.lived is not None or holder.is_controlled or not is_awaited:
            self.discarded += 1
        else:
            holder.is_controlled = True
            holder.due_at = min(holder.due_at or now, now + max(0.05, (now - holder.tested_at) / 2))

    def _act(self, holder: _Holder, now: float) -> None:
        if holder.spoke_at is None:
            self._speak(holder, now)
            return
        if holder.tests:
            self._take_silence(holder, now)
        if holder.lived is None and self.finding is None:
            self._test(holder, now)

    def _take_silence(self, holder: _Holder, now: float) -> None:
        """A test has had its time, and no answer."""
        if holder.is_controlled:
            self._answered += 1
            holder.silences, holder.outages = holder.silences + 1, 0
        else:
            self._lost += 1
            holder.outages += 1
        loss = (self._lost + 1) / (self._lost + self._answered + 2)  # on the careful side (Laplace's rule)
        if holder.silences >= self._config.tries and loss**holder.silences <= self._config.risk:
            self._decide(holder, lived=False)
            dead_by = now - holder.sent_at
            self._dead_by = dead_by if self._dead_by is None else min(dead_by, self._dead_by)
        elif holder.outages >= 4 * self._config.tries:
            self._finish(Unknown("the server has fallen silent"))
        elif len(holder.tests) >= 8 * self._config.tries:
            self._finish(Unknown("too many packets get lost to tell silence from a death"))

    def _speak(self, holder: _Holder, now: float) -> None:
        if holder.sends >= 8:
            self._finish(Unknown("the server has fallen silent"))
            return
        self._lost += holder.sends > 0
        holder.sends += 1
        holder.sent_at = now
        holder.questions.add(self._send(holder.base, now))
        holder.due_at = now + self._config.answer_timeout

    def _test(self, holder: _Holder, now: float) -> None:
        if holder.mapped is None:
            return
        holder.tested_at = now
        holder.is_controlled = False
        holder.tests.add(self._send(self._asker, now, stun.ResponsePort(holder.mapped.port)))
        holder.control = self._send(self._asker, now)
        self._controls[holder.control] = holder
        holder.due_at = now + self._config.answer_timeout

    def _decide(self, holder: _Holder, *, lived: bool) -> None:
        if holder.lived is None:
            holder.lived = lived
            holder.due_at = None

    def _send(
        self, base: TransportAddress, now: float, attribute: stun.Attribute | None = None
    ) -> stun.TransactionId:
        further = () if attribute is None else (attribute,)
        transaction, request = binding_request(self._random, SOFTWARE, *further)
        self._transmits.append(Transmit(data=request, destination=self._server, base=base))
        return transaction

    # --- rounds --------------------------------------------------------------------------------------------

    def _begin_round(self, idle_times: Sequence[float], now: float) -> None:
        self._rounds += 1
        self._holders = [_Holder(base=self._fresh.pop(), idle=idle, due_at=now) for idle in idle_times]
        self._controls.clear()
        self._round_ends_at = now + max(idle_times)
        for holder in self._holders:
            self._speak(holder, now)
        self._tell(now)

    def _proceed(self, now: float) -> None:
        if self.finding is not None:
            return
        before = self._alive, self._dead
        for holder in self._holders:
            if holder.lived is True:
                self._alive = max(self._alive, holder.idle)
            elif holder.lived is False:
                self._dead = min(holder.idle, self._dead or holder.idle)
        if (self._alive, self._dead) != before:
            self._tell(now)
        if all(one.lived is not None or self._is_beyond(one) for one in self._holders):
            self._end_round(now)

    def _is_beyond(self, holder: _Holder) -> bool:
        """Whether a shorter idle time was deadly, so that this one has nothing to tell."""
        return self._dead is not None and holder.idle > self._dead

    def _end_round(self, now: float) -> None:
        if self._dead is None or self._dead_by is None:
            evidence = f"a mapping lived for {self._alive:g} s of silence, and longer was not tried"
            self._finish(Known(MappingLifetime(at_least=self._alive, at_most=None), evidence))
        elif self._alive > self._dead_by:
            self._finish(
                Unknown(
                    f"mappings do not agree: one lived for {self._alive:g} s, "
                    f"another was dead by {self._dead_by:.3g} s"
                )
            )
        elif not (self._is_narrow or self._rounds > MAX_ROUNDS):
            gap = self._dead - self._alive
            sections = [self._alive + gap * part / (SECTIONS + 1) for part in range(1, SECTIONS + 1)]
            self._begin_round(sections, now)
        elif self._alive == 0:
            self._finish(Unknown("no answer to another port of ours has come, so perhaps none was sent"))
        else:
            evidence = f"one lived for {self._alive:.3g} s of silence, one was dead by {self._dead_by:.3g} s"
            self._finish(Known(MappingLifetime(at_least=self._alive, at_most=self._dead_by), evidence))

    @property
    def _is_narrow(self) -> bool:
        gap = (self._dead or 0.0) - self._alive
        return gap <= max(self._config.resolution, self._config.precision * self._alive)

    def _tell(self, now: float) -> None:
        elapsed = now - self._started_at
        end = self._round_ends_at - self._started_at
        if self._rounds == 1:
            end += self._config.limit if self._dead is None else self._dead
        self._events.append(
            LifetimeProgress(
                elapsed=elapsed, expected=max(end, elapsed), at_least=self._alive, at_most=self._dead_by
            )
        )

    def _finish(self, finding: Known[MappingLifetime] | Unknown) -> None:
        if self.finding is None:
            self.finding = finding
            self._events.append(finding)
