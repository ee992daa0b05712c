"""A discovery on a stage: the test plays NAT, servers and network, and the clock jumps to what is due."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import count

from natcore import stun
from natcore.address import TransportAddress
from natcore.agent import Transmit
from natcore.discovery import SOCKET_COUNT, Discovery, DiscoveryConfig, DiscoveryReport
from natcore.discovery.plan import SOCKETS, Role
from tests.sim.pair import seeded

BASES = tuple(TransportAddress(ip_address("192.168.7.10"), 40000 + number) for number in range(SOCKET_COUNT))
SCOUT = BASES[0]
PUBLIC = ip_address("203.0.113.7")
PRIMARY = TransportAddress.parse("198.51.100.10:10080")
OTHER = TransportAddress.parse("198.51.100.20:10081")
RTT = 0.04
NOBODY = TransportAddress.parse("192.0.2.66:6666")

Reply = tuple[bytes, TransportAddress, TransportAddress]
"""Bytes, from where, to which base."""

Responder = Callable[[Transmit, stun.ReceivedMessage], Iterable[Reply]]


def bases_of(role: Role) -> tuple[TransportAddress, ...]:
    """The sockets of a role, in the order of the plan."""
    before = sum(
        number for one, number in SOCKETS.items() if list(SOCKETS).index(one) < list(SOCKETS).index(role)
    )
    return BASES[before : before + SOCKETS[role]]


def keeping(base: TransportAddress, _: TransportAddress) -> TransportAddress:
    """A NAT that keeps one scrambled port for each socket."""
    return TransportAddress(PUBLIC, 1024 + base.port * 7919 % 60000)


def symmetric(base: TransportAddress, destination: TransportAddress) -> TransportAddress:
    """A NAT that takes another port for each destination."""
    return TransportAddress(PUBLIC, 1024 + (base.port * 7919 + hash_of(destination) * 104729) % 60000)


def hash_of(address: TransportAddress) -> int:
    return int(address.ip) * 31 + address.port


def answer(
    request: stun.ReceivedMessage,
    *attributes: stun.Attribute,
    message_class: stun.MessageClass = stun.MessageClass.SUCCESS_RESPONSE,
) -> bytes:
    """The response to a request."""
    return stun.Message(
        method=stun.Method.BINDING,
        message_class=message_class,
        transaction_id=request.transaction_id,
        attributes=attributes,
    ).encode()


def refusal(request: stun.ReceivedMessage, code: int) -> bytes:
    """The error response to a request."""
    return answer(request, stun.ErrorCode(code), message_class=stun.MessageClass.ERROR_RESPONSE)


@dataclass(kw_only=True)
class Server:
    """A server behind whatever the NAT and its filter do; a field each for its habits.

    Attributes:
        primary: where it is.
        other: its OTHER-ADDRESS.
        alternate_port: its ALTERNATE-PORT.
        says: what it says besides.
        nat: socket and destination to what the server sees.
        lets_in: which changed answers pass the NAT's filter.
        refuses_changes: the error that it has for CHANGE-REQUEST.
        is_obedient: whether changed answers come from where they shall.
    """

    primary: TransportAddress = PRIMARY
    other: TransportAddress | None = OTHER
    alternate_port: int | None = None
    says: tuple[stun.Attribute, ...] = ()
    nat: Callable[[TransportAddress, TransportAddress], TransportAddress] = keeping
    lets_in: Sequence[stun.ChangeRequest] = ()
    refuses_changes: int | None = None
    is_obedient: bool = True

    @property
    def endpoints(self) -> set[TransportAddress]:
        if self.other is None:
            ports = {self.primary.port, self.alternate_port or self.primary.port}
            return {TransportAddress(self.primary.ip, port) for port in ports}
        return {
            TransportAddress(ip, port)
            for ip in (self.primary.ip, self.other.ip)
            for port in (self.primary.port, self.other.port)
        }

    def __call__(self, transmit: Transmit, request: stun.ReceivedMessage) -> Iterable[Reply]:
        """Answers one request."""
        base, destination = transmit.base, transmit.destination
        change = request.get(stun.ChangeRequest)
        if destination not in self.endpoints or transmit.ttl is not None:
            return
        if change is None:
            yield self.tell(transmit, request), destination, base
        elif self.refuses_changes is not None:
            yield refusal(request, self.refuses_changes), destination, base
        elif not self.is_obedient:
            yield self.tell(transmit, request), destination, base
        elif change in self.lets_in:
            ip = self.other.ip if self.other is not None and change.change_ip else destination.ip
            port = self.alternate_port if self.other is None else self.other.port
            assert port is not None
            yield self.tell(transmit, request), TransportAddress(ip, port), base

    def tell(self, transmit: Transmit, request: stun.ReceivedMessage) -> bytes:
        offered: list[stun.Attribute] = [*self.says]
        if self.other is not None:
            offered.append(stun.OtherAddress(self.other))
        if self.alternate_port is not None:
            offered.append(stun.AlternatePort(self.alternate_port))
        return answer(request, stun.XorMappedAddress(self.nat(transmit.base, transmit.destination)), *offered)


def silence(_: Transmit, __: stun.ReceivedMessage) -> Iterable[Reply]:
    """Nobody answers."""
    return ()


@dataclass
class Stage:
    """One discovery and its world.

    Attributes:
        responder: gives the replies to each datagram.
        servers: that are asked.
        tcp: seconds of the TCP connection that comes about at once, or None for none at all.
        now: virtual seconds.
        sent: every datagram so far.
    """

    responder: Responder
    servers: Sequence[TransportAddress] = (PRIMARY,)
    tcp: float | None = RTT
    config: DiscoveryConfig | None = None
    now: float = 0.0
    sent: list[Transmit] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.agent = Discovery(
            bases=BASES, servers=self.servers, random=seeded(1), now=self.now, config=self.config
        )
        self._under_way: list[tuple[float, int, Reply]] = []
        self._numbers = count()
        if self.tcp is not None:
            self.agent.tcp_connected(self.servers[0], self.tcp, self.now)
        self.drain()

    def drain(self) -> None:
        """Takes what the agent sends, and lets the responder answer it."""
        for transmit in self.agent.datagrams_to_send():
            self.sent.append(transmit)
            for reply in self.responder(transmit, stun.Message.decode(transmit.data)):
                self.schedule(reply, RTT)

    def schedule(self, reply: Reply, delay: float) -> None:
        heapq.heappush(self._under_way, (self.now + delay, next(self._numbers), reply))

    def receive(self, data: bytes, source: TransportAddress, base: TransportAddress) -> None:
        """Lets one datagram arrive now."""
        self.agent.receive_datagram(data, source, base, self.now)
        self.drain()

    def step(self) -> bool:
        """Lets the next thing happen; False where nothing is due."""
        due = self.agent.get_timer()
        if self._under_way and (due is None or self._under_way[0][0] <= due):
            self.now, _, reply = heapq.heappop(self._under_way)
            self.receive(*reply)
            return True
        if due is None:
            return False
        assert due >= self.now, "a timer in the past"
        self.now = due
        self.agent.handle_timer(self.now)
        self.drain()
        return True

    def run(self) -> DiscoveryReport:
        """Goes on to the report, in bounded steps."""
        for _ in range(5000):
            if (report := self.agent.next_event()) is not None:
                return report
            assert self.step(), "nothing is due and there is no report"
        raise AssertionError("no report in 5000 steps")

    def sent_to(self, *destinations: TransportAddress) -> list[Transmit]:
        return [one for one in self.sent if one.destination in destinations]


def discover(responder: Responder, *servers: TransportAddress, tcp: float | None = RTT) -> DiscoveryReport:
    """The report of one discovery."""
    return Stage(responder, servers or (PRIMARY,), tcp).run()
