"""One request to a gateway and its repetitions, one at a time; and what both clients make of it."""

from __future__ import annotations

from collections import deque

from natcore.address import TransportAddress
from natcore.agent import Transmit
from natcore.portmap.mapping import PortMapEvent, RequestFailed
from natcore.stun import ClientTransaction, RetransmissionSchedule, TransactionId, TransactionState

_NO_ID = TransactionId(bytes(12))
"""Of a transaction: neither protocol has one, and answers are told apart by what they say."""


class Exchange:
    """What is under way with one server; nothing at first.

    Attributes:
        server: where requests go, and where alone answers come from.
        discarded: datagrams that were no answer to what was asked.
    """

    def __init__(self, *, server: TransportAddress, base: TransportAddress) -> None:
        self.server = server
        self.discarded = 0
        self._base = base
        self._transaction: ClientTransaction | None = None
        self._transmits: list[Transmit] = []

    @property
    def is_under_way(self) -> bool:
        """Whether an answer is awaited."""
        return self._transaction is not None

    @property
    def silence(self) -> str:
        """What to say of a server that does not answer."""
        return f"no answer from {self.server}"

    def start(self, request: bytes, schedule: RetransmissionSchedule, now: float) -> None:
        """Sends a request for the first time, in place of the one that was under way."""
        self._transaction = ClientTransaction(
            transaction_id=_NO_ID, request=request, schedule=schedule, now=now
        )
        self.handle_timer(now)

    def finish(self) -> None:
        """The answer has come, or is not wanted any more."""
        self._transaction = None

    def handle_timer(self, now: float) -> bool:
        """Repeats the request when it is due; True once, when nobody has answered in time."""
        if self._transaction is None:
            return False
        request = self._transaction.handle_timer(now)
        if request is not None:
            self._transmits.append(Transmit(data=request, destination=self.server, base=self._base))
        if self._transaction.state is not TransactionState.TIMED_OUT:
            return False
        self._transaction = None
        return True

    def datagrams_to_send(self) -> list[Transmit]:
        """Hands over what is waiting to be sent."""
        transmits, self._transmits = self._transmits, []
        return transmits

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due next."""
        return None if self._transaction is None else self._transaction.get_timer()


class GatewayClient:
    """What the clients of NAT-PMP and PCP share: an exchange, and the verbs that know nothing of it."""

    def __init__(self, *, server: TransportAddress, base: TransportAddress) -> None:
        self._exchange = Exchange(server=server, base=base)
        self._events: deque[PortMapEvent] = deque()

    @property
    def server(self) -> TransportAddress:
        """Where requests go, and where alone answers come from."""
        return self._exchange.server

    @property
    def discarded(self) -> int:
        """Datagrams that were no answer to what was asked."""
        return self._exchange.discarded

    def handle_timer(self, now: float) -> None:
        """Repeats a request, or gives it up."""
        if self._exchange.handle_timer(now):
            self._fail(self._exchange.silence)

    def datagrams_to_send(self) -> list[Transmit]:
        """Hands over what is waiting to be sent."""
        return self._exchange.datagrams_to_send()

    def next_event(self) -> PortMapEvent | None:
        """Hands over the oldest event."""
        return self._events.popleft() if self._events else None

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due next."""
        return self._exchange.get_timer()

    def _fail(self, reason: str) -> None:
        self._events.append(RequestFailed(reason=reason))
