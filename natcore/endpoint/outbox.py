"""What waits for the owner of an endpoint, in the order in which it came about, whichever part it is from."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from natcore.agent import Transmit
from natcore.endpoint.events import EndpointEvent


class Outbox:
    """The parts of one endpoint fill it, and the endpoint hands over from it."""

    def __init__(self) -> None:
        self._transmits: list[Transmit] = []
        self._events: deque[EndpointEvent] = deque()

    def send(self, transmits: Iterable[Transmit]) -> None:
        """Lets datagrams wait to be sent."""
        self._transmits += transmits

    def tell(self, event: EndpointEvent) -> None:
        """Lets an event wait to be taken."""
        self._events.append(event)

    def datagrams_to_send(self) -> list[Transmit]:
        """Hands over what is waiting to be sent."""
        transmits, self._transmits = self._transmits, []
        return transmits

    def next_event(self) -> EndpointEvent | None:
        """Hands over the oldest event."""
        return self._events.popleft() if self._events else None
