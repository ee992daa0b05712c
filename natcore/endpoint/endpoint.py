"""A client as one pure object: its registration, its Awake state, and every session with a peer.

What enters: bytes of the TCP connection, datagrams, time, and the owner's wishes. What leaves: bytes for the
TCP connection, datagrams, events. Inside, :class:`Presence` is what the server knows of us and
:class:`Encounters` is what we have with peers; what comes in finds its way to them here. All of a client's
traffic shares its few sockets:

=====================================  ==========================================================
a datagram that is ...                 goes to
=====================================  ==========================================================
STUN, from the server's UDP endpoint   the Awake agent; a control message comes back from there
a STUN request                         the session whose user name fragment its USERNAME begins with
a STUN response                        the session that has its transaction outstanding
a data frame                           the session that its session field names
anything else                          nobody; it is counted
=====================================  ==========================================================

Sessions do not depend on the server: they live on while the TCP connection is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from natcore import stun
from natcore.address import IPAddress, ReflexiveAddress, TransportAddress
from natcore.agent import RandomBytes, Transmit
from natcore.channel import PeerSession
from natcore.control.messages import (
    Announcement,
    ConnectRefused,
    Declined,
    Fault,
    FaultCode,
    Goodbye,
    Introduction,
    Ping,
    Pong,
    Registered,
    Roster,
    ServerMessage,
    Trickle,
)
from natcore.control.stream import MalformedLine
from natcore.endpoint.config import EndpointConfig
from natcore.endpoint.encounters import Encounters
from natcore.endpoint.events import (
    ClientsChanged,
    ConnectionUnusable,
    EndpointEvent,
    FaultReceived,
    RegistrationConfirmed,
    RegistrationRefused,
    ServerLeaving,
)
from natcore.endpoint.outbox import Outbox
from natcore.endpoint.presence import OwnNat, Presence
from natcore.endpoint.registration import Registration
from natcore.hardnat import SideSummary
from natcore.ice import Credentials, LocalCandidate


class ClientEndpoint:
    """See the module. It has the five verbs of :class:`natcore.agent.Agent`, and the stream form for TCP.

    Attributes:
        registration: our standing with the server, and the list of clients.
    """

    def __init__(
        self,
        *,
        client_id: str,
        host_candidates: Iterable[LocalCandidate],
        config: EndpointConfig,
        random: RandomBytes,
    ) -> None:
        """Makes an endpoint that has no connection yet.

        Args:
            client_id: the name to register.
            host_candidates: one for each socket, best first; the first 16 are published.
            config: bounds and times.
            random: for credentials, transaction ids and tie-breakers.
        """
        self.registration = Registration(client_id)
        self._credentials = Credentials.generate(random)
        self._outbox = Outbox()
        self._presence = Presence(
            self.registration,
            self._outbox,
            credentials=self._credentials,
            host_candidates=host_candidates,
            config=config.awake,
            random=random,
        )
        self._encounters = Encounters(
            self._presence, self._outbox, credentials=self._credentials, config=config, random=random
        )

    # --- the TCP connection ------------------------------------------------------------------------------

    def connection_made(self, server_ip: IPAddress, now: float) -> None:
        """A TCP connection to the server stands; ``server_ip`` is its far end."""
        self._presence.connection_made(server_ip, now)

    def connection_lost(self, now: float) -> None:
        """It is gone. Sessions live on, what was asked of the server fails."""
        self._presence.connection_lost()
        self._encounters.server_lost()

    def receive_data(self, data: bytes, now: float) -> None:
        """Takes bytes from the server. Never raises, whatever they are."""
        self.registration.receive_data(data, now)
        while (message := self.registration.next_message()) is not None:
            self._receive_message(message, now)

    def data_to_send(self) -> bytes:
        """Hands over the bytes for the server."""
        return self.registration.data_to_send()

    # --- the owner: looking at it ------------------------------------------------------------------------

    @property
    def reflexive_address(self) -> ReflexiveAddress | None:
        """Our public endpoint as the server saw it last, or None while Asleep."""
        return self._presence.reflexive_address

    @property
    def base(self) -> TransportAddress | None:
        """Of the socket that the server observes; None while we do not want to be Awake."""
        return self._presence.base

    @property
    def server(self) -> TransportAddress | None:
        """The server's UDP endpoint; None while we do not want to be Awake."""
        return self._presence.server

    @property
    def mapped_address(self) -> TransportAddress | None:
        """The port that the gateway forwards to us, while it is offered to peers; see :meth:`set_mapped`."""
        return self._presence.mapped_address

    @property
    def sessions(self) -> tuple[PeerSession, ...]:
        """All sessions that have not ended."""
        return self._encounters.sessions

    @property
    def discarded(self) -> int:
        """Datagrams that were for nobody, and introductions that were not followed."""
        return self._encounters.discarded

    # --- the owner: our presence -------------------------------------------------------------------------

    def wake(self, now: float) -> None:
        """Publishes our candidates and lets the server observe us, now and after every reconnection."""
        self._presence.wake(now)

    def unregister(self) -> None:
        """Says goodbye to the server; sessions live on."""
        self._presence.unregister()

    def set_mapped(self, address: TransportAddress | None) -> None:
        """Tells of a port that the gateway says it forwards to :attr:`base`, or of its end.

        It is offered to peers while the server observes us at the very same IP address: a gateway that names
        another one lies, or stands behind a further NAT.
        """
        self._presence.set_mapped(address)

    def set_host_candidates(self, candidates: Iterable[LocalCandidate], now: float) -> None:
        """Our addresses have changed: publishes them, and is observed at the best of them.

        A session whose path begins at an address that is gone looks for another path at once, as does one
        that has none at the moment.

        Args:
            candidates: one for each socket, best first, as when this was made.
            now: seconds.
        """
        self._presence.set_host_candidates(candidates, now)
        self._encounters.addresses_changed(now)

    def set_nat(self, nat: SideSummary | None, now: float, *, distance: int | None = None) -> None:
        """Tells what our own NAT does, or that it is not known (any more); peers plan with it.

        Args:
            nat: what was measured.
            now: seconds.
            distance: how many routers away it is, 1 for the nearest. Where it is known, the first datagrams
                to a peer's public addresses die behind it: they open it, and the peer's NAT sees nothing yet.
        """
        opener_ttl = None if distance is None else distance + 1
        self._presence.set_nat(OwnNat(summary=nat, measured_at=now, opener_ttl=opener_ttl))
        self._encounters.nat_changed(now)

    def set_mapping_lifetime(self, seconds: float | None, now: float) -> None:
        """Tells how long our NAT keeps an idle mapping, or that it is not known (any more).

        Ours is refreshed in time. Paths to peers need no care: the checks of their consent come every 4 s.
        """
        self._presence.set_mapping_lifetime(seconds, now)

    # --- the owner: encounters ---------------------------------------------------------------------------

    def connect(self, target: str, now: float, *, early_data: bytes | None = None) -> None:
        """Asks for an introduction; SessionStarted or ConnectFailed will tell.

        Raises:
            MisuseError: we are not registered, asked already, asked for too many, or the early data is too
                long.
        """
        self._encounters.connect(target, early_data=early_data)

    def abandon_connect(self, target: str) -> None:
        """Loses interest in an introduction that has not come yet."""
        self._encounters.abandon_connect(target)

    def open_for(self, session: PeerSession, bases: Iterable[TransportAddress], now: float) -> None:
        """The sockets that :class:`SocketsWanted` asked for, as many as could be opened."""
        self._encounters.open_for(session, bases, now)

    def send_datagram(self, session: PeerSession, payload: bytes, now: float) -> None:
        """As :meth:`PeerSession.send_datagram`."""
        session.send_datagram(payload, now)
        self._encounters.collect(session)

    def send_message(self, session: PeerSession, payload: bytes, now: float) -> int:
        """As :meth:`PeerSession.send_message`."""
        number = session.send_message(payload, now)
        self._encounters.collect(session)
        return number

    def close_session(self, session: PeerSession, now: float) -> None:
        """As :meth:`PeerSession.close`."""
        session.close(now)
        self._encounters.collect(session)

    # --- the five verbs ----------------------------------------------------------------------------------

    def receive_datagram(
        self, data: bytes, source: TransportAddress, base: TransportAddress, now: float
    ) -> None:
        """Takes one datagram from any socket."""
        if not (self._presence.is_from_server(source) and stun.is_stun(data)):
            self._encounters.receive_datagram(data, source, base, now)
            return
        self._presence.receive_datagram(data, source, base, now)
        self._encounters.server_heard()
        while (message := self._presence.next_copy()) is not None:
            self._encounters.receive(message, now)

    def handle_timer(self, now: float) -> None:
        """Does whatever is due anywhere."""
        if self.registration.is_silent(now):
            self._outbox.tell(ConnectionUnusable(reason="the server shows no sign of life"))
        self._presence.handle_timer(now)
        self._encounters.handle_timer(now)

    def datagrams_to_send(self) -> list[Transmit]:
        """Hands over what is waiting to be sent."""
        return self._outbox.datagrams_to_send()

    def next_event(self) -> EndpointEvent | None:
        """Hands over the oldest event."""
        return self._outbox.next_event()

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due next."""
        parts = (self.registration.get_timer(), self._presence.get_timer(), self._encounters.get_timer())
        return min((instant for instant in parts if instant is not None), default=None)

    # --- what the server says ----------------------------------------------------------------------------

    def _receive_message(self, message: ServerMessage | MalformedLine, now: float) -> None:
        match message:
            case Registered():
                self._receive_registered(message, now)
            case Roster():
                self.registration.add_clients(message.clients)
            case Announcement():
                self._receive_announcement(message, now)
            case Introduction() | Trickle() | Declined() | ConnectRefused():
                self._encounters.receive(message, now)
            case Fault():
                self._receive_fault(message)
            case Goodbye():
                self._outbox.tell(ServerLeaving(reason=message.reason))
            case Ping():
                self.registration.send(Pong())
            case Pong():
                pass
            case MalformedLine():
                self._receive_malformed(message)
            case _:
                assert_never(message)

    def _receive_registered(self, message: Registered, now: float) -> None:
        if self.registration.is_registered or message.id != self.registration.id:
            self._outbox.tell(ConnectionUnusable(reason="the server registered us twice or as another"))
            return
        self._outbox.tell(RegistrationConfirmed())
        self._presence.accept(message, now)
        self._encounters.server_found(now)

    def _receive_announcement(self, message: Announcement, now: float) -> None:
        for change, status in self.registration.apply(message):
            self._outbox.tell(ClientsChanged(change=change, status=status))
            self._encounters.peer_changed(change, status, now)

    def _receive_fault(self, message: Fault) -> None:
        kind = FaultReceived if self.registration.is_registered else RegistrationRefused
        self._outbox.tell(kind(code=message.code, reason=message.reason))

    def _receive_malformed(self, line: MalformedLine) -> None:
        # A newer server may say things that we do not know; anything else is no rendezvous server.
        if line.code is not FaultCode.UNKNOWN_TYPE or not self.registration.is_registered:
            self._outbox.tell(
                ConnectionUnusable(reason=f"the server does not speak our protocol ({line.detail})")
            )
