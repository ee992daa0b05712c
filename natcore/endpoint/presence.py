"""Our presence with the server: what it knows of us, so that peers can be introduced to us.

What enters: the wish to be Awake, our addresses, what is known of our NAT, the server's datagrams, time. What
leaves: a ``publish`` whenever we are Awake and it would say something else, Awake requests, events, and the
control messages that go and come over UDP beside TCP. What is always true: nothing is sent over UDP unless
the server's TCP connection stands and has registered us, and what was learned in another network is told to
nobody. What it refuses to know: peers, and sessions with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from natcore.address import IPAddress, ReflexiveAddress, TransportAddress
from natcore.agent import RandomBytes
from natcore.control.copies import ServerCopy
from natcore.control.messages import Connect, Decline, Registered, Status, Unregister
from natcore.endpoint.awake import AwakeAgent, AwakeConfig, Awoke
from natcore.endpoint.events import ConnectionUnusable
from natcore.endpoint.outbox import Outbox
from natcore.endpoint.publication import Publication
from natcore.endpoint.registration import Registration
from natcore.hardnat import SideSummary
from natcore.ice import Credentials, LocalCandidate


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnNat:
    """What our own NAT does, as far as it is known.

    Attributes:
        summary: what was measured, or None.
        measured_at: the instant, seconds.
        opener_ttl: with which a datagram passes this NAT and gets no further, or None.
    """

    summary: SideSummary | None = None
    measured_at: float = 0.0
    opener_ttl: int | None = None

    def summary_at(self, now: float) -> SideSummary | None:
        """The same, as old as it is now."""
        return None if self.summary is None else self.summary.aged(max(0.0, now - self.measured_at))


class Presence:
    """See the module.

    Attributes:
        nat: what our own NAT does.
    """

    def __init__(
        self,
        registration: Registration,
        outbox: Outbox,
        *,
        credentials: Credentials,
        host_candidates: Iterable[LocalCandidate],
        config: AwakeConfig,
        random: RandomBytes,
    ) -> None:
        self.nat = OwnNat()
        self._registration = registration
        self._outbox = outbox
        self._credentials = credentials
        self._publication = Publication(host_candidates)
        self._config = config
        self._random = random
        self._server_ip: IPAddress | None = None
        self._registered: Registered | None = None
        self._is_wanted = False
        self._awake: AwakeAgent | None = None
        self._mapping_lifetime: float | None = None

    # --- looking at it -----------------------------------------------------------------------------------

    @property
    def is_registered(self) -> bool:
        """Whether the present connection is."""
        return self._registration.is_registered

    @property
    def reflexive_address(self) -> ReflexiveAddress | None:
        """Our public endpoint as the server saw it last, or None while Asleep."""
        return None if self._awake is None else self._awake.address

    @property
    def observed_at(self) -> float:
        """As :attr:`AwakeAgent.observed_at`, and before all times while Asleep."""
        return float("-inf") if self._awake is None else self._awake.observed_at

    @property
    def base(self) -> TransportAddress | None:
        """Of the socket that the server observes; None while we do not want to be Awake."""
        return None if self._awake is None else self._awake.base

    @property
    def server(self) -> TransportAddress | None:
        """The server's UDP endpoint; None while we do not want to be Awake."""
        return None if self._awake is None else self._awake.server

    @property
    def host_candidates(self) -> tuple[LocalCandidate, ...]:
        """One for each socket, best first."""
        return self._publication.host_candidates

    @property
    def observed_candidate(self) -> LocalCandidate | None:
        """The one of the socket that the server observes."""
        return next((one for one in self.host_candidates if one.base == self.base), None)

    @property
    def mapped_address(self) -> TransportAddress | None:
        """The port that the gateway forwards to us, while it is offered to peers."""
        return self._publication.offered

    # --- the connection ----------------------------------------------------------------------------------

    def connection_made(self, server_ip: IPAddress, now: float) -> None:
        """A TCP connection to the server stands; ``server_ip`` is its far end."""
        self._server_ip = server_ip
        self._registration.connection_made(now)

    def connection_lost(self) -> None:
        """It is gone."""
        self._registration.connection_lost()
        self._registered = None
        self._awake = None

    def accept(self, message: Registered, now: float) -> None:
        """The server has taken us in."""
        self._registration.accept(message, now)
        self._registered = message
        if self._is_wanted:
            self._begin(message, now)

    def wake(self, now: float) -> None:
        """We want to be Awake, now and after every reconnection."""
        self._is_wanted = True
        if self._registered is not None and self._awake is None:
            self._begin(self._registered, now)

    def unregister(self) -> None:
        """Says goodbye to the server."""
        self._is_wanted = False
        self._awake = None
        self._registration.send(Unregister())
        self._registration.forget_session()

    def send(self, message: Connect | Decline) -> None:
        """Says something over TCP, and over UDP as well what somebody waits for."""
        self._registration.send(message)
        if self._awake is not None and isinstance(message, Connect):
            self._awake.send_copy(message)
            self._collect()

    # --- what is known of us -----------------------------------------------------------------------------

    def set_mapped(self, address: TransportAddress | None) -> None:
        """Tells of a port that the gateway says it forwards to :attr:`base`, or of its end."""
        self._publication.mapped = address
        self._publish_if_outdated()

    def set_host_candidates(self, candidates: Iterable[LocalCandidate], now: float) -> None:
        """Our addresses have changed: publishes them, and is observed at the best of them."""
        self._publication.host_candidates = tuple(candidates)
        if self._awake is None or self._registered is None:
            return
        base = self._awake.base
        ways = self._publication.ways_to(self._registered.endpoints, self._server_ip)
        if ways:
            self._awake.take_ways(ways, now)
        if self._awake.base != base:  # what was learned of its NAT, and mapped there, was another network's
            self._publication.mapped = None
            self.nat = OwnNat()
        self._publish()
        self._collect()

    def set_nat(self, nat: OwnNat) -> None:
        """Tells what our own NAT does; publishes it."""
        self.nat = nat
        if self._awake is not None:
            self._publish()

    def set_mapping_lifetime(self, seconds: float | None, now: float) -> None:
        """Tells how long our NAT keeps an idle mapping; ours is refreshed in time."""
        self._mapping_lifetime = seconds
        if self._awake is not None:
            self._awake.fit_to(seconds, now)

    # --- datagrams and time ------------------------------------------------------------------------------

    def refresh(self, now: float) -> None:
        """Lets the server observe us now, and not only when it is due."""
        if self._awake is not None:
            self._awake.refresh(now)
            self._collect()

    def is_from_server(self, source: TransportAddress) -> bool:
        """Whether a datagram from there may be for us."""
        return self._awake is not None and self._awake.is_from_server(source)

    def receive_datagram(
        self, data: bytes, source: TransportAddress, base: TransportAddress, now: float
    ) -> None:
        """Takes what came from the server's UDP endpoint."""
        if self._awake is not None:
            self._awake.receive_datagram(data, source, base, now)
            self._collect()

    def next_copy(self) -> ServerCopy | None:
        """Hands over the oldest control message that came over UDP; it comes over TCP as well."""
        return None if self._awake is None else self._awake.next_copy()

    def handle_timer(self, now: float) -> None:
        """Does whatever is due."""
        if self._awake is not None:
            self._awake.handle_timer(now)
            self._collect()

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due next."""
        return None if self._awake is None else self._awake.get_timer()

    # --- inside ------------------------------------------------------------------------------------------

    def _begin(self, registered: Registered, now: float) -> None:
        ways = self._publication.ways_to(registered.endpoints, self._server_ip)
        if not ways:
            reason = "the server names no UDP endpoint that we can use"
            self._outbox.tell(ConnectionUnusable(reason=reason))
            return
        self._publish()
        self._awake = AwakeAgent(
            ways=ways,
            session=registered.session,
            key=registered.key,
            config=self._config,
            random=self._random,
            now=now,
            mapping_lifetime=self._mapping_lifetime,
        )
        self._collect()

    def _publish(self) -> None:
        self._registration.send(
            self._publication.message(self._credentials, self.reflexive_address, self.nat.summary)
        )

    def _publish_if_outdated(self) -> None:
        if self._awake is not None and self._publication.is_outdated(self.reflexive_address):
            self._publish()

    def _collect(self) -> None:
        if self._awake is None:
            return
        self._outbox.send(self._awake.datagrams_to_send())
        while (event := self._awake.next_event()) is not None:
            if isinstance(event, Awoke):
                self._registration.clients[self._registration.id] = Status.AWAKE
                self._publish_if_outdated()
            self._outbox.tell(event)
