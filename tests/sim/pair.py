"""The conversation harness: two sessions, or two whole client endpoints with the real registry.

``SessionPair`` begins where the server has introduced the two: each side knows the other's host address and
the public endpoint that the server saw. ``EndpointPair`` has the server too, with its own latency.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from ipaddress import IPv4Address

from natcore.address import IPAddress, TransportAddress
from natcore.agent import RandomBytes
from natcore.channel import DataReceived, MessageConfirmed, PeerSession, SessionConfig, SessionConfirmed
from natcore.endpoint import Awoke, ClientEndpoint, EndpointConfig, SessionEventOccurred
from natcore.ice import Candidate, CandidateType, Credentials, LocalCandidate
from natcore.nat import NatBehavior
from natcore.registry import ConnectionId
from tests.sim.conversation import Conversation, EventT, Participant
from tests.sim.nat import SimulatedNat
from tests.sim.network import Link, Network
from tests.sim.server import ServerHost

SERVER = TransportAddress(IPv4Address("198.51.100.1"), 10080)
CONTROLLING_IP = IPv4Address("203.0.113.7")
CONTROLLED_IP = IPv4Address("203.0.113.8")


def seeded(seed: int | str) -> RandomBytes:
    """Randomness that is the same in every run."""
    return random.Random(seed).randbytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a side sits.

    Attributes:
        behavior: of its NAT; None for a host on the internet.
        public_ip: of the NAT, or of the host itself without one.
        host: the address of its socket; behind one NAT two sides differ here.
    """

    behavior: NatBehavior | None
    public_ip: IPAddress
    host: TransportAddress

    @classmethod
    def behind(cls, behavior: NatBehavior | None, public_ip: IPAddress, host: str | None = None) -> Site:
        """A site with an address of its own choice, unless ``host`` says which."""
        if behavior is None:
            return cls(behavior=None, public_ip=public_ip, host=TransportAddress(public_ip, 40000))
        own = TransportAddress.parse(host or f"192.168.{int(public_ip) % 256}.10:40000")
        return cls(behavior=behavior, public_ip=public_ip, host=own)


def make_sites(
    first: NatBehavior | None,
    second: NatBehavior | None,
    *,
    hosts: tuple[str | None, str | None] = (None, None),
) -> tuple[Site, Site]:
    """Two sites with NATs of their own."""
    return Site.behind(first, CONTROLLING_IP, hosts[0]), Site.behind(second, CONTROLLED_IP, hosts[1])


def make_lan(behavior: NatBehavior) -> tuple[Site, Site]:
    """Two sites behind one NAT."""
    return (
        Site.behind(behavior, CONTROLLING_IP, "192.168.1.10:40000"),
        Site.behind(behavior, CONTROLLING_IP, "192.168.1.11:40000"),
    )


def attach(
    network: Network, sites: tuple[Site, Site], names: tuple[str, str], seed: int
) -> list[Participant]:
    """Puts two participants where the sites are; sites with one public address share one NAT."""
    nats: dict[IPAddress, SimulatedNat] = {}
    participants = []
    for site, name in zip(sites, names, strict=True):
        nat = None
        if site.behavior is not None:
            if site.public_ip not in nats:
                nats[site.public_ip] = SimulatedNat(site.behavior, site.public_ip, seed=seed + len(nats))
            nat = nats[site.public_ip]
        participants.append(Participant(name, site.host.ip, nat, network))
    return participants


class SessionPair(Conversation):
    """Two sessions that were just introduced to each other.

    Attributes:
        link: what lies between them.
        elsa, anna: the sides; elsa is controlling unless ``roles`` says otherwise.
    """

    def __init__(
        self,
        sites: tuple[Site, Site],
        *,
        link: Link | None = None,
        seed: int = 1,
        config: SessionConfig | None = None,
        roles: tuple[bool, bool] = (True, False),
    ) -> None:
        self.link = link or Link()
        super().__init__(Network(self.link, seed=seed))
        self.elsa, self.anna = attach(self.network, sites, ("elsa", "anna"), seed)
        self._sites = sites
        credentials = [Credentials.generate(seeded(f"{seed} {name}")) for name in ("elsa", "anna")]
        self.sessions: list[PeerSession] = []
        for index, side in enumerate((self.elsa, self.anna)):
            session = PeerSession(
                name="introduction",
                peer=("anna", "elsa")[index],
                is_controlling=roles[index],
                local=credentials[index],
                remote=credentials[1 - index],
                local_candidates=[local_host(sites[index].host)],
                config=config or SessionConfig(),
                random=seeded(f"{seed} {side.name} session"),
            )
            side.agent = session
            self.sessions.append(session)
            self.take_part(side)

    @property
    def elsas(self) -> PeerSession:
        """Elsa's session."""
        return self.sessions[0]

    @property
    def annas(self) -> PeerSession:
        """Anna's session."""
        return self.sessions[1]

    def start(self, *, skew: float = 0.0, early_data: bytes | None = None) -> None:
        """Starts elsa, and ``skew`` seconds later anna."""
        candidates = [self._candidates_of(side) for side in (0, 1)]
        self.elsas.start(candidates[1], self.now, early_data=early_data)
        self.elsa.drain(self.now)
        if skew:
            self.advance(skew)
        self.annas.start(candidates[0], self.now)
        self.anna.drain(self.now)

    def connect(self) -> None:
        """Goes on until both sides have a path."""
        self.drive_until(SessionConfirmed, self.elsa, self.anna)

    def send(self, side: Participant, payload: bytes) -> int:
        """Sends a message from one side."""
        number = self._session_of(side).send_message(payload, self.now)
        side.drain(self.now)
        return number

    def close(self, side: Participant) -> None:
        """Closes one side."""
        self._session_of(side).close()
        side.drain(self.now)

    def _session_of(self, side: Participant) -> PeerSession:
        return self.elsas if side is self.elsa else self.annas

    def _candidates_of(self, index: int) -> list[Candidate]:
        site, side = self._sites[index], (self.elsa, self.anna)[index]
        host = local_host(site.host)
        candidates = [Candidate.from_wire(host.to_wire())]
        observed = side.nat.translate_outbound(site.host, SERVER) if side.nat is not None else None
        if observed is not None:
            reflexive = LocalCandidate.of(CandidateType.SERVER_REFLEXIVE, observed, base=site.host)
            candidates.append(Candidate.from_wire(reflexive.to_wire()))
        return candidates


def local_host(address: TransportAddress) -> LocalCandidate:
    """A host candidate."""
    return LocalCandidate.of(CandidateType.HOST, address, base=address)


def payloads(side: Participant) -> list[bytes]:
    """What a side has received, in order."""
    return [event.payload for event in side.events(DataReceived)]


def confirmed(side: Participant) -> list[int]:
    """The numbers of the messages that a side knows to have arrived, in order."""
    return [event.number for event in side.events(MessageConfirmed)]


class EndpointPair(Conversation):
    """Two whole clients and the real registry.

    Attributes:
        link: between the two, and between each and the server over UDP.
        server: the real registry on its host.
        elsa, anna: the participants; their endpoints are ``elsas`` and ``annas``.
    """

    def __init__(
        self,
        sites: tuple[Site, Site],
        *,
        link: Link | None = None,
        seed: int = 1,
        config: EndpointConfig | None = None,
    ) -> None:
        self.link = link or Link()
        super().__init__(Network(self.link, seed=seed))
        self.server = ServerHost(
            SERVER, self.network, latency=self.link.latency, random=seeded(f"{seed} server")
        )
        self.take_part(self.server)
        self.elsa, self.anna = attach(self.network, sites, ("elsa", "anna"), seed)
        self.endpoints: list[ClientEndpoint] = []
        self.connections: dict[int, ConnectionId] = {}
        for site, side in zip(sites, (self.elsa, self.anna), strict=True):
            endpoint = ClientEndpoint(
                client_id=side.name,
                host_candidates=[local_host(site.host)],
                config=config or EndpointConfig(),
                random=seeded(f"{seed} {side.name}"),
            )
            side.agent = endpoint
            self.endpoints.append(endpoint)
            self.take_part(side)

    @property
    def elsas(self) -> ClientEndpoint:
        """Elsa's endpoint."""
        return self.endpoints[0]

    @property
    def annas(self) -> ClientEndpoint:
        """Anna's endpoint."""
        return self.endpoints[1]

    def start(self) -> None:
        """Both register and wake."""
        for index in (0, 1):
            self.endpoints[index].wake(self.now)
            self.dial(index)
        self.drive_until(Awoke, self.elsa, self.anna)
        self.advance(1.0)  # the announcements pass

    def dial(self, index: int) -> None:
        """One side opens a TCP connection."""
        endpoint, side = self.endpoints[index], (self.elsa, self.anna)[index]

        def receive(data: bytes, now: float) -> None:
            endpoint.receive_data(data, now)
            self.drain(side)

        self.connections[index] = self.server.open(receive, self.now)
        endpoint.connection_made(SERVER.ip, self.now)
        self.drain(side)

    def drain(self, side: Participant) -> None:
        """What a shell does after every call in."""
        side.drain(self.now)
        index = 0 if side is self.elsa else 1
        self.server.write(self.connections[index], self.endpoints[index].data_to_send(), self.now)

    def connect(self, *, early_data: bytes | None = None) -> PeerSession:
        """Elsa asks for anna and waits for a path; returns elsa's session."""
        self.elsas.connect("anna", self.now, early_data=early_data)
        self.drain(self.elsa)
        self.drive_while(lambda: not session_events(self.elsa, SessionConfirmed), what="SessionConfirmed")
        self.drive_while(lambda: not session_events(self.anna, SessionConfirmed), what="SessionConfirmed")
        return self.elsas.sessions[0]


def session_events(side: Participant, kind: type[EventT]) -> list[EventT]:
    """The events of one kind in any session of an endpoint's."""
    return [event for _, event in timed_session_events(side, kind)]


def timed_session_events(side: Participant, kind: type[EventT]) -> list[tuple[float, EventT]]:
    """As :func:`session_events`, each with its instant."""
    return [
        (at, happening.event)
        for at, happening in side.log
        if isinstance(happening, SessionEventOccurred) and isinstance(happening.event, kind)
    ]
