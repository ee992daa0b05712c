"""What ``peer.node`` and ``peer.own_nat`` do around a client endpoint, in virtual time.

The endpoint's own socket is there from the start. Whatever else is opened, to measure the NAT, to sample its
next ports, for a hard attempt, gets a port that this host has never used. The decisions are the endpoint's
and the discovery's; what the shell adds is written here a second time, without asyncio: measure after waking,
and where the NAT counts up, sample before connecting, every ten seconds, and after an attempt has used ports.
The lifetime of mappings is not measured.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from random import Random

from natcore.address import IPAddress, TransportAddress
from natcore.agent import RandomBytes
from natcore.channel import PeerSession, SocketsReleased
from natcore.discovery import (
    BURST_SIZE,
    SOCKET_COUNT,
    Discovery,
    DiscoveryReport,
    PortSampler,
    value_of,
)
from natcore.endpoint import (
    Awoke,
    ClientEndpoint,
    SessionEventOccurred,
    SessionStarted,
    SocketsWanted,
    WakingFailed,
)
from natcore.hardnat import MAX_SAMPLES, HardNatLimits, PortSample, SideSummary
from natcore.nat import PortAllocation
from peer.own_nat import FRESH_FOR, SAMPLE_INTERVAL
from tests.sim.conversation import Participant
from tests.sim.network import Network, Packet, Place

FIRST_PORT, LAST_PORT = 32768, 60999
"""Of which Linux takes the ports of sockets that do not care."""


class NodeHost(Participant):
    """See the module.

    Attributes:
        report: what was found of the NAT, once it has been.
        lag: seconds that what the server says over TCP is late, beyond the link's latency.
        first: of each kind of event, the endpoint's and its sessions', the first one and its instant.
    """

    def __init__(
        self,
        name: str,
        ip: IPAddress,
        place: Place,
        network: Network,
        *,
        chance: Random,
        lag: float = 0.0,
    ) -> None:
        super().__init__(name, ip, place, network)
        self.report: DiscoveryReport | None = None
        self.lag = lag
        self.first: dict[type[object], tuple[float, object]] = {}
        self._chance = chance
        self._random: RandomBytes = chance.randbytes
        self._limits = HardNatLimits()
        self._used: set[int] = set()
        self._open: set[TransportAddress] = set()
        self._asking: Discovery | PortSampler | None = None
        self._asks_from: frozenset[TransportAddress] = frozenset()
        self._when_sampled: list[Callable[[float], None]] = []
        self._sample_at: float | None = None
        self._samples: deque[tuple[int, float]] = deque(maxlen=MAX_SAMPLES)
        self._late: deque[tuple[float, bytes]] = deque()
        self._timer: float | None = None

    def begin(self, endpoint: ClientEndpoint, sockets: Iterable[TransportAddress]) -> None:
        """Takes the endpoint, whose own sockets these are."""
        self._endpoint = endpoint
        self.agent = endpoint
        self._open |= set(sockets)
        self._used |= {one.port for one in sockets}

    def connect(self, peer: str, now: float, *, early_data: bytes) -> None:
        """As ``Node.connect``: the peer aims at our next port, so it must be told of the last."""

        def ask(now: float) -> None:
            self._endpoint.connect(peer, now, early_data=early_data)

        is_fresh = bool(self._samples) and now - self._samples[-1][1] < FRESH_FOR
        if self.counts_up and not is_fresh:
            self._when_sampled.append(ask)
            self._sample(now, bursts=1)
        else:
            ask(now)
        self.drain(now)

    def hear_server(self, data: bytes, now: float) -> None:
        """Takes bytes of the TCP connection."""
        self._late.append((now + self.lag, data))
        if not self.lag:
            self._hear_late(now)
        self.drain(now)

    @property
    def is_settled(self) -> bool:
        """Whether its NAT has been measured, or it is known that no UDP passes."""
        return WakingFailed in self.first or (self.report is not None and self._asking is None)

    @property
    def session(self) -> PeerSession | None:
        """The first one that there was."""
        started = self.first.get(SessionStarted, (0.0, None))[1]
        return started.session if isinstance(started, SessionStarted) else None

    @property
    def counts_up(self) -> bool:
        """Whether the next port of the NAT can be foretold."""
        allocation = None if self.report is None else value_of(self.report.allocation)
        return allocation is not None and allocation.kind is PortAllocation.SEQUENTIAL

    # --- a participant's verbs -----------------------------------------------------------------------------

    def receive_packet(self, packet: Packet, base: TransportAddress, now: float) -> None:
        if base in self._asks_from:
            if self._asking is not None:
                self._asking.receive_datagram(packet.data, packet.source, base, now)
        elif base in self._open:
            self._endpoint.receive_datagram(packet.data, packet.source, base, now)
        else:
            return
        self.drain(now)

    def handle_timer(self, now: float) -> None:
        self._hear_late(now)
        if self._asking is not None:
            self._asking.handle_timer(now)
        if self._sample_at is not None and self._sample_at <= now:
            self._sample(now)
        self._endpoint.handle_timer(now)
        self.drain(now)

    def get_timer(self) -> float | None:
        """Known since the last :meth:`drain`, as in the shell: it is asked for at every step."""
        return self._timer

    def drain(self, now: float) -> None:
        while (event := self._endpoint.next_event()) is not None:
            told = event.event if isinstance(event, SessionEventOccurred) else event
            self.first.setdefault(type(told), (now, told))
            self._handle(told, now)
        if self._asking is not None:
            for transmit in self._asking.datagrams_to_send():
                self._network.send(transmit, self.place, now)
            self._take_answer(now)
        self.also_drain(now)
        for transmit in self._endpoint.datagrams_to_send():
            if transmit.base in self._open:  # one of many for a hard NAT may be closed by now
                self._network.send(transmit, self.place, now)
        self._timer = self._next_timer()

    # --- inside --------------------------------------------------------------------------------------------

    def _handle(self, event: object, now: float) -> None:
        match event:
            case Awoke():
                if self._asking is None and self.report is None:
                    self._discover(now)
            case SocketsWanted():
                bases = self._open_sockets(event.count)
                self._open |= set(bases)
                self._endpoint.open_for(event.session, bases, now)
            case SocketsReleased(bases=bases):
                # Not now: what the session has to say through them is sent right after its events.
                for transmit in self._endpoint.datagrams_to_send():
                    self._network.send(transmit, self.place, now)
                self._open -= set(bases)
                self._samples.clear()
                if self.counts_up:
                    self._sample(now)

    def _discover(self, now: float) -> None:
        server = self._endpoint.server
        assert server is not None
        bases = self._open_sockets(SOCKET_COUNT)
        self._ask(Discovery(bases=bases, servers=[server], random=self._random, now=now), bases)
        assert isinstance(self._asking, Discovery)
        self._asking.tcp_failed(server, now)

    def _sample(self, now: float, *, bursts: int = 2) -> None:
        server = self._endpoint.server
        self._sample_at = now + SAMPLE_INTERVAL
        if server is not None:
            bases = self._open_sockets(bursts * BURST_SIZE)
            self._ask(PortSampler(bases=bases, server=server, random=self._random, now=now), bases)

    def _ask(self, agent: Discovery | PortSampler, bases: Sequence[TransportAddress]) -> None:
        self._asking = agent
        self._asks_from = frozenset(bases)

    def _take_answer(self, now: float) -> None:
        answer = None if self._asking is None else self._asking.next_event()
        if answer is None:
            return
        self._asking = None
        if isinstance(answer, DiscoveryReport):
            self.report = answer
            if self.counts_up:
                self._sample(now)
                self.drain(now)
                return
            answer = ()
        assert self.report is not None
        self._samples.extend(answer)
        samples = [PortSample(port=port, age=now - at) for port, at in self._samples]
        summary = SideSummary.from_report(self.report, samples=samples, limits=self._limits)
        self._endpoint.set_nat(summary, now)
        waiting, self._when_sampled = self._when_sampled, []
        for call in waiting:
            call(now)

    def _open_sockets(self, count: int) -> list[TransportAddress]:
        ports: list[int] = []
        while len(ports) < count:
            port = self._chance.randint(FIRST_PORT, LAST_PORT)
            if port not in self._used:
                self._used.add(port)
                ports.append(port)
        return [TransportAddress(self.ip, port) for port in ports]

    def _hear_late(self, now: float) -> None:
        while self._late and self._late[0][0] <= now:
            self._endpoint.receive_data(self._late.popleft()[1], now)

    def _next_timer(self) -> float | None:
        instants = (
            self._endpoint.get_timer(),
            None if self._asking is None else self._asking.get_timer(),
            self._late[0][0] if self._late else None,
            self._sample_at,
        )
        return min((one for one in instants if one is not None), default=None)
