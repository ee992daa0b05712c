"""Staying Awake: letting the rendezvous server observe our public endpoint, again and again.

An Awake request is a STUN Binding request with the session's name as USERNAME, MESSAGE-INTEGRITY by the
session's key and an AWAKE-SEQUENCE that only grows. The server takes the *source* of the datagram and tells
it back in XOR-MAPPED-ADDRESS. Repeating it keeps the NAT's mapping alive (RFC 8445 section 11: Tr) and
shows a mapping that changed.

Where there are several ways to the server (two interfaces, two address families) each retransmission takes
the next one, so that a dead way costs one interval and no more. The server believes one datagram of a
sequence, the first that arrives, and answers no other; the way that is answered is used from then on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from natcore import stun
from natcore.address import ReflexiveAddress, TransportAddress
from natcore.agent import RandomBytes, Transmit
from natcore.control.copies import ServerCopy, servers_copies
from natcore.control.messages import Connect
from natcore.errors import DecodeError

MIN_REFRESH_INTERVAL = 1.0
"""Seconds; whatever was measured, the server is asked no more often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwakeConfig:
    """Times in seconds.

    Attributes:
        schedule: of one request. Deviation from RFC 8489 section 6.2.1, which starts at 500 ms and gives up
            after 39.5 s: TCP to the same server has just worked, so quicker is no burden, and somebody is
            waiting to hear that UDP is blocked. Gives up after 4.7 s.
        refresh_interval: Tr, between requests (RFC 8445 section 11: 15 s at least), while it is not known how
            long an idle mapping lives.
        max_refresh_interval: where mappings live long. A moved address that nothing else shows is noticed so.
    """

    schedule: stun.RetransmissionSchedule = stun.RetransmissionSchedule(  # noqa: RUF009 (it is frozen)
        rto=0.1, max_requests=6, final_wait_factor=16
    )
    refresh_interval: float = 15.0
    max_refresh_interval: float = 30.0

    def interval_for(self, mapping_lifetime: float | None) -> float:
        """Seconds between two requests, for mappings that live so many seconds: half of that.

        A request is repeated for 4.7 s where it has no answer, so one round of losses may pass.
        """
        if mapping_lifetime is None:
            return self.refresh_interval
        return min(self.max_refresh_interval, max(MIN_REFRESH_INTERVAL, mapping_lifetime / 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Awoke:
    """The server observed us: for the first time, or at another address than before.

    Attributes:
        address: our public endpoint.
        rtt: seconds to the server and back over UDP, or None where a retransmission blurred it.
    """

    address: ReflexiveAddress
    rtt: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WakingFailed:
    """No request of the last few was answered, or the server said no. Requests go on at the usual pace."""

    reason: str


AwakeEvent = Awoke | WakingFailed


Way = tuple[TransportAddress, TransportAddress]
"""Our base, and the server's endpoint that is asked from there; of one address family."""


class AwakeAgent:
    """One client's Awake requests to one server.

    Args:
        ways: one or more, the best first.
        session: the name by which the server knows us.
        key: of that session, in characters.
        config: its times.
        random: for transaction ids.
        now: seconds; the first request goes out at once.

    Attributes:
        address: what the server saw last, or None.
        discarded: datagrams that were no authentic answer, and no copy of a control message.
        observed_at: when the request was sent that the server answered last; before the start for none.
    """

    def __init__(
        self,
        *,
        ways: Sequence[Way],
        session: str,
        key: str,
        config: AwakeConfig,
        random: RandomBytes,
        now: float,
        mapping_lifetime: float | None = None,
    ) -> None:
        self._ways = deque(ways)
        self.address: ReflexiveAddress | None = None
        self.discarded = 0
        self._session = session
        self._key = stun.short_term_key(key)
        self._copies = servers_copies(session, key)
        self._heard: deque[ServerCopy] = deque()
        self._config = config
        self._interval = config.interval_for(mapping_lifetime)
        self._random = random
        self.observed_at = -1.0
        self._token: stun.AddressToken | None = None
        self._sequence = 0
        self._is_failing = False
        self._transaction: stun.ClientTransaction | None = None
        self._next_request_at = now
        self._transmits: list[Transmit] = []
        self._events: deque[AwakeEvent] = deque()
        self.handle_timer(now)

    @property
    def base(self) -> TransportAddress:
        """Of the socket that the server observes."""
        return self._ways[0][0]

    @property
    def server(self) -> TransportAddress:
        """The server's endpoint that :attr:`base` asks."""
        return self._ways[0][1]

    def is_from_server(self, source: TransportAddress) -> bool:
        """Whether a datagram from there may be an answer to us."""
        return any(source == server for _, server in self._ways)

    def take_ways(self, ways: Sequence[Way], now: float) -> None:
        """Our addresses have changed: asks at once, by the best of these ways, one at least."""
        self._ways = deque(ways)
        self.refresh(now)

    def fit_to(self, mapping_lifetime: float | None, now: float) -> None:
        """Repeats from now on as often as a mapping that lives so long asks for; None where it is unknown."""
        self._interval = self._config.interval_for(mapping_lifetime)
        self._next_request_at = min(self._next_request_at, now + self._interval)

    def refresh(self, now: float) -> None:
        """Lets the server observe us now, and not only when it is due."""
        self._transaction = None
        self._next_request_at = now
        self.handle_timer(now)

    def receive_datagram(
        self, data: bytes, source: TransportAddress, base: TransportAddress, now: float
    ) -> None:
        """Takes what came from the server's endpoint."""
        try:
            message = stun.Message.decode(data)
        except DecodeError:
            self.discarded += 1
            return
        if message.method is stun.Method.CONTROL:
            self._receive_copy(message)
            return
        transaction = self._transaction
        if transaction is None or message.transaction_id != transaction.transaction_id:
            self.discarded += 1
        elif message.message_class is stun.MessageClass.ERROR_RESPONSE:
            # Not authenticated when it says that the session is unknown; so it ends nothing.
            error = message.get(stun.ErrorCode)
            self._fail("the server rejected it" if error is None else f"the server says {error.code}")
        elif message.message_class is stun.MessageClass.SUCCESS_RESPONSE and message.is_authentic(self._key):
            self._succeed(message, transaction, (base, source), now)
        else:
            self.discarded += 1

    def send_copy(self, message: Connect) -> None:
        """Says over UDP as well, once, what goes over TCP; not before the server has observed us."""
        data = None if self.address is None else self._copies.encode(message, self._random)
        if data is not None:
            self._transmits.append(Transmit(data=data, destination=self.server, base=self.base))

    def next_copy(self) -> ServerCopy | None:
        """Hands over the oldest control message that came over UDP; it comes over TCP as well."""
        return self._heard.popleft() if self._heard else None

    def handle_timer(self, now: float) -> None:
        """Sends, repeats, gives up."""
        if self._transaction is None and now >= self._next_request_at:
            self._begin(now)
        if self._transaction is None:
            return
        request = self._transaction.handle_timer(now)
        if request is not None:
            base, server = self._ways[(self._transaction.requests_sent - 1) % len(self._ways)]
            self._transmits.append(Transmit(data=request, destination=server, base=base))
        elif self._transaction.state is stun.TransactionState.TIMED_OUT:
            sent = self._transaction.requests_sent
            self._transaction = None
            self._fail(f"no answer from {self.server} to {sent} requests over UDP")
            self._ways.rotate(-sent)  # those that it did not come to are first now

    def datagrams_to_send(self) -> list[Transmit]:
        """Hands over what is waiting to be sent."""
        transmits, self._transmits = self._transmits, []
        return transmits

    def next_event(self) -> AwakeEvent | None:
        """Hands over the oldest event."""
        return self._events.popleft() if self._events else None

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due next."""
        due = None if self._transaction is None else self._transaction.get_timer()
        return self._next_request_at if due is None else due

    def _receive_copy(self, datagram: stun.ReceivedMessage) -> None:
        message = self._copies.receive(datagram)
        if message is None:
            self.discarded += 1
        else:
            self._heard.append(message)

    def _begin(self, now: float) -> None:
        self._sequence += 1
        self._next_request_at = now + self._interval
        transaction_id = stun.TransactionId(self._random(12))
        proof = () if self._token is None else (self._token,)
        request = stun.Message(
            method=stun.Method.BINDING,
            message_class=stun.MessageClass.REQUEST,
            transaction_id=transaction_id,
            attributes=(stun.Username(self._session), stun.AwakeSequence(self._sequence), *proof),
        )
        self._transaction = stun.ClientTransaction(
            transaction_id=transaction_id,
            request=request.encode(key=self._key, fingerprint=True),
            schedule=self._config.schedule,
            now=now,
        )

    def _succeed(
        self, message: stun.ReceivedMessage, transaction: stun.ClientTransaction, way: Way, now: float
    ) -> None:
        mapped = message.get(stun.XorMappedAddress)
        if mapped is None or way not in self._ways:
            self.discarded += 1
            return
        self._ways.rotate(-self._ways.index(way))
        self._transaction = None
        self.observed_at = transaction.started_at
        rtt = transaction.receive_response(now)
        token = message.get(stun.AddressToken)
        if token is not None and token != self._token:
            self._token, self._next_request_at = token, now  # repeats it: so we prove that we are there
        if mapped.address != self.address or self._is_failing:
            self.address = ReflexiveAddress(mapped.address)
            self._events.append(Awoke(address=self.address, rtt=rtt))
        self._is_failing = False
        self.handle_timer(now)  # the proof leaves before what the owner asks for now that it is Awake

    def _fail(self, reason: str) -> None:
        if not self._is_failing:
            self._is_failing = True
            self._events.append(WakingFailed(reason=reason))
