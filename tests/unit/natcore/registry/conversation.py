"""A registry and its clients in virtual time: what each was told, and what the operator saw."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TypeVar

from natcore.address import TransportAddress
from natcore.control.copies import ControlCopies, ServerCopy, servers_copies
from natcore.control.messages import (
    VERSION,
    Announcement,
    Change,
    ClientMessage,
    Publish,
    Register,
    Registered,
    ServerMessage,
    WireCandidate,
    encode,
)
from natcore.control.stream import MAX_LINE_LENGTH
from natcore.registry import (
    Broadcast,
    CloseControl,
    ConnectionId,
    Registry,
    RegistryConfig,
    Report,
    SendControl,
    SendDatagram,
)
from natcore.stun import (
    AddressToken,
    AwakeSequence,
    IntegrityAlgorithm,
    Message,
    MessageClass,
    Method,
    ReceivedMessage,
    TransactionId,
    Username,
)

BASE = TransportAddress.parse("203.0.113.10:10080")
HOME = TransportAddress.parse("198.51.100.7:40001")
ELSEWHERE = TransportAddress.parse("198.51.100.8:50002")

MessageT = TypeVar("MessageT")


class CountingBytes:
    """Randomness that is never twice the same and always the same from run to run."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def __call__(self, length: int) -> bytes:
        return next(self._numbers).to_bytes(length, "big")


def publication(*addresses: str, kind: str = "host") -> Publish:
    candidates = tuple(
        WireCandidate(type=kind, address=address, priority=2113929471, foundation="1")
        for address in addresses
    )
    return Publish(ufrag="abcd", pwd="p" * 22, candidates=candidates)


@dataclass
class Conversation:
    config: RegistryConfig = field(default_factory=RegistryConfig)
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.registry = Registry(self.config, CountingBytes())
        self.told: dict[ConnectionId, list[ServerMessage]] = defaultdict(list)
        self.closed: dict[ConnectionId, str] = {}
        self.answers: list[SendDatagram] = []
        self.copies: list[SendDatagram] = []
        self._sides: dict[ConnectionId, ControlCopies[ServerCopy]] = {}
        self.reports: list[str] = []
        self.broadcasts: list[Broadcast] = []
        self._names = map(ConnectionId, itertools.count(1))
        self._transactions = CountingBytes()

    # --- clients ---

    def open(self) -> ConnectionId:
        name = next(self._names)
        self.registry.connection_opened(name, (str(BASE),), self.now)
        self.drain()
        return name

    def say(self, connection: ConnectionId, message: ClientMessage) -> None:
        self.send_bytes(connection, encode(message))

    def send_bytes(self, connection: ConnectionId, data: bytes) -> None:
        self.registry.receive_data(connection, data, self.now)
        self.drain()

    def register(self, client_id: str, resume: str | None = None) -> ConnectionId:
        connection = self.open()
        self.say(connection, Register(id=client_id, version=VERSION, resume=resume))
        return connection

    def reachable(self, client_id: str, source: TransportAddress = HOME) -> ConnectionId:
        """Registered, Awake and published."""
        connection = self.register(client_id)
        self.awake(connection, 1, source)
        self.say(connection, publication("192.0.2.1:5000"))
        return connection

    def lose(self, connection: ConnectionId, reason: str = "connection reset by peer") -> None:
        self.registry.connection_lost(connection, reason, self.now)
        self.drain()

    # --- datagrams ---

    def awake_request(
        self,
        registered: Registered,
        sequence: int | None = 1,
        *,
        key: str | None = None,
        transaction: bytes | None = None,
        algorithm: IntegrityAlgorithm = IntegrityAlgorithm.SHA1,
        token: AddressToken | None = None,
    ) -> bytes:
        number = () if sequence is None else (AwakeSequence(sequence),)
        proof = () if token is None else (token,)
        request = Message(
            method=Method.BINDING,
            message_class=MessageClass.REQUEST,
            transaction_id=TransactionId(transaction or self._transactions(12)),
            attributes=(Username(registered.session), *number, *proof),
        )
        return request.encode(key=(key or registered.key).encode(), algorithm=algorithm)

    def awake(self, connection: ConnectionId, sequence: int, source: TransportAddress = HOME) -> bytes:
        data = self.awake_request(self.session(connection), sequence)
        self.datagram(data, source)
        return data

    def prove(self, connection: ConnectionId, sequence: int, source: TransportAddress = HOME) -> None:
        """Two Awake requests, the second of which repeats the server's token."""
        first = self.datagram(self.awake_request(self.session(connection), sequence), source)
        assert first is not None
        token = first.get(AddressToken)
        self.datagram(self.awake_request(self.session(connection), sequence + 1, token=token), source)

    def side(self, connection: ConnectionId) -> ControlCopies[ServerCopy]:
        """The client's half of what it and the server say over UDP beside TCP."""
        if connection not in self._sides:
            registered = self.session(connection)
            self._sides[connection] = servers_copies(registered.session, registered.key)
        return self._sides[connection]

    def say_copy(self, connection: ConnectionId, message: ClientMessage) -> bytes:
        """Says something over UDP alone; returns the datagram."""
        data = self.side(connection).encode(message, self._transactions)
        assert data is not None
        self.hear_copy(data)
        return data

    def hear_copy(self, data: bytes, source: TransportAddress = HOME) -> None:
        """Has the server take a datagram that no answer may follow."""
        before = len(self.answers)
        self.registry.receive_datagram(data, source, BASE, self.now)
        self.drain()
        assert len(self.answers) == before, "a control message is not answered over UDP"

    def copies_to(self, connection: ConnectionId, source: TransportAddress = HOME) -> list[ServerCopy]:
        """What the server has said to a client over UDP since the last time."""
        own = [one for one in self.copies if one.destination == source]
        self.copies = [one for one in self.copies if one.destination != source]
        heard = [self.side(connection).receive(Message.decode(one.data)) for one in own]
        assert {one.base for one in own} <= {BASE}
        return [message for message in heard if message is not None]

    def datagram(self, data: bytes, source: TransportAddress = HOME) -> ReceivedMessage | None:
        """Sends one; returns the answer, if there is any."""
        before = len(self.answers)
        self.registry.receive_datagram(data, source, BASE, self.now)
        self.drain()
        new = self.answers[before:]
        assert len(new) <= 1, "a datagram is answered once at most"
        if not new:
            return None
        assert (new[0].destination, new[0].base) == (source, BASE)
        return Message.decode(new[0].data)

    # --- time ---

    def advance(self, seconds: float) -> None:
        """Lets time pass as a punctual shell would."""
        end = self.now + seconds
        for _ in range(100_000):
            deadline = self.registry.get_timer()
            if deadline is None or deadline > end:
                break
            self.now = max(self.now, deadline)
            self.registry.handle_timer(self.now)
            self.drain()
        else:
            raise AssertionError("the timer never comes to rest")
        self.now = end

    def drain(self) -> None:
        while (command := self.registry.next_command()) is not None:
            match command:
                case SendControl(connection=connection, message=message):
                    assert len(encode(message)) <= MAX_LINE_LENGTH
                    assert connection not in self.closed, "nothing is sent after the close"
                    self.told[connection].append(message)
                case Broadcast(connections=connections, message=message):
                    assert len(encode(message)) <= MAX_LINE_LENGTH
                    self.broadcasts.append(command)
                    for connection in connections:
                        self.told[connection].append(message)
                case CloseControl(connection=connection, reason=reason):
                    self.closed[connection] = reason
                case SendDatagram(data=data):
                    is_copy = Message.decode(data).method is Method.CONTROL
                    (self.copies if is_copy else self.answers).append(command)
                case Report(line):
                    self.reports.append(line)

    # --- what was heard ---

    def session(self, connection: ConnectionId) -> Registered:
        return self.last(connection, Registered)

    def last(self, connection: ConnectionId, kind: type[MessageT]) -> MessageT:
        found = [message for message in self.told[connection] if isinstance(message, kind)]
        assert found, f"expected a {kind.__name__}, heard {self.told[connection]}"
        return found[-1]

    def heard(self, connection: ConnectionId, kind: type[MessageT]) -> list[MessageT]:
        return [message for message in self.told[connection] if isinstance(message, kind)]

    def news(self, connection: ConnectionId) -> list[tuple[str, Change]]:
        return [
            (change.id, change.change)
            for message in self.heard(connection, Announcement)
            for change in message.changes
        ]

    def forget_what_was_heard(self) -> None:
        self.told.clear()
        self.broadcasts.clear()
        self.reports.clear()
