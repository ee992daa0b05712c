"""The registry under all that clients, strangers and time can do: it never raises, and what it says is so."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from natcore.address import TransportAddress
from natcore.control.messages import (
    Connect,
    Introduction,
    Ping,
    Pong,
    Register,
    Registered,
    Status,
    Unregister,
    encode,
)
from natcore.registry import ConnectionId, RegistryConfig
from natcore.stun import ControlSequence, Data, Message, MessageClass, Method, TransactionId, Username
from tests.unit.natcore.registry.conversation import Conversation, publication

IDS = st.sampled_from(["elsa", "anna", "olaf", "not an id", ""])
ADDRESSES = st.sampled_from(
    [TransportAddress.parse(text) for text in ("198.51.100.7:1", "198.51.100.7:2", "[2001:db8::7]:3")]
)
NUMBERS = st.integers(0, 9)


class Population(RuleBasedStateMachine):
    """Up to ten connections, alive or not, three ids, and datagrams old, new and forged."""

    @initialize()
    def start(self) -> None:
        self.talk = Conversation(RegistryConfig(max_clients=3, max_unregistered=2))
        self.connections: list[ConnectionId] = []
        self.requests: list[bytes] = []
        self.copies: list[bytes] = []
        self.keys: list[str] = []

    def pick(self, number: int) -> ConnectionId | None:
        return self.connections[number % len(self.connections)] if self.connections else None

    def session(self, number: int) -> Registered | None:
        connection = self.pick(number)
        heard = [] if connection is None else self.talk.heard(connection, Registered)
        return heard[-1] if heard else None

    @rule()
    def somebody_connects(self) -> None:
        self.connections = [*self.connections[-9:], self.talk.open()]

    @rule(number=NUMBERS, client_id=IDS, version=st.sampled_from([1, 1, 1, 2]), resume=NUMBERS)
    def somebody_registers(self, number: int, client_id: str, version: int, resume: int) -> None:
        connection = self.pick(number)
        if connection is not None:
            key = self.keys[-resume] if 0 < resume <= len(self.keys) else None
            self.talk.say(connection, Register(id=client_id, version=version, resume=key))
            session = self.session(number)
            if session is not None:
                self.keys.append(session.key)

    @rule(
        number=NUMBERS,
        message=st.sampled_from([Ping(), Pong(), Unregister(), publication("192.0.2.1:5"), publication("x")]),
    )
    def somebody_says(self, number: int, message: Ping | Pong | Unregister) -> None:
        connection = self.pick(number)
        if connection is not None:
            self.talk.say(connection, message)

    @rule(number=NUMBERS, client_id=IDS)
    def somebody_asks_for(self, number: int, client_id: str) -> None:
        connection = self.pick(number)
        if connection is not None:
            self.talk.say(connection, Connect(target=client_id))

    @rule(
        number=NUMBERS, data=st.binary(max_size=100) | st.sampled_from([b"?\n", b"{", b"\n", b"x" * 20_000])
    )
    def somebody_sends_rubbish(self, number: int, data: bytes) -> None:
        connection = self.pick(number)
        if connection is not None:
            self.talk.send_bytes(connection, data)

    @rule(number=NUMBERS)
    def somebody_vanishes(self, number: int) -> None:
        connection = self.pick(number)
        if connection is not None:
            self.talk.lose(connection)

    @rule(number=NUMBERS, sequence=st.integers(0, 5), source=ADDRESSES)
    def somebody_wakes(self, number: int, sequence: int, source: TransportAddress) -> None:
        session = self.session(number)
        if session is not None:
            self.requests.append(self.talk.awake_request(session, sequence))
            self.talk.datagram(self.requests[-1], source)

    @rule(number=NUMBERS, client_id=IDS, nonce=st.sampled_from(["one1", "two2"]), is_said_too=st.booleans())
    def somebody_asks_over_udp(self, number: int, client_id: str, nonce: str, is_said_too: bool) -> None:
        connection = self.pick(number)
        if connection is not None and self.session(number) is not None:
            wish = Connect(target=client_id, nonce=nonce)
            before = self.talk.registry.counters.introductions
            self.copies.append(self.talk.say_copy(connection, wish))
            if is_said_too:
                self.talk.say(connection, wish)
            assert self.talk.registry.counters.introductions <= before + 1

    @rule(number=NUMBERS, source=ADDRESSES)
    def an_old_wish_comes_again(self, number: int, source: TransportAddress) -> None:
        if self.copies:
            before = self.talk.registry.counters.introductions
            self.talk.hear_copy(self.copies[number % len(self.copies)], source)
            assert self.talk.registry.counters.introductions == before

    @rule(number=NUMBERS, source=ADDRESSES)
    def an_old_datagram_comes_again(self, number: int, source: TransportAddress) -> None:
        if self.requests:
            before = self.talk.registry.clients, self.talk.registry.counters.awakes
            seen = len(self.talk.reports)
            self.talk.datagram(self.requests[number % len(self.requests)], source)
            if self.talk.registry.counters.awakes == before[1]:
                assert self.talk.registry.clients == before[0]
                assert len(self.talk.reports) == seen

    @rule(data=st.binary(max_size=200), source=ADDRESSES)
    def a_stranger_sends(self, data: bytes, source: TransportAddress) -> None:
        self.talk.datagram(data, source)

    @rule(seconds=st.floats(0, 30))
    def time_passes(self, seconds: float) -> None:
        self.talk.advance(seconds)

    @invariant()
    def no_id_is_held_twice_and_no_more_than_fit(self) -> None:
        ids = [client.id for client in self.talk.registry.clients]
        assert len(ids) == len(set(ids)) <= 3
        assert len(ids) <= self.talk.registry.connection_count <= len(ids) + 2

    @invariant()
    def the_operator_saw_what_is_so(self) -> None:
        """Where a client is, once it was observed; for others it is Awake once it has published, too."""
        seen: dict[str, Status] = {}
        for line in self.talk.reports:
            name, _, what = line.partition(" ")
            if what.startswith("is "):
                del seen[name]
            else:
                seen[name] = Status(what.split()[0])
        told = {client.id: client.status for client in self.talk.registry.clients}
        assert seen.keys() == told.keys()
        assert all(seen[name] is Status.AWAKE for name, status in told.items() if status is Status.AWAKE)

    @invariant()
    def introductions_come_in_pairs(self) -> None:
        sessions: dict[str, list[bool]] = {}
        for heard in self.talk.told.values():
            for message in heard:
                if isinstance(message, Introduction):
                    sessions.setdefault(message.session, []).append(message.controlling)
        assert all(sorted(roles) == [False, True] for roles in sessions.values())

    @invariant()
    def a_connection_always_has_a_deadline(self) -> None:
        assert (self.talk.registry.get_timer() is not None) or self.talk.registry.connection_count == 0

    def teardown(self) -> None:
        if hasattr(self, "talk"):
            self.talk.advance(60)
            assert self.talk.registry.connection_count == 0, "who says nothing more is gone in a minute"


TestPopulation = Population.TestCase


@given(pieces=st.lists(st.binary(max_size=300), max_size=20))
def test_the_registry_survives_any_bytes_in_any_pieces(pieces: list[bytes]) -> None:
    talk = Conversation()
    connection = talk.open()
    for piece in pieces:
        talk.send_bytes(connection, piece)
        talk.datagram(piece)


@given(text=st.text(max_size=100))
def test_any_text_as_an_id_or_a_target_gets_an_answer_that_encodes(text: str) -> None:
    talk = Conversation()
    connection = talk.open()
    elsa = talk.register("elsa")
    talk.send_bytes(connection, encode(Register(id=text, version=1)))
    talk.send_bytes(elsa, encode(Connect(target=text)))
    assert len(talk.told[connection]) >= 1
    assert len(talk.told[elsa]) >= 2


@given(words=st.lists(st.tuples(st.integers(0, 9), st.binary(max_size=300)), max_size=20))
def test_any_bytes_over_udp_with_the_session_s_key_are_counted(words: list[tuple[int, bytes]]) -> None:
    talk = Conversation()
    session = talk.session(talk.reachable("elsa"))
    for sequence, word in words:
        datagram = Message(
            method=Method.CONTROL,
            message_class=MessageClass.INDICATION,
            transaction_id=TransactionId(bytes(12)),
            attributes=(Username(session.session), ControlSequence(sequence), Data(word)),
        )
        talk.hear_copy(datagram.encode(key=session.key.encode()))
    counters = talk.registry.counters
    assert counters.copies + counters.discarded_copies == len(words)
    assert counters.introductions == 0
