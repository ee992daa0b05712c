"""The searches of one session: the one that has the path or seeks it, and a renewal that seeks another.

What enters: searches, STUN datagrams, time. What leaves: datagrams, ICE's events, the end of a renewal, and
sockets that nobody needs any more. What is always true: there are two at most; a renewal takes the first
one's place at the moment it has a path, and until then nothing is told of it but its failure. What it refuses
to know: why there is a renewal, and what the path is for.
"""

from __future__ import annotations

from dataclasses import dataclass

from natcore import stun
from natcore.address import TransportAddress
from natcore.agent import Transmit
from natcore.channel.search import PathSearch
from natcore.ice import ConnectivityFailed, FailureReason, IceEvent, PathConfirmed


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalFailed:
    """The renewal has found no other path, and is over.

    Attributes:
        reason: as of :class:`natcore.ice.ConnectivityFailed`.
        detail: the same.
    """

    reason: FailureReason
    detail: str


class Searches:
    """See the module.

    Attributes:
        current: the search whose path is in use, if there is any.
        renewal: the one beside it, or None.
    """

    def __init__(self, first: PathSearch) -> None:
        self.current = first
        self.renewal: PathSearch | None = None
        self._released: tuple[TransportAddress, ...] = ()

    @property
    def newest(self) -> PathSearch:
        """The one that the newest introduction began: what the server tells later is for it."""
        return self.renewal or self.current

    def renew(self, search: PathSearch) -> None:
        """Takes a search beside the current one, in the place of an earlier one."""
        if self.renewal is not None:
            self._leave(self.renewal)
        self.renewal = search

    def close(self) -> None:
        """Ends all of them, and the path."""
        for search in self._all:
            search.close()

    def is_awaiting(self, transaction_id: stun.TransactionId) -> bool:
        """Whether a response to this transaction would be for one of them."""
        return any(search.is_awaiting(transaction_id) for search in self._all)

    def receive_stun(self, data: bytes, source: TransportAddress, base: TransportAddress, now: float) -> None:
        """Takes a STUN datagram; each search discards what is not for its credentials."""
        for search in self._all:
            search.receive_stun(data, source, base, now)

    def handle_timer(self, now: float) -> None:
        """Does whatever is due."""
        for search in self._all:
            search.handle_timer(now)

    def datagrams_to_send(self) -> list[Transmit]:
        """Hands over what is waiting to be sent."""
        transmits = self.current.datagrams_to_send()
        return transmits if self.renewal is None else transmits + self.renewal.datagrams_to_send()

    def next_event(self, now: float) -> IceEvent | RenewalFailed | None:
        """Hands over the oldest event."""
        event = self.current.next_event(now)
        if event is not None or self.renewal is None:
            return event
        renewal = self.renewal
        while (event := renewal.next_event(now)) is not None:
            match event:
                case PathConfirmed():
                    self._leave(self.current)
                    self.current, self.renewal = renewal, None
                    return event
                case ConnectivityFailed():
                    self._leave(renewal)
                    self.renewal = None
                    return RenewalFailed(reason=event.reason, detail=event.detail)
        return None

    def released_sockets(self) -> tuple[TransportAddress, ...]:
        """Hands over the bases of sockets that hard attempts need no more."""
        released, self._released = self._released, ()
        for search in self._all:
            released += search.released_sockets()
        return released

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due next."""
        if self.renewal is None:
            return self.current.get_timer()
        instants = (self.current.get_timer(), self.renewal.get_timer())
        return min((instant for instant in instants if instant is not None), default=None)

    @property
    def _all(self) -> tuple[PathSearch, ...]:
        return (self.current,) if self.renewal is None else (self.renewal, self.current)

    def _leave(self, search: PathSearch) -> None:
        search.close()
        self._released += search.released_sockets()
