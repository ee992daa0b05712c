"""One request to a gateway and its repetitions, one at a time."""

from __future__ import annotations

from natcore.address import TransportAddress
from natcore.agent import Transmit
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
