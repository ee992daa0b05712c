"""Agents that talk in virtual time: the clock jumps to whatever is due next, and every loop is bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from natcore.address import IPAddress, TransportAddress
from natcore.agent import Transmit
from tests.sim.network import Network, Packet, Place

MAX_STEPS = 200_000
"""Of one drive; a conversation that needs more is a storm."""

MAX_STEPS_AT_ONE_INSTANT = 500
"""More without time passing is a busy loop."""

EventT = TypeVar("EventT")


class DrivenAgent(Protocol):
    """The five verbs, whatever the events are."""

    def receive_datagram(
        self, data: bytes, source: TransportAddress, base: TransportAddress, now: float
    ) -> None: ...
    def handle_timer(self, now: float) -> None: ...
    def datagrams_to_send(self) -> list[Transmit]: ...
    def next_event(self) -> object | None: ...
    def get_timer(self) -> float | None: ...


class Participant:
    """One agent on one host, with what it has told so far.

    Attributes:
        agent: may be put in later, but before anything is sent.
        log: (instant, event), in order.
        also_drain: what else its shell does: a client writes to its TCP connection.
    """

    def __init__(self, name: str, ip: IPAddress, place: Place, network: Network) -> None:
        self.name = name
        self.ip = ip
        self.place = place
        self.agent: DrivenAgent | None = None
        self.log: list[tuple[float, object]] = []
        self.also_drain: Callable[[float], None] = lambda _now: None
        self._network = network
        self._interfaces: dict[IPAddress, Place] = {}
        self.plug(ip, place)

    def plug(self, ip: IPAddress, place: Place) -> None:
        """The host gets an interface with this address."""
        self._interfaces[ip] = place
        self._network.attach(ip, place, self)

    def unplug(self, ip: IPAddress) -> None:
        """The host loses that interface; what is sent from there is lost."""
        self._network.detach(ip, self._interfaces.pop(ip))

    def receive_packet(self, packet: Packet, base: TransportAddress, now: float) -> None:
        if self.agent is not None:
            self.agent.receive_datagram(packet.data, packet.source, base, now)
            self.drain(now)

    def handle_timer(self, now: float) -> None:
        if self.agent is not None:
            self.agent.handle_timer(now)
            self.drain(now)

    def get_timer(self) -> float | None:
        return None if self.agent is None else self.agent.get_timer()

    def drain(self, now: float) -> None:
        """What a shell does after every call in."""
        assert self.agent is not None
        while (event := self.agent.next_event()) is not None:
            self.log.append((now, event))
        self.also_drain(now)
        for transmit in self.agent.datagrams_to_send():
            if transmit.base.ip in self._interfaces:
                self._network.send(transmit, self._interfaces[transmit.base.ip], now)

    def events(self, kind: type[EventT]) -> list[EventT]:
        """The events of one kind, in order."""
        return [event for _, event in self.log if isinstance(event, kind)]

    def time_of(self, kind: type[object]) -> float:
        """When the first event of a kind came."""
        for at, event in self.log:
            if isinstance(event, kind):
                return at
        raise AssertionError(f"{self.name} never told of a {kind.__name__}; it told {self.log}")


class Timed(Protocol):
    """Whatever has a timer: participants, and what stands between them."""

    def get_timer(self) -> float | None: ...
    def handle_timer(self, now: float) -> None: ...


class Conversation:
    """The clock and those who live by it.

    Attributes:
        now: seconds of virtual time.
        network: what the participants share.
    """

    def __init__(self, network: Network) -> None:
        self.now = 0.0
        self.network = network
        self._timed: list[Timed] = []
        self._steps_now = 0

    def take_part(self, timed: Timed) -> None:
        self._timed.append(timed)

    def step(self, *, until: float = float("inf")) -> bool:
        """Jumps to the next thing that is due and lets it happen; False where nothing is due in time."""
        arrival = self.network.next_arrival
        due = min(self._deadlines(), default=None, key=lambda pair: pair[0])
        if arrival is not None and arrival <= until and (due is None or arrival <= due[0]):
            self._jump_to(arrival)
            self.network.deliver_next()
            return True
        if due is None or due[0] > until:
            return False
        self._jump_to(due[0])
        due[1].handle_timer(self.now)
        return True

    def advance(self, seconds: float) -> None:
        """Lets so much time pass, with all that is due in it."""
        end = self.now + seconds
        for _ in range(MAX_STEPS):
            if not self.step(until=end):
                break
        else:
            raise AssertionError(f"more than {MAX_STEPS} steps in {seconds} s: a storm")
        self._jump_to(end)

    def drive_until(
        self, kind: type[object], *participants: Participant, limit: float = 60.0, count: int = 1
    ) -> None:
        """Goes on until every one of the participants has told ``count`` events of a kind."""
        self.drive_while(
            lambda: any(len(one.events(kind)) < count for one in participants),
            limit=limit,
            what=kind.__name__,
        )

    def drive_while(self, is_pending: Callable[[], bool], *, limit: float = 60.0, what: str = "it") -> None:
        """Goes on until a condition has ceased."""
        end = self.now + limit
        for _ in range(MAX_STEPS):
            if not is_pending():
                return
            if not self.step(until=end):
                raise AssertionError(f"{what} did not happen in {limit} s")
        raise AssertionError(f"{what} did not happen in {MAX_STEPS} steps")

    def _deadlines(self) -> Iterable[tuple[float, Timed]]:
        for timed in self._timed:
            due = timed.get_timer()
            if due is not None:
                yield max(due, self.now), timed

    def _jump_to(self, instant: float) -> None:
        assert instant >= self.now, "time ran backwards"
        if instant > self.now:
            self._steps_now = 0
        self._steps_now += 1
        assert self._steps_now <= MAX_STEPS_AT_ONE_INSTANT, f"a busy loop at {self.now} s"
        self.now = instant
