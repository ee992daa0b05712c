"""A client as one pure object: its registration, its Awake state, and every session with a peer.

What enters: bytes of the TCP connection, datagrams, time, and the owner's wishes. What leaves: bytes for the
TCP connection, datagrams, events. All of a client's traffic shares its few sockets, so this is also where a
datagram finds whom it is for:

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

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import assert_never

from natcore import stun
from natcore.address import IPAddress, ReflexiveAddress, TransportAddress
from natcore.agent import RandomBytes, Transmit, random_token
from natcore.channel import (
    MAX_PAYLOAD_SIZE,
    PeerSession,
    SessionConfig,
    SessionDoubted,
    SessionEnded,
    SocketsReleased,
)
from natcore.control.copies import RecentNames
from natcore.control.messages import (
    Announcement,
    Change,
    Connect,
    ConnectRefused,
    Decline,
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
    Status,
    Trickle,
    Unregister,
    WireCandidate,
)
from natcore.control.stream import MalformedLine
from natcore.endpoint.awake import AwakeAgent, AwakeConfig, Awoke, Way
from natcore.endpoint.events import (
    ClientsChanged,
    ConnectFailed,
    ConnectionUnusable,
    EndpointEvent,
    FaultReceived,
    RegistrationConfirmed,
    RegistrationRefused,
    ServerLeaving,
    SessionEventOccurred,
    SessionNoted,
    SessionStarted,
    SocketsWanted,
)
from natcore.endpoint.hard import HardPairs
from natcore.endpoint.publication import Publication
from natcore.endpoint.registration import Registration
from natcore.endpoint.renewals import Renewals
from natcore.endpoint.sessions import SessionLimits, Sessions
from natcore.errors import DecodeError, MisuseError
from natcore.hardnat import HardNatLimits, SideSummary
from natcore.ice import Candidate, Credentials, LocalCandidate
from natcore.ice.credentials import MAX_UFRAG_LENGTH

NONCE_BYTES = 12
"""96 bits of randomness in 16 characters: no two wishes of a client ever share one."""

MAX_REMEMBERED_INTRODUCTIONS = 1024
"""Far more than the server introduces while TCP lags behind UDP; one that were taken for new would be
declined, and so end at the peer what has just begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """A ``connect`` that was not answered yet, with what is to be sent early."""

    nonce: str
    early_data: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConfig:
    """Of the parts, and their bounds.

    Attributes:
        limits: of sessions; an introduction beyond is not followed, and the peer's checks fail.
        max_pending: introductions asked for and not answered yet.
        hard_nat: what may be spent on pairs that plain checks cannot connect.
    """

    awake: AwakeConfig = field(default_factory=AwakeConfig)
    session: SessionConfig = field(default_factory=SessionConfig)
    limits: SessionLimits = field(default_factory=SessionLimits)
    max_pending: int = 64
    hard_nat: HardNatLimits = field(default_factory=HardNatLimits)


class ClientEndpoint:
    """See the module. It has the five verbs of :class:`natcore.agent.Agent`, and the stream form for TCP.

    Attributes:
        registration: our standing with the server, and the list of clients.
        discarded: datagrams that were for nobody.
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
        self.discarded = 0
        self._publication = Publication(host_candidates)
        self._config = config
        self._random = random
        self._credentials = Credentials.generate(random)
        self._server_ip: IPAddress | None = None
        self._registered: Registered | None = None
        self._wants_to_be_awake = False
        self._awake: AwakeAgent | None = None
        self._hard = HardPairs(config.hard_nat, random)
        self._renewals = Renewals()
        self._observed: ReflexiveAddress | None = None
        self._mapping_lifetime: float | None = None
        self._opener_ttl: int | None = None
        self._pending: dict[str, _Wish] = {}
        self._introductions = RecentNames(MAX_REMEMBERED_INTRODUCTIONS)
        self._sessions = Sessions(config.limits)
        self._transmits: list[Transmit] = []
        self._events: deque[EndpointEvent] = deque()

    # --- the TCP connection ------------------------------------------------------------------------------

    def connection_made(self, server_ip: IPAddress, now: float) -> None:
        """A TCP connection to the server stands; ``server_ip`` is its far end."""
        self._server_ip = server_ip
        self.registration.connection_made(now)

    def connection_lost(self, now: float) -> None:
        """It is gone. Sessions live on, what was asked of the server fails."""
        self.registration.connection_lost()
        self._registered = None
        self._awake = None
        for target in list(self._pending):
            self._refuse(target, FaultCode.NOT_REGISTERED, "the connection to the server was lost")

    def receive_data(self, data: bytes, now: float) -> None:
        """Takes bytes from the server. Never raises, whatever they are."""
        self.registration.receive_data(data, now)
        while (message := self.registration.next_message()) is not None:
            self._receive_message(message, now)

    def data_to_send(self) -> bytes:
        """Hands over the bytes for the server."""
        return self.registration.data_to_send()

    # --- the owner ---------------------------------------------------------------------------------------

    @property
    def reflexive_address(self) -> ReflexiveAddress | None:
        """Our public endpoint as the server saw it last, or None while Asleep."""
        return None if self._awake is None else self._awake.address

    @property
    def base(self) -> TransportAddress | None:
        """Of the socket that the server observes; None while we do not want to be Awake."""
        return None if self._awake is None else self._awake.base

    @property
    def mapped_address(self) -> TransportAddress | None:
        """The port that the gateway forwards to us, while it is offered to peers; see :meth:`set_mapped`."""
        return self._publication.offered

    @property
    def sessions(self) -> tuple[PeerSession, ...]:
        """All sessions that have not ended."""
        return self._sessions.all

    def wake(self, now: float) -> None:
        """Publishes our candidates and lets the server observe us, now and after every reconnection."""
        self._wants_to_be_awake = True
        if self._registered is not None and self._awake is None:
            self._begin_awake(self._registered, now)

    def set_mapped(self, address: TransportAddress | None) -> None:
        """Tells of a port that the gateway says it forwards to :attr:`base`, or of its end.

        It is offered to peers while the server observes us at the very same IP address: a gateway that names
        another one lies, or stands behind a further NAT.
        """
        self._publication.mapped = address
        self._publish_if_changed()

    def set_host_candidates(self, candidates: Iterable[LocalCandidate], now: float) -> None:
        """Our addresses have changed: publishes them, and is observed at the best of them.

        A session whose path begins at an address that is gone looks for another path at once, as does one
        that has none at the moment.

        Args:
            candidates: one for each socket, best first, as when this was made.
            now: seconds.
        """
        self._publication.host_candidates = tuple(candidates)
        if self._awake is not None and self._registered is not None:
            ways = self._publication.ways_to(self._registered.endpoints, self._server_ip)
            self._take_ways(self._awake, ways, now)
        own = {candidate.base.ip for candidate in self._publication.host_candidates}
        for session in self.sessions:
            session.take_addresses(own, now)
            self._collect(session)

    def _take_ways(self, awake: AwakeAgent, ways: list[Way], now: float) -> None:
        base = awake.base
        if ways:
            awake.take_ways(ways, now)
        if awake.base != base:  # what was learned of its NAT, and mapped there, was another network's
            self._publication.mapped = None
            self._opener_ttl = None
            self._hard.learn_own(None, now, opener_ttl=None)
        self._publish()
        self._collect_awake()

    def set_nat(self, nat: SideSummary | None, now: float, *, distance: int | None = None) -> None:
        """Tells what our own NAT does, or that it is not known (any more); peers plan with it.

        Args:
            nat: what was measured.
            now: seconds.
            distance: how many routers away it is, 1 for the nearest. Where it is known, the first datagrams
                to a peer's public addresses die behind it: they open it, and the peer's NAT sees nothing yet.
        """
        self._opener_ttl = None if distance is None else distance + 1
        self._hard.learn_own(nat, now, opener_ttl=self._opener_ttl)
        if self._awake is not None:
            self._publish()
        for session in self.sessions:
            self._plan_for(session, now)
            self._collect(session)

    def set_mapping_lifetime(self, seconds: float | None, now: float) -> None:
        """Tells how long our NAT keeps an idle mapping, or that it is not known (any more).

        Ours is refreshed in time. Paths to peers need no care: the checks of their consent come every 4 s.
        """
        self._mapping_lifetime = seconds
        if self._awake is not None:
            self._awake.fit_to(seconds, now)

    @property
    def server(self) -> TransportAddress | None:
        """The server's UDP endpoint; None while we do not want to be Awake."""
        return None if self._awake is None else self._awake.server

    def connect(self, target: str, now: float, *, early_data: bytes | None = None) -> None:
        """Asks for an introduction; SessionStarted or ConnectFailed will tell.

        Raises:
            MisuseError: we are not registered, asked already, asked for too many, or the early data is too
                long.
        """
        if early_data is not None and len(early_data) > MAX_PAYLOAD_SIZE:
            raise MisuseError(f"early data: got {len(early_data)} bytes, expected at most {MAX_PAYLOAD_SIZE}")
        if not self.registration.is_registered:
            raise MisuseError("not registered with a server")
        if target in self._pending:
            raise MisuseError(f"an introduction to {target} has been asked for already")
        if len(self._pending) >= self._config.max_pending:
            raise MisuseError(f"{len(self._pending)} introductions are pending already")
        # Asked even where our list says no: the list may be behind, the server is not.
        self._pending[target] = _Wish(nonce=self._ask_for(target), early_data=early_data)

    def abandon_connect(self, target: str) -> None:
        """Loses interest in an introduction that has not come yet."""
        self._pending.pop(target, None)

    def send_datagram(self, session: PeerSession, payload: bytes, now: float) -> None:
        """As :meth:`PeerSession.send_datagram`."""
        session.send_datagram(payload, now)
        self._collect(session)

    def send_message(self, session: PeerSession, payload: bytes, now: float) -> int:
        """As :meth:`PeerSession.send_message`."""
        number = session.send_message(payload, now)
        self._collect(session)
        return number

    def close_session(self, session: PeerSession, now: float) -> None:
        """As :meth:`PeerSession.close`."""
        session.close(now)
        self._collect(session)

    def unregister(self) -> None:
        """Says goodbye to the server; sessions live on."""
        self._wants_to_be_awake = False
        self._awake = None
        self.registration.send(Unregister())
        self.registration.forget_session()

    # --- the five verbs ----------------------------------------------------------------------------------

    def receive_datagram(
        self, data: bytes, source: TransportAddress, base: TransportAddress, now: float
    ) -> None:
        """Takes one datagram from any socket."""
        if self._awake is not None and self._awake.is_from_server(source) and stun.is_stun(data):
            awake = self._awake
            awake.receive_datagram(data, source, base, now)
            self._collect_awake()
            while (message := awake.next_copy()) is not None:
                self._receive_message(message, now)
            return
        session = self._sessions.of_datagram(data)
        if session is None:
            self.discarded += 1
            return
        session.receive_datagram(data, source, base, now)
        self._collect(session)
        self._plan_for_waiting(now)

    def handle_timer(self, now: float) -> None:
        """Does whatever is due anywhere."""
        if self.registration.is_silent(now):
            self._events.append(ConnectionUnusable(reason="the server shows no sign of life"))
        if self._awake is not None:
            self._awake.handle_timer(now)
            self._collect_awake()
        for session in self.sessions:
            session.handle_timer(now)
            self._collect(session)
        self._plan_for_waiting(now)

    def datagrams_to_send(self) -> list[Transmit]:
        """Hands over what is waiting to be sent."""
        transmits, self._transmits = self._transmits, []
        return transmits

    def next_event(self) -> EndpointEvent | None:
        """Hands over the oldest event."""
        return self._events.popleft() if self._events else None

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due next."""
        instants = [self.registration.get_timer()]
        if self._awake is not None:
            instants.append(self._awake.get_timer())
        instants += [session.get_timer() for session in self.sessions]
        return min((instant for instant in instants if instant is not None), default=None)

    # --- messages of the server's ------------------------------------------------------------------------

    def _receive_message(  # noqa: C901 (one arm a message)
        self, message: ServerMessage | MalformedLine, now: float
    ) -> None:
        match message:
            case Registered():
                self._receive_registered(message, now)
            case Roster():
                self.registration.add_clients(message.clients)
            case Announcement():
                self._receive_announcement(message, now)
            case Introduction():
                self._receive_introduction(message, now)
            case Trickle():
                self._receive_trickle(message, now)
            case Declined():
                self._receive_decline(message, now)
            case ConnectRefused():
                self._receive_refusal(message)
            case Fault():
                self._receive_fault(message)
            case Goodbye():
                self._events.append(ServerLeaving(reason=message.reason))
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
            self._events.append(ConnectionUnusable(reason="the server registered us twice or as another"))
            return
        self.registration.accept(message, now)
        self._registered = message
        self._events.append(RegistrationConfirmed())
        for session in self.sessions:
            if session.is_in_doubt or self._renewals.is_unanswered(session.name):
                self._renewals.doubt(session.name, now)
        if self._wants_to_be_awake:
            self._begin_awake(message, now)

    def _receive_introduction(self, message: Introduction, now: float) -> None:
        if not self._introductions.take(message.session):
            return  # its copy was quicker
        if message.renews is not None:
            self._receive_renewal(message, message.renews, now)
            return
        was_asked = message.controlling and message.peer in self._pending
        obstacle = self._obstacle_to(message, was_asked=was_asked)
        if obstacle is not None:
            self._decline(message, *obstacle)
            if was_asked:
                self._refuse(message.peer, *obstacle)
            return
        early_data = self._pending.pop(message.peer).early_data if was_asked else None
        session = PeerSession(
            name=message.session,
            peer=message.peer,
            is_controlling=message.controlling,
            local=self._credentials,
            remote=Credentials(message.ufrag, message.pwd),
            local_candidates=self._publication.host_candidates,
            config=self._config.session,
            random=self._random,
            opener_ttl=self._opener_ttl,
        )
        self._sessions.add(session, was_asked=was_asked)
        number = session.start(_remote_candidates(message.candidates), now, early_data=early_data)
        self._events.append(SessionStarted(session=session, was_asked=was_asked, early_number=number))
        self._learn_peer(session, message, now)

    def _receive_announcement(self, message: Announcement, now: float) -> None:
        for change, status in self.registration.apply(message):
            self._events.append(ClientsChanged(change=change, status=status))
            of_peer = [session for session in self.sessions if session.peer == change.id]
            for session in of_peer:
                if change.change is Change.UNREGISTERED:
                    session.peer_left(now)
                elif status is Status.AWAKE and session.is_in_doubt:
                    session.doubt(now, f"{session.peer} is Awake again")
                self._collect(session)

    def _receive_trickle(self, message: Trickle, now: float) -> None:
        session = self._sessions.following(message.session)
        if session is None or not session.is_searching:
            return  # it has ended, or found its path, while this was on its way
        session.add_remote_candidates(_remote_candidates(message.candidates), now)
        self._learn_peer(session, message, now)

    def _receive_decline(self, message: Declined, now: float) -> None:
        session = self._sessions.following(message.session)
        if session is not None:
            session.declined(message.reason, now)
            self._collect(session)

    def _decline(self, message: Introduction, code: FaultCode, reason: str) -> None:
        self.discarded += 1
        self.registration.send(Decline(session=message.session, code=code, reason=reason))

    def _learn_peer(self, session: PeerSession, told: Introduction | Trickle, now: float) -> None:
        self._hard.learn_peer(session, told)
        self._plan_for(session, now)
        self._collect(session)

    def _plan_for(self, session: PeerSession, now: float) -> None:
        """What to do beyond plain checks, where both sides have told what their NATs do."""
        count = self._hard.sockets_wanted(session, now)
        if count == 0:
            self.open_for(session, (), now)
        elif count is not None:
            self._events.append(SocketsWanted(session=session, count=count))

    def _plan_for_waiting(self, now: float) -> None:
        """Goes on with those who waited for the end of another attempt."""
        while (session := self._hard.next_waiting()) is not None:
            self._plan_for(session, now)
            self._collect(session)

    def open_for(self, session: PeerSession, bases: Iterable[TransportAddress], now: float) -> None:
        """The sockets that :class:`SocketsWanted` asked for, as many as could be opened."""
        own = next((one for one in self._publication.host_candidates if one.base == self.base), None)
        unused = self._hard.begin(session, own, bases, now)
        self._collect(session)
        if unused:
            released = SocketsReleased(bases=unused)
            self._events.append(SessionEventOccurred(session=session, event=released))

    def _receive_renewal(self, message: Introduction, renews: str, now: float) -> None:
        session = self._sessions.called(renews)
        if session is None or session.peer != message.peer:
            self._decline(message, FaultCode.UNKNOWN_SESSION, "there is no such session (any more)")
            return
        if self._is_too_long(message):
            self.discarded += 1
            return
        self._renewals.forget(session.name)
        session.opener_ttl = self._opener_ttl
        ufrag = session.renew(
            name=message.session,
            is_controlling=message.controlling,
            local=self._credentials,
            remote=Credentials(message.ufrag, message.pwd),
            local_candidates=self._publication.host_candidates,
            remote_candidates=_remote_candidates(message.candidates),
            now=now,
        )
        self._sessions.add_ufrag(ufrag, session)
        self._learn_peer(session, message, now)
        if not message.controlling and self._awake is not None:
            # The peer has doubts, and we may be the one who moved without knowing it yet.
            self._awake.refresh(now)
            self._collect_awake()

    def _obstacle_to(self, message: Introduction, *, was_asked: bool) -> tuple[FaultCode, str] | None:
        """Why an introduction cannot be followed, or None."""
        if self._sessions.is_full:
            return FaultCode.TOO_FAST, f"{len(self.sessions)} sessions are open already"
        if not was_asked and self._sessions.is_crowded_by(message.peer):
            return FaultCode.TOO_FAST, "too many introductions that we did not ask for"
        if self._is_too_long(message) or self._sessions.is_taken(message.session):
            return FaultCode.BAD_MESSAGE, "the server's introduction makes no sense"
        return None

    def _is_too_long(self, message: Introduction) -> bool:
        """Whether the session's user name fragments, ours and the peer's, would not fit into a USERNAME."""
        longest = max(len(message.ufrag), len(self._credentials.ufrag))
        return len(message.session) + longest > MAX_UFRAG_LENGTH

    def _receive_fault(self, message: Fault) -> None:
        if self.registration.is_registered:
            self._events.append(FaultReceived(code=message.code, reason=message.reason))
        else:
            self._events.append(RegistrationRefused(code=message.code, reason=message.reason))

    def _receive_malformed(self, line: MalformedLine) -> None:
        # A newer server may say things that we do not know; anything else is no rendezvous server.
        if line.code is not FaultCode.UNKNOWN_TYPE or not self.registration.is_registered:
            self._events.append(
                ConnectionUnusable(reason=f"the server does not speak our protocol ({line.detail})")
            )

    def _receive_refusal(self, message: ConnectRefused) -> None:
        wish = self._pending.get(message.target)
        if wish is not None and message.nonce in (None, wish.nonce):  # else it is a copy, of an earlier wish
            self._refuse(message.target, message.code, message.reason)

    def _refuse(self, target: str, code: FaultCode, reason: str) -> None:
        if target in self._pending:
            del self._pending[target]
            self._events.append(ConnectFailed(target=target, code=code, reason=reason))

    # --- inside ------------------------------------------------------------------------------------------

    def _begin_awake(self, registered: Registered, now: float) -> None:
        ways = self._publication.ways_to(registered.endpoints, self._server_ip)
        if not ways:
            self._events.append(ConnectionUnusable(reason="the server names no UDP endpoint that we can use"))
            return
        self._publish()
        self._awake = AwakeAgent(
            ways=ways,
            session=registered.session,
            key=registered.key,
            config=self._config.awake,
            random=self._random,
            now=now,
            mapping_lifetime=self._mapping_lifetime,
        )
        self._collect_awake()

    def _publish(self) -> None:
        self.registration.send(
            self._publication.message(self._credentials, self.reflexive_address, self._hard.own)
        )

    def _publish_if_changed(self) -> None:
        if self._awake is not None and self._publication.is_outdated(self.reflexive_address):
            self._publish()

    def _collect_awake(self) -> None:
        if self._awake is None:
            return
        self._transmits += self._awake.datagrams_to_send()
        while (event := self._awake.next_event()) is not None:
            if isinstance(event, Awoke):
                self.registration.clients[self.registration.id] = Status.AWAKE
                self._note_observed(event.address, self._awake.observed_at)
                self._publish_if_changed()
            self._events.append(event)
        self._ask_for_renewals()

    def _note_observed(self, address: ReflexiveAddress, at: float) -> None:
        """Has all paths looked for anew where our public endpoint is another: peers send to the old one.

        They may ask to be introduced to us, over a TCP connection that our NAT has forgotten as well. What we
        say now is the first segment that finds this out.
        """
        if self._observed not in (None, address):
            for session in self.sessions:
                self._renewals.doubt(session.name, at)
        self._observed = address

    def _collect(self, session: PeerSession) -> None:
        self._transmits += session.datagrams_to_send()
        while (entry := session.timeline.next_entry()) is not None:
            self._events.append(SessionNoted(session=session, entry=entry))
        while (event := session.next_event()) is not None:
            self._events.append(SessionEventOccurred(session=session, event=event))
            if isinstance(event, SessionEnded):
                self._sessions.remove(session)
                self._renewals.forget(session.name)
                self._hard.forget(session)
            elif isinstance(event, SessionDoubted):
                self._doubt(session, event.at)

    def _doubt(self, session: PeerSession, now: float) -> None:
        """A path is broken: shows the server where we are now, and then asks it to introduce us anew."""
        self._renewals.doubt(session.name, now)
        if self._awake is not None:
            self._awake.refresh(now)
            self._collect_awake()

    def _ask_for_renewals(self) -> None:
        if self._awake is None or not self.registration.is_registered:
            return
        for name in self._renewals.due(self._awake.observed_at):
            session = self._sessions.called(name)
            if session is not None:
                self._ask_for(session.peer, renews=name)

    def _ask_for(self, target: str, *, renews: str | None = None) -> str:
        """Sends a ``connect`` and its copy; returns their nonce."""
        nonce = random_token(self._random, NONCE_BYTES)
        wish = Connect(target=target, renews=renews, nonce=nonce)
        self.registration.send(wish)
        if self._awake is not None:
            self._awake.send_copy(wish)
            self._transmits += self._awake.datagrams_to_send()
        return nonce


def _remote_candidates(wire: Iterable[WireCandidate]) -> list[Candidate]:
    """The candidates worth a check: a host's address and a port (RFC 8445 section 19.5.1)."""
    candidates = []
    for description in wire:
        try:
            candidate = Candidate.from_wire(description)
        except DecodeError:
            continue
        ip = candidate.address.ip
        if candidate.address.port and not (ip.is_unspecified or ip.is_multicast or ip.is_reserved):
            candidates.append(candidate)
    return candidates
