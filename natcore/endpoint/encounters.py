"""Our encounters with peers: from the wish to meet one, or an introduction, to the end of the session.

What enters: wishes, what the server says of introductions and of peers, the peers' datagrams, sockets, time.
What leaves: what is to be asked of the server, through our :class:`Presence`; datagrams, events. What is
always true: an introduction counts once, by whichever way it came; one that we do not follow is declined; the
server is asked to renew a path only after it has seen where we are. What it refuses to know: how the server
is reached, and whether it is: sessions live on without.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from natcore.address import ReflexiveAddress, TransportAddress
from natcore.agent import RandomBytes, random_token
from natcore.channel import (
    MAX_PAYLOAD_SIZE,
    PeerSession,
    SessionDoubted,
    SessionEnded,
    SocketsReleased,
)
from natcore.control.copies import RecentNames, ServerCopy
from natcore.control.messages import (
    Change,
    ClientChange,
    Connect,
    ConnectRefused,
    Decline,
    Declined,
    FaultCode,
    Introduction,
    Status,
    Trickle,
    WireCandidate,
)
from natcore.endpoint.config import EndpointConfig
from natcore.endpoint.events import (
    ConnectFailed,
    SessionEventOccurred,
    SessionNoted,
    SessionStarted,
    SocketsWanted,
)
from natcore.endpoint.hard import HardPairs
from natcore.endpoint.outbox import Outbox
from natcore.endpoint.presence import Presence
from natcore.endpoint.renewals import Renewals
from natcore.endpoint.sessions import Sessions
from natcore.errors import DecodeError, MisuseError
from natcore.ice import Candidate, Credentials
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


class Encounters:
    """See the module.

    Attributes:
        discarded: datagrams that were for nobody, and introductions that were not followed.
    """

    def __init__(
        self,
        presence: Presence,
        outbox: Outbox,
        *,
        credentials: Credentials,
        config: EndpointConfig,
        random: RandomBytes,
    ) -> None:
        self.discarded = 0
        self._presence = presence
        self._outbox = outbox
        self._credentials = credentials
        self._config = config
        self._random = random
        self._pending: dict[str, _Wish] = {}
        self._introductions = RecentNames(MAX_REMEMBERED_INTRODUCTIONS)
        self._sessions = Sessions(config.limits)
        self._hard = HardPairs(config.hard_nat, random)
        self._renewals = Renewals()
        self._observed: ReflexiveAddress | None = None

    # --- the owner ---------------------------------------------------------------------------------------

    @property
    def sessions(self) -> tuple[PeerSession, ...]:
        """All sessions that have not ended."""
        return self._sessions.all

    def connect(self, target: str, *, early_data: bytes | None) -> None:
        """Asks for an introduction; as :meth:`ClientEndpoint.connect`.

        Raises:
            MisuseError: as there.
        """
        if early_data is not None and len(early_data) > MAX_PAYLOAD_SIZE:
            raise MisuseError(f"early data: got {len(early_data)} bytes, expected at most {MAX_PAYLOAD_SIZE}")
        if not self._presence.is_registered:
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

    def open_for(self, session: PeerSession, bases: Iterable[TransportAddress], now: float) -> None:
        """The sockets that :class:`SocketsWanted` asked for, as many as could be opened."""
        unused = self._hard.begin(session, self._presence.observed_candidate, bases, now)
        self.collect(session)
        if unused:
            released = SocketsReleased(bases=unused)
            self._outbox.tell(SessionEventOccurred(session=session, event=released))

    def collect(self, session: PeerSession) -> None:
        """Takes over what a session has to send and to tell; due whenever it was driven."""
        self._outbox.send(session.datagrams_to_send())
        while (entry := session.timeline.next_entry()) is not None:
            self._outbox.tell(SessionNoted(session=session, entry=entry))
        while (event := session.next_event()) is not None:
            self._outbox.tell(SessionEventOccurred(session=session, event=event))
            if isinstance(event, SessionEnded):
                self._sessions.remove(session)
                self._renewals.forget(session.name)
                self._hard.forget(session)
            elif isinstance(event, SessionDoubted):
                # Shows the server where we are now, and then asks it to introduce us anew.
                self._renewals.doubt(session.name, event.at)
                self._presence.refresh(event.at)
                self._ask_for_renewals()

    # --- our presence has changed ------------------------------------------------------------------------

    def server_found(self, now: float) -> None:
        """The server knows us again: asks anew for what an earlier connection may have lost."""
        for session in self.sessions:
            if session.is_in_doubt or self._renewals.is_unanswered(session.name):
                self._renewals.doubt(session.name, now)

    def server_lost(self) -> None:
        """What was asked of the server fails."""
        for target in list(self._pending):
            self._refuse(target, FaultCode.NOT_REGISTERED, "the connection to the server was lost")

    def server_heard(self) -> None:
        """The server may have observed us: asks for renewals.

        Has all paths looked for anew where our public endpoint is another: peers send to the old one. They
        may ask to be introduced to us, over a TCP connection that our NAT has forgotten as well. What we say
        now is the first segment that finds this out.
        """
        address = self._presence.reflexive_address
        if address is not None and address != self._observed:
            if self._observed is not None:
                for session in self.sessions:
                    self._renewals.doubt(session.name, self._presence.observed_at)
            self._observed = address
        self._ask_for_renewals()

    def addresses_changed(self, now: float) -> None:
        """Has the paths looked for that are broken, or begin at an address that is gone."""
        own = {candidate.base.ip for candidate in self._presence.host_candidates}
        for session in self.sessions:
            session.take_addresses(own, now)
            self.collect(session)

    def nat_changed(self, now: float) -> None:
        """Plans what could not be planned before."""
        for session in self.sessions:
            self._plan_for(session, now)
            self.collect(session)

    # --- what the server says ----------------------------------------------------------------------------

    def receive(self, message: ServerCopy, now: float) -> None:
        """Takes what the server says of one encounter."""
        match message:
            case Introduction():
                self._receive_introduction(message, now)
            case Trickle():
                self._receive_trickle(message, now)
            case Declined():
                self._receive_decline(message, now)
            case ConnectRefused():
                self._receive_refusal(message)
            case _:
                assert_never(message)

    def peer_changed(self, change: ClientChange, status: Status | None, now: float) -> None:
        """Something happened to a client with whom we may have sessions."""
        of_peer = [session for session in self.sessions if session.peer == change.id]
        for session in of_peer:
            if change.change is Change.UNREGISTERED:
                session.peer_left(now)
            elif status is Status.AWAKE and session.is_in_doubt:
                session.doubt(now, f"{session.peer} is Awake again")
            self.collect(session)

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
            local_candidates=self._presence.host_candidates,
            config=self._config.session,
            random=self._random,
            opener_ttl=self._presence.nat.opener_ttl,
        )
        self._sessions.add(session, was_asked=was_asked)
        number = session.start(_remote_candidates(message.candidates), now, early_data=early_data)
        self._outbox.tell(SessionStarted(session=session, was_asked=was_asked, early_number=number))
        self._learn_peer(session, message, now)

    def _receive_renewal(self, message: Introduction, renews: str, now: float) -> None:
        session = self._sessions.called(renews)
        if session is None or session.peer != message.peer:
            self._decline(message, FaultCode.UNKNOWN_SESSION, "there is no such session (any more)")
            return
        if self._is_too_long(message):
            self.discarded += 1
            return
        self._renewals.forget(session.name)
        session.opener_ttl = self._presence.nat.opener_ttl
        ufrag = session.renew(
            name=message.session,
            is_controlling=message.controlling,
            local=self._credentials,
            remote=Credentials(message.ufrag, message.pwd),
            local_candidates=self._presence.host_candidates,
            remote_candidates=_remote_candidates(message.candidates),
            now=now,
        )
        self._sessions.add_ufrag(ufrag, session)
        self._learn_peer(session, message, now)
        if not message.controlling:
            # The peer has doubts, and we may be the one who moved without knowing it yet.
            self._presence.refresh(now)

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

    def _decline(self, message: Introduction, code: FaultCode, reason: str) -> None:
        self.discarded += 1
        self._presence.send(Decline(session=message.session, code=code, reason=reason))

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
            self.collect(session)

    def _receive_refusal(self, message: ConnectRefused) -> None:
        wish = self._pending.get(message.target)
        if wish is not None and message.nonce in (None, wish.nonce):  # else it is a copy, of an earlier wish
            self._refuse(message.target, message.code, message.reason)

    def _refuse(self, target: str, code: FaultCode, reason: str) -> None:
        del self._pending[target]
        self._outbox.tell(ConnectFailed(target=target, code=code, reason=reason))

    # --- the peers' datagrams, and time ------------------------------------------------------------------

    def receive_datagram(
        self, data: bytes, source: TransportAddress, base: TransportAddress, now: float
    ) -> None:
        """Takes one datagram that is not from the server."""
        session = self._sessions.of_datagram(data)
        if session is None:
            self.discarded += 1
            return
        session.receive_datagram(data, source, base, now)
        self.collect(session)
        self._plan_for_waiting(now)

    def handle_timer(self, now: float) -> None:
        """Does whatever is due in any session."""
        for session in self.sessions:
            session.handle_timer(now)
            self.collect(session)
        self._plan_for_waiting(now)

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due next."""
        instants = [session.get_timer() for session in self.sessions]
        return min((instant for instant in instants if instant is not None), default=None)

    # --- inside ------------------------------------------------------------------------------------------

    def _learn_peer(self, session: PeerSession, told: Introduction | Trickle, now: float) -> None:
        self._hard.learn_peer(session, told)
        self._plan_for(session, now)
        self.collect(session)

    def _plan_for(self, session: PeerSession, now: float) -> None:
        """What to do beyond plain checks, where both sides have told what their NATs do."""
        count = self._hard.sockets_wanted(session, self._presence.nat, now)
        if count == 0:
            self.open_for(session, (), now)
        elif count is not None:
            self._outbox.tell(SocketsWanted(session=session, count=count))

    def _plan_for_waiting(self, now: float) -> None:
        """Goes on with those who waited for the end of another attempt."""
        while (session := self._hard.next_waiting()) is not None:
            self._plan_for(session, now)
            self.collect(session)

    def _ask_for_renewals(self) -> None:
        for name in self._renewals.due(self._presence.observed_at):
            session = self._sessions.called(name)
            if session is not None:
                self._ask_for(session.peer, renews=name)

    def _ask_for(self, target: str, *, renews: str | None = None) -> str:
        """Asks the server for an introduction; returns the nonce of the wish."""
        nonce = random_token(self._random, NONCE_BYTES)
        self._presence.send(Connect(target=target, renews=renews, nonce=nonce))
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
