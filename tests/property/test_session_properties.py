"""Two sessions under all that a network can do: nothing raises, arrives twice, or is told wrong."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from natcore.address import TransportAddress
from natcore.channel import (
    MAX_PAYLOAD_SIZE,
    DataReceived,
    MessageUnconfirmed,
    SessionConfirmed,
    SessionEnded,
)
from natcore.errors import MisuseError
from tests.sim.conversation import Participant
from tests.sim.pair import SessionPair, Site, confirmed, make_lan, make_sites, payloads

PLACES: list[tuple[Site, Site]] = [
    make_sites("port-restricted", "port-restricted"),
    make_sites("open", "symmetric"),
    make_sites("symmetric", "full-cone"),
    make_lan("port-restricted"),
    make_sites("port-restricted", "symmetric"),
]
SIDES = st.sampled_from([0, 1])
DELAYS = st.floats(min_value=0.0, max_value=2.0)
SOURCES = st.sampled_from(
    [TransportAddress.parse(text) for text in ("203.0.113.99:9", "203.0.113.7:40000", "198.51.100.1:10080")]
)


class Network(RuleBasedStateMachine):
    """The network's acts and the owners' wishes; the invariants are what a session promises."""

    pair: SessionPair

    @initialize(
        sites=st.sampled_from(PLACES),
        roles=st.sampled_from([(True, False), (False, True), (True, True), (False, False)]),
        seed=st.integers(0, 1000),
        skew=DELAYS,
        early=st.booleans(),
    )
    def introduce(
        self, sites: tuple[Site, Site], roles: tuple[bool, bool], seed: int, skew: float, early: bool
    ) -> None:
        self.pair = SessionPair(sites, roles=roles, seed=seed)
        self.sent: tuple[dict[int, bytes], dict[int, bytes]] = ({}, {})
        self.datagrams: set[bytes] = set()
        self.count = 0
        early_data = self.next_payload() if early else None
        if early_data is not None:
            self.sent[0][1] = early_data
        self.pair.start(skew=skew, early_data=early_data)

    @rule()
    def let_the_next_thing_happen(self) -> None:
        self.pair.step(until=self.pair.now + 60.0)

    @rule(seconds=st.floats(min_value=0.0, max_value=40.0))
    def advance(self, seconds: float) -> None:
        self.pair.advance(seconds)

    @precondition(lambda self: self.pair.network.next_arrival is not None)
    @rule()
    def drop(self) -> None:
        self.pair.network.drop_next()

    @precondition(lambda self: self.pair.network.next_arrival is not None)
    @rule(delay=DELAYS)
    def duplicate(self, delay: float) -> None:
        self.pair.network.duplicate_next(delay)

    @precondition(lambda self: self.pair.network.next_arrival is not None)
    @rule(delay=DELAYS)
    def postpone(self, delay: float) -> None:
        self.pair.network.postpone_next(delay)

    @rule(drop=st.sampled_from([0.0, 0.3, 1.0]))
    def change_the_link(self, drop: float) -> None:
        self.pair.link.drop = drop

    @rule(side=SIDES)
    def send_message(self, side: int) -> None:
        payload = self.next_payload()
        try:
            number = self.pair.send(self.participant(side), payload)
        except MisuseError:
            assert self.has_ended(side)
        else:
            assert number not in self.sent[side]
            self.sent[side][number] = payload

    @rule(side=SIDES)
    def send_datagram(self, side: int) -> None:
        payload = self.next_payload()
        session = self.pair.sessions[side]
        try:
            session.send_datagram(payload, self.pair.now)
        except MisuseError:
            assert session.path is None
        else:
            self.datagrams.add(payload)
            self.participant(side).drain(self.pair.now)

    @rule(side=SIDES)
    def send_too_much(self, side: int) -> None:
        try:
            self.pair.send(self.participant(side), bytes(MAX_PAYLOAD_SIZE + 1))
        except MisuseError:
            return
        raise AssertionError("a message that is too long was taken")

    @rule(side=SIDES, data=st.binary(max_size=80), source=SOURCES)
    def send_rubbish(self, side: int, data: bytes, source: TransportAddress) -> None:
        self.pair.sessions[side].receive_datagram(data, source, self.participant_base(side), self.pair.now)
        self.participant(side).drain(self.pair.now)

    @precondition(lambda self: bool(self.pair.network.sent))
    @rule(side=SIDES, which=st.integers(0, 10_000), source=SOURCES)
    def replay(self, side: int, which: int, source: TransportAddress) -> None:
        sent = self.pair.network.sent
        data = sent[which % len(sent)][1].data
        self.pair.sessions[side].receive_datagram(data, source, self.participant_base(side), self.pair.now)
        self.participant(side).drain(self.pair.now)

    @precondition(lambda self: self.count > 3)
    @rule(side=SIDES)
    def close(self, side: int) -> None:
        self.pair.close(self.participant(side))

    @invariant()
    def what_arrived_was_sent_and_arrived_once_and_in_order(self) -> None:
        for side in (0, 1):
            messages = [one for one in payloads(self.participant(1 - side)) if one not in self.datagrams]
            in_order = iter(self.sent[side].values())
            assert all(payload in in_order for payload in messages), (messages, self.sent[side])
            everything = payloads(self.participant(1 - side))
            assert len(everything) == len(set(everything)), "something was delivered twice"

    @invariant()
    def every_message_has_one_fate_at_most(self) -> None:
        for side in (0, 1):
            unconfirmed = [event.number for event in self.participant(side).events(MessageUnconfirmed)]
            fates = confirmed(self.participant(side)) + unconfirmed
            assert len(fates) == len(set(fates)), f"a message has two fates: {fates}"
            assert set(fates) <= set(self.sent[side])

    @invariant()
    def what_was_confirmed_was_received(self) -> None:
        for side in (0, 1):
            received = payloads(self.participant(1 - side))
            for number in confirmed(self.participant(side)):
                assert self.sent[side][number] in received

    @invariant()
    def the_end_is_final_and_every_message_has_its_fate_by_then(self) -> None:
        for side in (0, 1):
            participant, session = self.participant(side), self.pair.sessions[side]
            assert len(participant.events(SessionConfirmed)) <= 1
            if self.has_ended(side):
                assert isinstance(participant.log[-1][1], SessionEnded)
                assert session.get_timer() is None
                assert session.path is None
                unconfirmed = participant.events(MessageUnconfirmed)
                assert len(confirmed(participant)) + len(unconfirmed) == len(self.sent[side])

    @invariant()
    def nothing_is_overdue(self) -> None:
        for session in self.pair.sessions:
            due = session.get_timer()
            assert due is None or due >= self.pair.now, f"due {self.pair.now - (due or 0)} s ago"

    def next_payload(self) -> bytes:
        self.count += 1
        return b"payload %d" % self.count

    def participant(self, side: int) -> Participant:
        return (self.pair.elsa, self.pair.anna)[side]

    def participant_base(self, side: int) -> TransportAddress:
        return TransportAddress(self.participant(side).ip, 40000)

    def has_ended(self, side: int) -> bool:
        return bool(self.participant(side).events(SessionEnded))


TestNetwork = Network.TestCase
TestNetwork.settings = settings(max_examples=max(120, settings().max_examples), stateful_step_count=50)


def test_the_machine_is_able_to_deliver_something() -> None:
    # A property that never sees a delivery proves nothing.
    pair = SessionPair(PLACES[0])
    pair.start(early_data=b"x")
    pair.connect()
    assert pair.anna.events(DataReceived)
