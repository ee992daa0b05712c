"""Fresh samples of the ports that a NAT gives, for predicting the next ones.

Some sockets ask one server at the same moment, each once for a new mapping, and some more a moment later: the
first burst says where the NAT is, and the distance to the second how many mappings others make. What a whole
discovery has seen is too old for a prediction: it makes further mappings after those whose ports it knows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from natcore import stun
from natcore.address import TransportAddress
from natcore.agent import RandomBytes, Transmit
from natcore.discovery.request import binding_request
from natcore.errors import DecodeError

BURST_SIZE = 4
"""Sockets that ask at once. One would do if no packet were ever lost or overtaken, and if no socket ever had
the number of an earlier one whose mapping the NAT still knows."""

BURST_INTERVAL = 0.15
"""Seconds from a burst to the next. In this time others at 20 a second make three mappings, half of which
could not be told from none; and the start of a program is this much later."""

SCHEDULE = stun.RetransmissionSchedule(rto=0.1, max_requests=3, final_wait_factor=3)
"""Of each question, 0.6 s in all: a prediction waits for it, and what is older is worth less."""

PortSamples = tuple[tuple[int, float], ...]
"""External ports and the instants at which they were asked for; each burst in the order of its answers."""


class PortSampler:
    """See the module; it has the five verbs of :class:`natcore.agent.Agent`. Its one event is the samples."""

    def __init__(
        self, *, bases: Sequence[TransportAddress], server: TransportAddress, random: RandomBytes, now: float
    ) -> None:
        """Asks from the first :data:`BURST_SIZE` sockets at once.

        Args:
            bases: the sockets, which have spoken to nobody; one burst after the other.
            server: a STUN server.
            random: for transaction ids.
            now: seconds.
        """
        self._server = server
        self._asked = {
            base: self._question(random, now + index // BURST_SIZE * BURST_INTERVAL)
            for index, base in enumerate(bases)
        }
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

    def _question(self, random: RandomBytes, at: float) -> stun.ClientTransaction:
        transaction_id, request = binding_request(random)
        return stun.ClientTransaction(
            transaction_id=transaction_id,
            request=request,
            schedule=SCHEDULE,
            now=at,
        )

    def _end_if_over(self) -> None:
        if not self._is_over and self.get_timer() is None:
            self._is_over = True
            samples = [(port, self._asked[base].started_at) for base, port in self._ports.items()]
            self._events.append(tuple(sorted(samples, key=lambda sample: sample[1])))
