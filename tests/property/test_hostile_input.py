"""Whatever bytes come over UDP or TCP: an endpoint, its sessions and their ICE agents never raise."""

from __future__ import annotations

from functools import cache
from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from natcore import stun
from natcore.address import IPAddress, TransportAddress
from natcore.control.messages import (
    Announcement,
    Change,
    ClientChange,
    ClientStatus,
    ConnectRefused,
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
    WireCandidate,
    encode,
)
from natcore.endpoint import ClientEndpoint, EndpointConfig, RegistrationConfirmed, SessionLimits
from tests.sim.pair import SERVER, EndpointPair, local_host, make_sites, seeded
from tests.unit.natcore.endpoint.rehearsed_server import REGISTERED, RehearsedServer

BASE = TransportAddress(IPv4Address("192.168.7.10"), 40000)
ICE_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def tokens(shortest: int, longest: int = 256) -> st.SearchStrategy[str]:
    lengths = st.sampled_from([shortest, 16, 64, longest])
    return lengths.flatmap(lambda length: st.text(ICE_CHARS, min_size=length, max_size=length))


IPS: st.SearchStrategy[IPAddress] = st.one_of(
    st.ip_addresses(v=4),
    st.ip_addresses(v=6),
    st.sampled_from(
        [
            IPv4Address("224.0.0.1"),
            IPv4Address("127.0.0.1"),
            IPv4Address(0),
            IPv6Address("ff02::1"),
            IPv6Address("fe80::1"),
        ]
    ),
)
ADDRESSES = st.builds(TransportAddress, IPS, st.integers(0, 65535))
ADDRESS_TEXTS = st.one_of(
    ADDRESSES.map(str), st.text(max_size=64), st.just("fe80::1%eth0"), st.just("[fe80::1%25]:7")
)
IDS = st.sampled_from(["elsa", "anna", "x", "a" * 32])
CANDIDATES = st.builds(
    WireCandidate,
    type=st.sampled_from(["host", "srflx", "prflx", "relay"]),
    address=ADDRESS_TEXTS,
    priority=st.sampled_from([1, 2**31 - 1]),
    foundation=tokens(1, 32),
)
SERVER_MESSAGES: st.SearchStrategy[ServerMessage] = st.one_of(
    st.builds(
        Registered,
        id=IDS,
        session=tokens(4),
        key=tokens(22),
        endpoints=st.lists(ADDRESS_TEXTS, min_size=1, max_size=4).map(tuple),
        clients=st.lists(st.builds(ClientStatus, id=IDS, status=st.sampled_from(Status)), max_size=3).map(
            tuple
        ),
        ping_interval=st.sampled_from([0.1, 10.0, 3600.0]),
    ),
    st.builds(
        Introduction,
        session=tokens(4),
        peer=IDS,
        controlling=st.booleans(),
        ufrag=tokens(4),
        pwd=tokens(22),
        candidates=st.lists(CANDIDATES, max_size=20).map(tuple),
    ),
    st.builds(Roster, clients=st.just(())),
    st.builds(
        Announcement,
        changes=st.lists(st.builds(ClientChange, id=IDS, change=st.sampled_from(Change)), max_size=5).map(
            tuple
        ),
    ),
    st.builds(ConnectRefused, target=IDS, code=st.sampled_from(FaultCode), reason=st.text(max_size=20)),
    st.builds(Fault, code=st.sampled_from(FaultCode), reason=st.text(max_size=20)),
    st.builds(Goodbye, reason=st.text(max_size=20)),
    st.just(Ping()),
    st.just(Pong()),
)


@cache
def recorded_traffic() -> tuple[bytes, ...]:
    """Every datagram of a real conversation."""
    pair = EndpointPair(make_sites("full-cone", "full-cone"))
    pair.start()
    pair.connect(early_data=b"hello")
    pair.advance(6.0)
    return tuple(transmit.data for _, transmit in pair.network.sent)


def connected_pair() -> EndpointPair:
    """The same conversation, with fresh endpoints that have a session open."""
    pair = EndpointPair(make_sites("full-cone", "full-cone"))
    pair.start()
    pair.connect(early_data=b"hello")
    return pair


def damaged(data: bytes, at: int, flip: int, cut: int) -> bytes:
    """One byte changed and some cut off."""
    copy = bytearray(data)
    copy[at % len(copy)] ^= flip
    return bytes(copy[: len(copy) - cut % len(copy)] if cut else copy)


def look_after(endpoint: ClientEndpoint, now: float) -> None:
    """What a shell does after every call in."""
    while endpoint.next_event() is not None:
        pass
    endpoint.datagrams_to_send()
    endpoint.data_to_send()
    endpoint.get_timer()
    endpoint.handle_timer(now)


@given(st.lists(st.tuples(st.binary(max_size=2200), ADDRESSES), min_size=1, max_size=10))
def test_any_datagram_from_anywhere_is_survived(datagrams: list[tuple[bytes, TransportAddress]]) -> None:
    pair = connected_pair()
    session = pair.elsas.sessions[0]
    for data, source in datagrams:
        pair.elsas.receive_datagram(data, source, BASE, pair.now)
        session.receive_datagram(data, source, BASE, pair.now)
        session.ice.receive_datagram(data, source, BASE, pair.now)
        look_after(pair.elsas, pair.now)
    assert pair.elsas.sessions == (session,)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10_000), st.integers(0, 2000), st.integers(0, 255), st.integers(0, 40), ADDRESSES
        ),
        min_size=1,
        max_size=20,
    )
)
def test_damaged_copies_of_real_traffic_from_anywhere_are_survived(
    copies: list[tuple[int, int, int, int, TransportAddress]],
) -> None:
    pair = connected_pair()
    session = pair.elsas.sessions[0]
    traffic = recorded_traffic()
    for which, at, flip, cut, source in copies:
        data = damaged(traffic[which % len(traffic)], at, flip, cut)
        pair.elsas.receive_datagram(data, source, BASE, pair.now)
        session.ice.receive_datagram(data, source, BASE, pair.now)
        look_after(pair.elsas, pair.now)
    pair.advance(2.0)
    assert pair.elsas.sessions == (session,), "the session must live on"


@given(st.lists(st.one_of(SERVER_MESSAGES.map(encode), st.binary(max_size=200)), max_size=12))
def test_any_words_of_the_server_are_survived(chunks: list[bytes]) -> None:
    endpoint = ClientEndpoint(
        client_id="elsa",
        host_candidates=[local_host(BASE)],
        config=EndpointConfig(limits=SessionLimits(in_all=4)),
        random=seeded(1),
    )
    endpoint.wake(0.0)
    endpoint.connection_made(SERVER.ip, 0.0)
    for index, chunk in enumerate(chunks):
        endpoint.receive_data(chunk, float(index))
        look_after(endpoint, float(index))
    assert len(endpoint.sessions) <= 4
    endpoint.connection_lost(20.0)
    look_after(endpoint, 20.0)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.one_of(SERVER_MESSAGES.map(encode), st.binary(max_size=200))))
)
def test_whatever_comes_over_udp_with_the_session_s_key_is_survived(words: list[tuple[int, bytes]]) -> None:
    server = RehearsedServer(config=EndpointConfig(limits=SessionLimits(in_all=4)))
    server.awaken()
    for sequence, word in words:
        attributes = stun.Username(REGISTERED.session), stun.ControlSequence(sequence), stun.Data(word[:1200])
        datagram = stun.Message(
            method=stun.Method.CONTROL,
            message_class=stun.MessageClass.INDICATION,
            transaction_id=stun.TransactionId(bytes(12)),
            attributes=attributes,
        ).encode(key=REGISTERED.key.encode())
        server.endpoint.receive_datagram(datagram, SERVER, BASE, 0.0)
        look_after(server.endpoint, 0.0)
    assert len(server.endpoint.sessions) <= 4
    assert server.endpoint.registration.is_registered


@given(st.lists(SERVER_MESSAGES, max_size=8), st.lists(st.integers(1, 200), min_size=1, max_size=20))
def test_it_does_not_matter_how_tcp_cuts_the_server_s_words(
    messages: list[ServerMessage], cuts: list[int]
) -> None:
    data = b"".join(encode(message) for message in messages)
    whole, in_pieces = (
        ClientEndpoint(
            client_id="elsa", host_candidates=[local_host(BASE)], config=EndpointConfig(), random=seeded(1)
        )
        for _ in range(2)
    )
    for endpoint in (whole, in_pieces):
        endpoint.connection_made(SERVER.ip, 0.0)
    whole.receive_data(data, 0.0)
    at = 0
    for index in range(len(data)):
        if at < len(data):
            cut = cuts[index % len(cuts)]
            in_pieces.receive_data(data[at : at + cut], 0.0)
            at += cut
    kinds = [[type(event) for event in iter(endpoint.next_event, None)] for endpoint in (whole, in_pieces)]
    assert kinds[0] == kinds[1]
    assert kinds[0].count(RegistrationConfirmed) <= 1
    assert whole.data_to_send() == in_pieces.data_to_send()
