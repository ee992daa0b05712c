"""A host that discovers its NAT in virtual time, and the registry with two addresses that it asks."""

from __future__ import annotations

import random
from collections.abc import Sequence
from ipaddress import IPv4Address
from zlib import crc32

from natcore import stun
from natcore.address import TransportAddress
from natcore.agent import Transmit
from natcore.discovery import (
    LIFETIME_SOCKETS,
    SOCKET_COUNT,
    Discovery,
    DiscoveryConfig,
    DiscoveryReport,
    Finding,
    LifetimeConfig,
    LifetimeDiscovery,
    MappingLifetime,
)
from natcore.registry import Registry, RegistryConfig, SendDatagram
from natcore.registry.reflection import Offer
from netlab.model import Endpoint, NatModel, models_of
from netlab.model import Packet as Way
from netlab.profiles import NatProfile
from tests.sim.conversation import Conversation, Participant
from tests.sim.network import Link, Network, Packet, Place
from tests.sim.pair import CONTROLLING_IP, Site, seeded

SERVER_IPS = (IPv4Address("198.51.100.10"), IPv4Address("198.51.100.20"))
PORTS = (10080, 10081)
PRIMARY = TransportAddress(SERVER_IPS[0], PORTS[0])

FULL_OFFER = Offer(
    port=PORTS[0],
    alternate_port=PORTS[1],
    others={SERVER_IPS[0]: SERVER_IPS[1], SERVER_IPS[1]: SERVER_IPS[0]},
    second=frozenset(SERVER_IPS[1:]),
)
ONE_ADDRESS = Offer(port=PORTS[0], alternate_port=PORTS[1])

RTT = 0.040


class ReflectingServer:
    """The registry behind all of its endpoints."""

    def __init__(self, network: Network, offer: Offer) -> None:
        self.registry = Registry(RegistryConfig(), seeded("server"), offer)
        self._network = network
        for ip in SERVER_IPS if offer.others else SERVER_IPS[:1]:
            network.attach(ip, None, self)

    def receive_packet(self, packet: Packet, base: TransportAddress, now: float) -> None:
        self.registry.receive_datagram(packet.data, packet.source, base, now)
        while (command := self.registry.next_command()) is not None:
            if isinstance(command, SendDatagram):
                transmit = Transmit(data=command.data, destination=command.destination, base=command.base)
                self._network.send(transmit, None, now)


class PlainServer:
    """One endpoint that says how it sees who asks, and nothing else."""

    def __init__(self, network: Network, address: TransportAddress) -> None:
        self._network = network
        self._address = address
        network.attach(address.ip, None, self)

    def receive_packet(self, packet: Packet, base: TransportAddress, now: float) -> None:
        if base == self._address:
            request = stun.Message.decode(packet.data)
            answer = stun.Message(
                method=stun.Method.BINDING,
                message_class=stun.MessageClass.SUCCESS_RESPONSE,
                transaction_id=request.transaction_id,
                attributes=(stun.XorMappedAddress(packet.source),),
            )
            self._network.send(
                Transmit(data=answer.encode(), destination=packet.source, base=base), None, now
            )


class PooledNat(NatModel):
    """A NAT with several external addresses, each a NAT of its own (RFC 4787 section 4.1).

    Which one a flow leaves by is drawn once for each inside socket, or for each flow.
    """

    def __init__(self, members: Sequence[NatModel], *, is_drawn_by_flow: bool) -> None:
        super().__init__(members[0].behavior, members[0].address)
        self.members = tuple(members)
        self._is_drawn_by_flow = is_drawn_by_flow

    def outbound(self, packet: Way, now: float) -> Way | None:
        key = repr(packet if self._is_drawn_by_flow else packet.source)
        return self.members[crc32(key.encode()) % len(self.members)].outbound(packet, now)

    def inbound(self, packet: Way, now: float) -> Way | None:
        member = next(one for one in self.members if one.address == packet.destination.address)
        return member.inbound(packet, now)

    def connect(self, network: Network) -> None:
        """Connects every address to the internet."""
        for member in reversed(self.members):
            self.address = member.address
            network.connect(self, None)


class OtherDevice:
    """Another host in the home, which opens new mappings at random moments, so many a second."""

    def __init__(self, router: NatModel, rate: float, seed: int) -> None:
        self._router = router
        self._rate = rate
        self._random = random.Random(seed)
        self._due = self._random.expovariate(rate)

    def get_timer(self) -> float | None:
        return self._due

    def handle_timer(self, now: float) -> None:
        own = Endpoint(IPv4Address("192.168.7.254"), self._random.randint(1024, 65535))
        remote = Endpoint(IPv4Address("192.0.2.1"), self._random.randint(1024, 65535))
        self._router.outbound(Way(own, remote), now)
        self._due = now + self._random.expovariate(self._rate)


class Discoverer(Conversation):
    """A host behind a profile; ``discover`` gives its report.

    Attributes:
        host: with the agent.
        server: what it asks.
    """

    def __init__(
        self,
        profile: NatProfile | str,
        *,
        offer: Offer = FULL_OFFER,
        link: Link | None = None,
        seed: int = 1,
        background: float = 0.0,
    ) -> None:
        super().__init__(Network(link or Link(latency=RTT / 2), seed=seed))
        self.site = Site.behind(profile, CONTROLLING_IP)
        self.server = ReflectingServer(self.network, offer)
        self._seed = seed
        place: Place = None
        self.routers = models_of(self.site.profile, self.site.public_ip, seed=seed)
        for router in reversed(self.routers):
            self.network.connect(router, place)
            place = router
        if self.routers and background:
            self.take_part(OtherDevice(self.routers[0], background, seed))
        self.host = Participant("elsa", self.site.host.ip, place, self.network)
        self.take_part(self.host)

    def move_behind(self, pool: PooledNat) -> None:
        """Puts the host behind another NAT than its profile's."""
        pool.connect(self.network)
        self.host = Participant("elsa", self.site.host.ip, pool, self.network)
        self.take_part(self.host)

    def bases(self, count: int) -> list[TransportAddress]:
        ports = random.Random(self._seed).sample(range(32768, 61000), count)
        return [TransportAddress(self.site.host.ip, port) for port in ports]

    def discover(
        self, *servers: TransportAddress, config: DiscoveryConfig | None = None, tcp: bool = True
    ) -> DiscoveryReport:
        agent = Discovery(
            bases=self.bases(SOCKET_COUNT),
            servers=servers or (PRIMARY,),
            random=seeded(self._seed),
            now=self.now,
            config=config,
        )
        self.host.agent = agent
        if tcp:
            agent.tcp_connected(PRIMARY, RTT, self.now)
        else:
            agent.tcp_failed(PRIMARY, self.now)
        self.host.drain(self.now)
        self.drive_until(DiscoveryReport, self.host)
        return self.host.events(DiscoveryReport)[0]

    def begin_to_measure(self, config: LifetimeConfig | None = None) -> LifetimeDiscovery:
        """Begins to measure the lifetime of an idle mapping."""
        agent = LifetimeDiscovery(
            bases=self.bases(LIFETIME_SOCKETS),
            server=PRIMARY,
            random=seeded(self._seed),
            now=self.now,
            config=config,
        )
        self.host.agent = agent
        self.host.drain(self.now)
        return agent

    def measure_lifetime(self, config: LifetimeConfig | None = None) -> Finding[MappingLifetime]:
        """Measures it to the end."""
        agent = self.begin_to_measure(config)
        self.drive_while(lambda: agent.finding is None, limit=100_000.0, what="a finding of the lifetime")
        assert agent.finding is not None
        return agent.finding
