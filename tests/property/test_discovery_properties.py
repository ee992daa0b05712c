"""Behaviour discovery under whatever comes in: it never raises, sends so much at most, and ends in time."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from natcore import stun
from natcore.address import TransportAddress
from natcore.agent import Transmit
from natcore.discovery import (
    LIFETIME_SOCKETS,
    Discovery,
    DiscoveryConfig,
    DiscoveryReport,
    LifetimeConfig,
    LifetimeDiscovery,
)
from natcore.discovery.plan import MAX_ENDPOINTS, MAX_SERVERS, SOCKETS, Role
from tests.sim.pair import seeded
from tests.unit.natcore.discovery.rehearsal import BASES, OTHER, PRIMARY

CONFIG = DiscoveryConfig()
SECOND = TransportAddress.parse("198.51.100.30:3478")
SERVERS = (PRIMARY, SECOND)

PLAIN_SOCKETS = SOCKETS[Role.HAIRPIN] + SOCKETS[Role.ALLOCATION]
CONTROLS = SOCKETS[Role.FILTERING] + 1
TRIALS = CONTROLS * 2 * CONFIG.max_trial_rounds
MAX_PACKETS = (
    CONFIG.max_tries
    * (
        MAX_SERVERS
        + SOCKETS[Role.MAPPING] * MAX_ENDPOINTS
        + PLAIN_SOCKETS
        + CONTROLS * CONFIG.max_trial_rounds
    )
    + TRIALS
    + SOCKETS[Role.HOP] * CONFIG.hop_tries
)
"""Of one discovery, whatever the servers do; the docstring of the agent has the terms."""

addresses = st.builds(
    TransportAddress,
    st.one_of(
        st.sampled_from([PRIMARY.ip, OTHER.ip, SECOND.ip, BASES[0].ip, IPv4Address("203.0.113.7")]),
        st.integers(0, 2**32 - 1).map(IPv4Address),
        st.integers(0, 2**128 - 1).map(IPv6Address),
    ),
    st.one_of(st.sampled_from([PRIMARY.port, OTHER.port]), st.integers(0, 65535)),
)
attributes: st.SearchStrategy[stun.Attribute] = st.one_of(
    st.builds(stun.XorMappedAddress, addresses),
    st.builds(stun.MappedAddress, addresses),
    st.builds(stun.OtherAddress, addresses),
    st.builds(stun.ResponseOrigin, addresses),
    st.builds(stun.AlternatePort, st.integers(0, 65535)),
    st.builds(stun.ErrorCode, st.integers(300, 699)),
    st.builds(stun.UnknownAttribute, st.sampled_from([0x7777, 0x8888]), st.binary(max_size=12)),
)
classes = st.sampled_from(
    [stun.MessageClass.SUCCESS_RESPONSE] * 4 + [stun.MessageClass.ERROR_RESPONSE, stun.MessageClass.REQUEST]
)
delays = st.floats(min_value=0.0, max_value=0.5)


class World:
    """An agent, what it has sent, and the instant."""

    def __init__(self, agent: Discovery | LifetimeDiscovery) -> None:
        self.agent = agent
        self.now = 0.0
        self.sent: list[Transmit] = []
        self.events: list[object] = []
        self.drain()

    def drain(self) -> None:
        while (event := self.agent.next_event()) is not None:
            self.events.append(event)
        self.sent += self.agent.datagrams_to_send()

    def advance(self, seconds: float) -> None:
        """Lets time pass, with every timer in it."""
        end = self.now + seconds
        for _ in range(2000):
            due = self.agent.get_timer()
            if due is None or due > end:
                break
            self.now = max(due, self.now)
            self.agent.handle_timer(self.now)
            self.drain()
        else:
            raise AssertionError(f"more than 2000 timers in {seconds} s")
        self.now = end

    def receive(self, data: bytes, source: TransportAddress, base: TransportAddress) -> None:
        self.agent.receive_datagram(data, source, base, self.now)
        self.drain()

    def play(self, data: st.DataObject, acts: int) -> None:
        """So many acts of a hostile network, each at an instant of its own choice."""
        for _ in range(acts):
            self.advance(data.draw(delays))
            asked = data.draw(st.sampled_from(self.sent))
            source = data.draw(st.one_of(st.just(asked.destination), addresses))
            base = data.draw(st.sampled_from([asked.base] * 4 + [BASES[0], PRIMARY]))
            self.receive(self.draw_datagram(data, asked), source, base)

    def draw_datagram(self, data: st.DataObject, asked: Transmit) -> bytes:
        """An answer to a question of ours that says anything, or bytes that say nothing."""
        if data.draw(st.integers(0, 4)) == 0:
            return data.draw(st.one_of(st.binary(max_size=60), st.just(asked.data)))
        return stun.Message(
            method=stun.Method.BINDING,
            message_class=data.draw(classes),
            transaction_id=stun.Message.decode(asked.data).transaction_id,
            attributes=tuple(data.draw(st.lists(attributes, max_size=4))),
        ).encode()


def discovery() -> World:
    return World(Discovery(bases=BASES, servers=SERVERS, random=seeded(1), now=0.0))


@given(st.data(), st.integers(0, 40))
def test_a_discovery_ends_with_one_report_by_the_deadline_whatever_comes_in(
    data: st.DataObject, acts: int
) -> None:
    world = discovery()
    world.play(data, acts)
    world.advance(max(0.0, CONFIG.deadline - world.now))
    [report] = world.events
    assert isinstance(report, DiscoveryReport)
    assert report.elapsed <= CONFIG.deadline
    assert world.agent.get_timer() is None
    assert report.packets_sent == len(world.sent) <= MAX_PACKETS
    assert {one.base for one in world.sent} <= set(BASES)


@given(st.data(), st.integers(1, 12))
def test_servers_that_answer_everything_with_the_same_anything_get_a_bounded_discovery(
    data: st.DataObject, patience: int
) -> None:
    world = discovery()
    says = tuple(data.draw(st.lists(attributes, min_size=1, max_size=4)))
    message_class = data.draw(
        st.sampled_from([stun.MessageClass.SUCCESS_RESPONSE] * 3 + list(classes_only()))
    )
    answered = 0
    for _ in range(400):
        if world.events:
            break
        world.advance(0.02)
        for asked in world.sent[answered:]:
            message = stun.Message(
                method=stun.Method.BINDING,
                message_class=message_class,
                transaction_id=stun.Message.decode(asked.data).transaction_id,
                attributes=says,
            )
            answered += 1
            if answered % patience == 0:
                world.receive(message.encode(), asked.destination, asked.base)
    [report] = world.events
    assert isinstance(report, DiscoveryReport)
    assert len(world.sent) <= MAX_PACKETS
    assert all(one.destination.port != 0 for one in world.sent)


def classes_only() -> tuple[stun.MessageClass, ...]:
    return (stun.MessageClass.ERROR_RESPONSE, stun.MessageClass.INDICATION)


@given(st.lists(st.tuples(st.binary(max_size=100), addresses, st.sampled_from(BASES)), max_size=20))
def test_bytes_of_strangers_change_nothing_but_a_count(
    datagrams: list[tuple[bytes, TransportAddress, TransportAddress]],
) -> None:
    world = discovery()
    before = world.agent.get_timer(), len(world.sent)
    for data, source, base in datagrams:
        world.receive(data, source, base)
    assert (world.agent.get_timer(), len(world.sent)) == before
    assert world.agent.discarded == len(datagrams)


@given(st.data(), st.integers(0, 40), st.floats(min_value=1.0, max_value=60.0))
def test_a_lifetime_measurement_ends_with_one_finding_whatever_comes_in(
    data: st.DataObject, acts: int, limit: float
) -> None:
    bases = tuple(TransportAddress(BASES[0].ip, 40000 + number) for number in range(LIFETIME_SOCKETS))
    agent = LifetimeDiscovery(
        bases=bases, server=PRIMARY, random=seeded(1), now=0.0, config=LifetimeConfig(limit=limit)
    )
    world = World(agent)
    world.play(data, acts)
    world.advance(10 * limit + 120.0)
    assert agent.finding is not None
    assert world.events[-1] is agent.finding
    assert agent.get_timer() is None
    assert len(world.sent) < 3000
    assert {one.destination for one in world.sent} == {PRIMARY}
