"""Fresh samples of the ports that a NAT gives, for predicting the next ones.

Some sockets ask one server at the same moment, each once for a new mapping. What a whole discovery has seen
is too old for a prediction: it makes further mappings after those whose ports it knows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from natcore import stun
from natcore.address import TransportAddress
from natcore.agent import RandomBytes, Transmit
from natcore.discovery.request import binding_request
from natcore.errors import DecodeError

SAMPLE_COUNT = 4
"""Sockets; one would do if no packet were ever lost or overtaken."""

SCHEDULE = stun.RetransmissionSchedule(rto=0.1, max_requests=3, final_wait_factor=3)
"""Of each question, 0.6 s in all: a prediction waits for it, and what is older is worth less."""

PortSamples = tuple[tuple[int, float], ...]
"""External ports and the instants at which they were asked for, in that order."""


class PortSampler:
    """See the module; it has the five verbs of :class:`natcore.agent.Agent`. Its one event is the samples."""

    def __init__(
        self, *, bases: Sequence[TransportAddress], server: TransportAddress, random: RandomBytes, now: float
    ) -> None:
        """Asks at once.

        Args:
            bases: the sockets, which have spoken to nobody.
            server: a STUN server.
            random: for transaction ids.
            now: seconds.
        """
        self._server = server
        self._asked_at = now
        self._asked = {base: self._question(random, now) for base in bases}
        self._ports: dict[TransportAddress, int] = {}
        self._is_over = False
        self._transmits: list[Transmit] = []
        self._events: deque[PortSamples] = deque()
        self.handle_timer(now)

    def receive_datagram(
        self, data: bytes, source: TransportAddress, base: TransportAddress, now: float
    ) -> None:
        """Takes one datagram; what is no answer to a question of that socket is ignored."""
        try:
            message = stun.Message.decode(data)
        except DecodeError:
            return
        question = self._asked.get(base)
        mapped = message.get(stun.XorMappedAddress)
        is_answer = message.message_class is stun.MessageClass.SUCCESS_RESPONSE and source == self._server
        if question is None or mapped is None or not is_answer:
            return
        if message.transaction_id == question.transaction_id and mapped.address.port:
            self._ports.setdefault(base, mapped.address.port)
            self._end_if_over()

    def handle_timer(self, now: float) -> None:
        """Repeats what has no answer, and gives up."""
        for base, question in self._asked.items():
            request = None if base in self._ports else question.handle_timer(now)
            if request is not None:
                self._transmits.append(Transmit(data=request, destination=self._server, base=base))
        self._end_if_over()

    def datagrams_to_send(self) -> list[Transmit]:
        """Hands over what is waiting to be sent."""
        transmits, self._transmits = self._transmits, []
        return transmits

    def next_event(self) -> PortSamples | None:
        """The samples, once."""
        return self._events.popleft() if self._events else None

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due next."""
        instants = (one.get_timer() for base, one in self._asked.items() if base not in self._ports)
        return min((instant for instant in instants if instant is not None), default=None)

    def _question(self, random: RandomBytes, now: float) -> stun.ClientTransaction:
        transaction_id, request = binding_request(random)
        return stun.ClientTransaction(
            transaction_id=transaction_id,
            request=request,
            schedule=SCHEDULE,
            now=now,
        )

    def _end_if_over(self) -> None:
        if not self._is_over and self.get_timer() is None:
            self._is_over = True
            known = (self._ports[base] for base in self._asked if base in self._ports)
            self._events.append(tuple((port, self._asked_at) for port in known))
