"""The conversation harness: two sessions, or two whole client endpoints with the real registry.

``SessionPair`` begins where the server has introduced the two: each side knows the other's host address and
the public endpoint that the server saw. ``EndpointPair`` has the server too, with its own latency.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Address

from natcore.address import IPAddress, TransportAddress
from natcore.agent import RandomBytes
from natcore.channel import DataReceived, MessageConfirmed, PeerSession, SessionConfig, SessionConfirmed
from natcore.endpoint import Awoke, ClientEndpoint, EndpointConfig, SessionEventOccurred
from natcore.ice import Candidate, CandidateType, Credentials, LocalCandidate
from natcore.registry import ConnectionId
from netlab.model import CARRIER_SIDE_ADDRESS, NatModel, models_of
from netlab.profiles import Boundary, NatProfile, profile
from tests.sim.conversation import Conversation, EventT, Participant
from tests.sim.network import Link, Network, Place
from tests.sim.server import LossyTcp, ServerHost

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
        profile: what stands between it and the internet.
        public_ip: of the outermost NAT, or of the host itself without one.
        host: the address of its socket; behind one NAT two sides differ here.
        carrier_side: of the router at home, where a carrier's NAT has the public address.
    """

    profile: NatProfile
    public_ip: IPAddress
    host: TransportAddress
    carrier_side: IPv4Address = CARRIER_SIDE_ADDRESS

    @classmethod
    def behind(cls, behind: NatProfile | str, public_ip: IPAddress, host: str | None = None) -> Site:
        """A site with an address of its own choice, unless ``host`` says which."""
        own = profile(behind) if isinstance(behind, str) else behind
        if own.boundary is not Boundary.NAT:
            return cls(profile=own, public_ip=public_ip, host=TransportAddress(public_ip, 40000))
        private = TransportAddress.parse(host or f"192.168.{int(public_ip) % 256}.10:40000")
        return cls(profile=own, public_ip=public_ip, host=private)


def make_sites(
    first: NatProfile | str,
    second: NatProfile | str,
    *,
    hosts: tuple[str | None, str | None] = (None, None),
) -> tuple[Site, Site]:
    """Two sites with routers of their own."""
    return Site.behind(first, CONTROLLING_IP, hosts[0]), Site.behind(second, CONTROLLED_IP, hosts[1])


def make_lan(behind: NatProfile | str) -> tuple[Site, Site]:
    """Two sites behind one NAT."""
    return (
        Site.behind(behind, CONTROLLING_IP, "192.168.1.10:40000"),
        Site.behind(behind, CONTROLLING_IP, "192.168.1.11:40000"),
    )


def make_carrier(behind: NatProfile) -> tuple[Site, Site]:
    """Two homes behind one carrier's NAT."""
    elsa, anna = Site.behind(behind, CONTROLLING_IP), Site.behind(behind, CONTROLLING_IP)
    return elsa, replace(anna, carrier_side=CARRIER_SIDE_ADDRESS + 1)


def attach(
    network: Network, sites: tuple[Site, Site], names: tuple[str, str], seed: int
) -> list[Participant]:
    """Puts two participants where the sites are; routers of one address in one network are one router."""
    return [
        Participant(name, site.host.ip, place, network)
        for site, name, place in zip(sites, names, settle(network, sites, seed), strict=True)
    ]


def settle(network: Network, sites: tuple[Site, Site], seed: int) -> list[Place]:
    """Connects the sites' routers; returns the network that each host is to be attached to."""
    routers: dict[tuple[Place, IPAddress], NatModel] = {}
    places = []
    for index, site in enumerate(sites):
        chain = models_of(
            site.profile, site.public_ip, seed=4 * seed + 2 * index, carrier_side=site.carrier_side
        )  # each router of a pair has a seed of its own: there are four at most
        place: Place = None
        for router in reversed(chain):
            outside, place = place, routers.setdefault((place, router.address), router)
            network.connect(place, outside)
        places.append(place)
    return places


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
        self._session_of(side).close(self.now)
        side.drain(self.now)

    def _session_of(self, side: Participant) -> PeerSession:
        return self.elsas if side is self.elsa else self.annas

    def _candidates_of(self, index: int) -> list[Candidate]:
        site, side = self._sites[index], (self.elsa, self.anna)[index]
        host = local_host(site.host)
        candidates = [Candidate.from_wire(host.to_wire())]
        observed = self.network.observe(site.host, side.place, SERVER, self.now)
        if observed is not None and observed != site.host:
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
        tcp_penalty: float | None = None,
    ) -> None:
        """Puts them where the sites are; ``tcp_penalty`` makes the link lose TCP's segments as well."""
        self.link = link or Link()
        super().__init__(Network(self.link, seed=seed))
        tcp = None
        if tcp_penalty is not None:
            tcp = LossyTcp(drop=self.link.drop, penalty=tcp_penalty, chance=random.Random(f"{seed} tcp"))
        self.server = ServerHost(
            SERVER, self.network, latency=self.link.latency, random=seeded(f"{seed} server"), tcp=tcp
        )
        self.take_part(self.server)
        self.elsa, self.anna = attach(self.network, sites, ("elsa", "anna"), seed)
        self.endpoints: list[ClientEndpoint] = []
        self.connections: dict[int, ConnectionId] = {}
        self._sites, self._config = sites, config or EndpointConfig()
        for index, side in enumerate((self.elsa, self.anna)):
            self.endpoints.append(self._make_endpoint(index, f"{seed} {side.name}"))
            side.agent = self.endpoints[index]
            side.also_drain = partial(self._write_control, index)
            self.take_part(side)

    def _make_endpoint(self, index: int, seed: str) -> ClientEndpoint:
        return ClientEndpoint(
            client_id=("elsa", "anna")[index],
            host_candidates=[local_host(self._sites[index].host)],
            config=self._config,
            random=seeded(seed),
        )

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
            if side.agent is endpoint:  # not asleep, and not started anew
                endpoint.receive_data(data, now)
                self.drain(side)

        self.connections[index] = self.server.open(receive, self.now)
        endpoint.connection_made(SERVER.ip, self.now)
        self.drain(side)

    def restart(self, index: int) -> None:
        """One side's program crashes and is started again, once the server has missed it."""
        side = (self.elsa, self.anna)[index]
        side.agent = None
        self.server.hang_up(self.connections[index], self.now)
        self.endpoints[index] = side.agent = self._make_endpoint(index, f"{side.name} started anew")
        self.endpoints[index].wake(self.now)
        self.dial(index)

    def drain(self, side: Participant) -> None:
        """What a shell does after every call in."""
        side.drain(self.now)

    def _write_control(self, index: int, now: float) -> None:
        if index in self.connections:
            self.server.write(self.connections[index], self.endpoints[index].data_to_send(), now)

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
