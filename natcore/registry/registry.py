"""The registry: who is registered, who is Awake and where, and who is introduced to whom.

In go what connections and datagrams brought, and the time; out come commands for the shell (see
:mod:`natcore.registry.commands`). It refuses to know sockets, bytes on their way out, and clocks.

Always true:

- every client lives on exactly one connection, and every session name belongs to exactly one client;
- a client's reflexive address is the source of a datagram that its session key had signed;
- every connection is either unregistered, with a deadline, or registered, with a deadline of silence;
- nothing that a client sends raises, and no datagram from a stranger is remembered.
"""

from __future__ import annotations

import hmac
import re
from collections import deque
from typing import assert_never

import msgspec

from natcore.address import ReflexiveAddress, TransportAddress
from natcore.agent import RandomBytes, random_token
from natcore.control.copies import clients_copies
from natcore.control.messages import (
    ID_PATTERN,
    MAX_ID_LENGTH,
    VERSION,
    Change,
    ClientChange,
    ClientId,
    ClientMessage,
    ClientStatus,
    Connect,
    ConnectRefused,
    Decline,
    Declined,
    Fault,
    FaultCode,
    Goodbye,
    Ping,
    Pong,
    Publish,
    Register,
    Registered,
    Roster,
    ServerMessage,
    Unregister,
)
from natcore.control.stream import MalformedLine
from natcore.errors import DecodeError
from natcore.registry.announcer import Announcer
from natcore.registry.batches import room_beside, split_rows
from natcore.registry.client import KEY_BYTES, SESSION_BYTES, Client, Connection
from natcore.registry.commands import (
    Broadcast,
    CloseControl,
    Command,
    ConnectionId,
    Report,
    SendControl,
    SendDatagram,
)
from natcore.registry.config import RegistryConfig
from natcore.registry.copies import copy_for
from natcore.registry.counters import Counters
from natcore.registry.introductions import (
    believed_part,
    introduction_of,
    note_meeting,
    recent_meetings,
    refusal,
    trickle_of,
)
from natcore.registry.observer import Observer
from natcore.registry.reflection import NO_OFFER, Answer, Arrival, LinkOptions, Offer, Reflector
from natcore.registry.timeouts import TimeoutQueue
from natcore.registry.token_bucket import TokenBucket

_is_client_id = re.compile(ID_PATTERN).match
OBSERVER_SECRET_BYTES = 32
"""Of the key from which the proofs of addresses are made; a new one for each start of the server."""

_ROSTER_ROOM = room_beside(Roster(clients=()))


class Registry:
    """The pure half of the rendezvous server.

    After every call in, the shell carries out :meth:`next_command` until it is None and arms one timer for
    :meth:`get_timer`. ``now`` is in seconds and never runs backwards.

    Args:
        config: its limits.
        random: where session names and keys come from.
        offer: what behaviour discovery has at hand.
        link: another server that serves as our alternate address, or None.
    """

    def __init__(
        self,
        config: RegistryConfig,
        random: RandomBytes,
        offer: Offer = NO_OFFER,
        link: LinkOptions | None = None,
    ) -> None:
        self.counters = Counters()
        self._config = config
        self._random = random
        self._connections: dict[ConnectionId, Connection] = {}
        self._clients: dict[ClientId, Client] = {}
        self._sessions: dict[str, Client] = {}
        self._reflector = Reflector(offer, config, self.counters, link, random)
        self._observer = Observer(
            self._sessions, self._reflector, self.counters, secret=random(OBSERVER_SECRET_BYTES)
        )
        self._announcer = Announcer(
            interval=config.announcement_interval,
            interval_per_client=config.announcement_interval_per_client,
        )
        self._commands: deque[Command] = deque()
        self._unregistered: TimeoutQueue[ConnectionId] = TimeoutQueue(config.registration_timeout)
        self._partial_lines: TimeoutQueue[ConnectionId] = TimeoutQueue(config.line_timeout)
        self._silences: TimeoutQueue[ConnectionId] = TimeoutQueue(config.silence_timeout)
        self._pings: TimeoutQueue[ConnectionId] = TimeoutQueue(config.ping_interval)
        self._is_draining = False
        self._now = 0.0

    @property
    def clients(self) -> tuple[ClientStatus, ...]:
        """Everybody who is registered, in order of registration."""
        return tuple(client.status for client in self._clients.values())

    @property
    def connection_count(self) -> int:
        """The connections that are open, registered or not."""
        return len(self._connections)

    # --- what the shell brings ------------------------------------------------------------------------

    def connection_opened(self, connection: ConnectionId, endpoints: tuple[str, ...], now: float) -> None:
        """Takes note of a new TCP connection.

        Args:
            connection: a name that was never used before.
            endpoints: 1 to 4 UDP endpoints, ``ADDRESS:PORT``, that this client shall send to, best first.
            now: seconds.
        """
        self._now = now
        self.counters.connections += 1
        if len(self._unregistered) >= self._config.max_unregistered:
            self._give_way()
        lines = TokenBucket(rate=self._config.line_rate, burst=self._config.line_burst, now=now)
        self._connections[connection] = Connection(id=connection, endpoints=endpoints, lines=lines)
        self._unregistered.restart(connection, now)
        if self._is_draining:
            self._drop(self._connections[connection], "the server is shutting down")

    def receive_data(self, connection: ConnectionId, data: bytes, now: float) -> None:
        """Takes bytes of a connection as they came; those of a forgotten connection are ignored."""
        held = self._connections.get(connection)
        if held is None:
            return
        if not held.lines.take(now, data.count(b"\n")):  # counted before any of them costs more than that
            self._now = now
            self._drop(held, "too many lines at once")
            self._announce()
            return
        held.stream.receive_data(data)
        while connection in self._connections and (message := held.stream.next_message()) is not None:
            self.receive_message(connection, message, now)
        if not held.stream.has_partial_line or connection not in self._connections:
            self._partial_lines.stop(connection)
        elif b"\n" in data or connection not in self._partial_lines:
            self._partial_lines.restart(connection, now)

    def receive_message(
        self, connection: ConnectionId, message: ClientMessage | MalformedLine, now: float
    ) -> None:
        """Takes one line of a connection, decoded."""
        held = self._connections.get(connection)
        if held is None:
            return
        self._now = now
        if held.client is not None:
            self._silences.restart(connection, now)
        if isinstance(message, MalformedLine):
            self._receive_malformed_line(held, message)
        else:
            self._receive_message(held, message)
        self._announce()

    def connection_lost(self, connection: ConnectionId, reason: str, now: float) -> None:
        """Takes note that a connection ended without our closing it; one that we closed is forgotten already.

        Args:
            connection: which.
            reason: why, in a few words for other clients, for example ``"connection reset"``.
            now: seconds.
        """
        held = self._connections.get(connection)
        if held is None:
            return
        self._now = now
        self._forget(held)
        if held.client is not None:
            self._remove(held.client, Change.DISCONNECTED, reason)
        self._announce()

    def receive_datagram(
        self, data: bytes, source: TransportAddress, base: TransportAddress, now: float
    ) -> None:
        """Takes one UDP datagram that came from ``source`` to the local address ``base``."""
        self._now = now
        finding = self._observer.examine(data, Arrival(source=source, local=base), now)
        if finding.answer is not None:
            self._commands.append(_sending(finding.answer))
        self._tell_operator()
        if finding.wish is not None:
            self._connect_early(*finding.wish)
        if finding.client is not None:
            self._observe(finding.client, ReflexiveAddress(source))
            if finding.is_news:
                self._trickle(finding.client, is_paid=False)
            self._announce()

    def handle_timer(self, now: float) -> None:
        """Does everything that is due: nothing when early, all of it when late."""
        self._now = now
        for connection in self._unregistered.take_due(now):
            reason = f"not registered within {self._config.registration_timeout:g} s"
            self._drop(self._connections[connection], reason)
        for connection in self._partial_lines.take_due(now):
            reason = f"a line took longer than {self._config.line_timeout:g} s"
            self._drop(self._connections[connection], reason)
        for connection in self._silences.take_due(now):
            reason = f"no sign of life for {self._config.silence_timeout:g} s"
            self._drop(self._connections[connection], reason)
        for connection in self._pings.take_due(now):
            self._pings.restart(connection, now)
            self._send(connection, Ping())
        if (due := self._reflector.handle_timer(now)) is not None:
            self._commands.append(_sending(due))
        self._tell_operator()
        self._announce()

    def drain(self, now: float) -> None:
        """Says goodbye to everybody, and from now on to whoever comes."""
        self._now = now
        self._is_draining = True
        for held in list(self._connections.values()):
            self._say_goodbye(held, "the server is shutting down")
        self._clients.clear()
        self._sessions.clear()

    # --- what the shell asks --------------------------------------------------------------------------

    def next_command(self) -> Command | None:
        """Hands over, once, the oldest command, or None."""
        return self._commands.popleft() if self._commands else None

    def get_timer(self) -> float | None:
        """The instant, in seconds, at which ``handle_timer`` must be called, or None."""
        deadlines = (
            self._unregistered.deadline,
            self._partial_lines.deadline,
            self._silences.deadline,
            self._pings.deadline,
            self._announcer.deadline(self._now),
            self._reflector.get_timer(),
        )
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    # --- messages -------------------------------------------------------------------------------------

    def _receive_malformed_line(self, held: Connection, line: MalformedLine) -> None:
        self.counters.malformed_lines += 1
        held.malformed_lines += 1
        self._fault(held, line.code, line.detail)
        if line.code is FaultCode.LINE_TOO_LONG:
            self._drop(held, line.detail)
        elif held.malformed_lines > self._config.max_malformed_lines:
            self._drop(held, "too many malformed lines")

    def _receive_message(self, held: Connection, message: ClientMessage) -> None:
        match message:
            case Register():
                self._register(held, message)
            case Ping():
                self._send(held.id, Pong())
            case Pong():
                pass  # that it came is all it says
            case Unregister():
                self._unregister(held)
            case Publish() | Connect() | Decline():
                self._receive_request(held, message)
            case _:
                assert_never(message)

    def _receive_request(self, held: Connection, message: Publish | Connect | Decline) -> None:
        if held.client is None:
            self._fault(held, FaultCode.NOT_REGISTERED, "register first")
        elif isinstance(message, Publish):
            self._publish(held, held.client, message)
        elif isinstance(message, Decline):
            self._decline(held.client, message)
        else:
            self._connect(held.client, message)

    def _register(self, held: Connection, message: Register) -> None:
        if held.client is not None:
            self._fault(held, FaultCode.ALREADY_REGISTERED, f"this connection is {held.client.id}")
            return
        holder = self._clients.get(message.id)
        fault = self._registration_fault(message, holder)
        if fault is not None:
            self._commands.append(SendControl(connection=held.id, message=fault))
            self._unregistered.restart(held.id, self._now)
            return
        self.counters.registrations += 1
        session, key = random_token(self._random, SESSION_BYTES), random_token(self._random, KEY_BYTES)
        if holder is None:
            client = self._add(held, message.id, session, key)
        else:
            client = self._take_over(held, holder, session, key)
        held.client = client
        self._unregistered.stop(held.id)
        self._silences.restart(held.id, self._now)
        self._pings.restart(held.id, self._now)
        self._welcome(held, client)

    def _registration_fault(self, message: Register, holder: Client | None) -> Fault | None:
        if message.version != VERSION:
            got = str(message.version)[:20]  # it may have thousands of digits, a reason 512 characters
            reason = f"got version {got}, expected {VERSION}"
            return Fault(code=FaultCode.UNSUPPORTED_VERSION, reason=reason)
        if not _is_client_id(message.id):
            reason = "an id is 1 to 32 of letters, digits, '_', '.' and '-'"
            return Fault(code=FaultCode.INVALID_ID, reason=reason)
        if holder is not None:
            if message.resume is not None and hmac.compare_digest(message.resume, holder.key):
                return None
            return Fault(code=FaultCode.DUPLICATE_ID, reason=f"{message.id} is taken; choose another id")
        if len(self._clients) >= self._config.max_clients:
            reason = f"the server is full: {self._config.max_clients} clients are registered"
            return Fault(code=FaultCode.SERVER_FULL, reason=reason)
        return None

    def _welcome(self, held: Connection, client: Client) -> None:
        registered = Registered(
            id=client.id,
            session=client.session,
            key=client.key,
            endpoints=held.endpoints,
            clients=(),
            ping_interval=self._config.ping_interval,
        )
        first, *others = split_rows(self.clients, room=_ROSTER_ROOM, first_room=room_beside(registered))
        self._send(held.id, msgspec.structs.replace(registered, clients=first))
        for rows in others:
            self._send(held.id, Roster(clients=rows))

    def _unregister(self, held: Connection) -> None:
        self._forget(held)
        self._commands.append(CloseControl(connection=held.id, reason="unregistered"))
        if held.client is not None:
            self._remove(held.client, Change.UNREGISTERED, None)

    def _publish(self, held: Connection, client: Client, message: Publish) -> None:
        if not client.publications.take(self._now):
            self._fault(held, FaultCode.TOO_FAST, "too many publications at once; wait a second")
            return
        was_awake = client.is_awake
        try:
            client.published = believed_part(message)
            client.published_at = self._now
        except DecodeError as exc:
            self._fault(held, FaultCode.BAD_MESSAGE, str(exc))
            return
        if client.is_awake and not was_awake:  # its datagrams overtook what it published
            self._announcer.add(ClientChange(id=client.id, change=Change.AWAKE))
        self._trickle(client, is_paid=True)

    def _connect(self, asker: Client, wish: Connect) -> None:
        if wish.nonce is not None and not asker.wishes.take(wish.nonce):
            return  # its copy was quicker
        target = self._clients.get(wish.target)
        refused = refusal(asker, wish.target, target, self._now)
        if refused is None and target is not None:
            self._introduce(asker, target, wish.renews)
        elif refused is not None:
            self.counters.refusals += 1
            # Cut to what an id can be, so that the answer fits a line whatever was asked for.
            target_id = wish.target[:MAX_ID_LENGTH]
            answer = ConnectRefused(
                target=target_id, code=refused.code, reason=refused.reason, nonce=wish.nonce
            )
            self._tell(asker, answer)

    def _connect_early(self, asker: Client, wish: Connect) -> None:
        """As :meth:`_connect`, of a copy that came over UDP: a refusal is for the one on TCP to hear.

        The copy may have overtaken what makes the wish right: what the client published just before.
        """
        target = self._clients.get(wish.target)
        if wish.nonce is None or wish.nonce in asker.wishes or target is None:
            return
        if refusal(asker, wish.target, target, self._now) is None and asker.wishes.take(wish.nonce):
            self._introduce(asker, target, wish.renews)

    def _introduce(self, asker: Client, target: Client, renews: str | None) -> None:
        self.counters.introductions += 1
        session = random_token(self._random, SESSION_BYTES)
        told_asker = introduction_of(target, session=session, controlling=True, renews=renews, now=self._now)
        told_target = introduction_of(asker, session=session, controlling=False, renews=renews, now=self._now)
        self._tell(asker, told_asker)
        self._tell(target, told_target)
        note_meeting(session, asker, target, self._now)

    def _trickle(self, client: Client, *, is_paid: bool) -> None:
        """Tells whoever may be looking for a path to a client what has changed with it.

        Each time takes one of the client's publications; where it published, that has been taken.
        """
        meetings = recent_meetings(client, self._now) if client.is_awake else []
        if not meetings or not (is_paid or client.publications.take(self._now)):
            return
        for name, peer in meetings:
            if self._clients.get(peer.id) is peer:
                self._tell(peer, trickle_of(client, session=name, now=self._now))

    def _decline(self, client: Client, message: Decline) -> None:
        """Once for each introduction; of others nothing is known, and nothing said."""
        meeting = client.meetings.pop(message.session, None)
        if meeting is None or self._clients.get(meeting.peer.id) is not meeting.peer:
            return
        told = Declined(session=message.session, code=message.code, reason=message.reason)
        self._tell(meeting.peer, told)

    # --- clients come, wake and go --------------------------------------------------------------------

    def _add(self, held: Connection, id_: ClientId, session: str, key: str) -> Client:
        config, now = self._config, self._now
        client = Client(
            id=id_,
            connection=held.id,
            session=session,
            key=key,
            copies=clients_copies(session, key),
            introductions=TokenBucket(
                rate=config.introduction_rate, burst=config.introduction_burst, now=now
            ),
            publications=TokenBucket(rate=config.publication_rate, burst=config.publication_burst, now=now),
        )
        self._clients[id_] = self._sessions[session] = client
        self._commands.append(Report(f"{id_} Asleep"))
        self._announcer.add(ClientChange(id=id_, change=Change.REGISTERED))
        return client

    def _take_over(self, held: Connection, client: Client, session: str, key: str) -> Client:
        """Moves a client to a new connection and session; for everybody else nothing happens."""
        self._say_goodbye(self._connections[client.connection], "replaced by a new connection")
        del self._sessions[client.session]
        self._sessions[session] = client
        client.connection, client.session, client.key, client.observation = held.id, session, key, None
        client.copies = clients_copies(session, key)
        return client

    def _observe(self, client: Client, address: ReflexiveAddress) -> None:
        if client.reflexive_address == address:
            return
        change = Change.AWAKE if client.reflexive_address is None else Change.MOVED
        client.reflexive_address = address
        self._commands.append(Report(f"{client.id} Awake {address}"))
        if client.is_awake:
            self._announcer.add(ClientChange(id=client.id, change=change))

    def _remove(self, client: Client, change: Change, reason: str | None) -> None:
        del self._clients[client.id]
        del self._sessions[client.session]
        self._commands.append(Report(f"{client.id} is {change.value}"))
        self._announcer.add(ClientChange(id=client.id, change=change, reason=reason))

    # --- connections ----------------------------------------------------------------------------------

    def _give_way(self) -> None:
        oldest = self._unregistered.oldest
        if oldest is not None:
            self._drop(self._connections[oldest], "too many connections wait to register")

    def _drop(self, held: Connection, reason: str) -> None:
        """Ends a connection on our side; its client has disconnected."""
        self._say_goodbye(held, reason)
        if held.client is not None:
            self._remove(held.client, Change.DISCONNECTED, reason)

    def _say_goodbye(self, held: Connection, reason: str) -> None:
        self._send(held.id, Goodbye(reason=reason))
        self._commands.append(CloseControl(connection=held.id, reason=reason))
        self._forget(held)

    def _forget(self, held: Connection) -> None:
        del self._connections[held.id]
        for queue in (self._unregistered, self._partial_lines, self._silences, self._pings):
            queue.stop(held.id)

    def _tell_operator(self) -> None:
        if (line := self._reflector.news(self._now)) is not None:
            self._commands.append(Report(line))

    # --- sending --------------------------------------------------------------------------------------

    def _send(self, connection: ConnectionId, message: ServerMessage) -> None:
        self._commands.append(SendControl(connection=connection, message=message))

    def _tell(self, client: Client, message: ServerMessage) -> None:
        """Sends what somebody waits for, over UDP as well where the client has proven to be."""
        self._send(client.connection, message)
        copy = copy_for(client, message, self._random)
        if copy is not None:
            self._commands.append(copy)

    def _fault(self, held: Connection, code: FaultCode, reason: str) -> None:
        self._send(held.id, Fault(code=code, reason=reason))

    def _announce(self) -> None:
        for announcement in self._announcer.take_due(self._now, client_count=len(self._clients)):
            concerned = {change.id for change in announcement.changes}
            if len(concerned) > 1:
                # One batch for all, encoded once: whoever finds itself in it knows that already.
                concerned = set()
            connections = tuple(
                client.connection for client in self._clients.values() if client.id not in concerned
            )
            if connections:
                self._commands.append(Broadcast(connections=connections, message=announcement))


def _sending(answer: Answer) -> SendDatagram:
    return SendDatagram(data=answer.data, destination=answer.destination, base=answer.origin)
