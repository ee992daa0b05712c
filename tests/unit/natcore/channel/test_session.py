from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from natcore.address import TransportAddress
from natcore.channel import (
    MAX_PAYLOAD_SIZE,
    DataReceived,
    MessageConfirmed,
    MessageUnconfirmed,
    PeerSession,
    SessionConfig,
    SessionEnded,
)
from natcore.channel.frame import Frame, FrameKey, FrameType
from natcore.channel.session import CLOSE_COPIES, MAX_EARLY_COPIES
from natcore.errors import MisuseError
from natcore.ice import Credentials
from natcore.stun import is_stun
from tests.sim.pair import SessionPair, local_host, make_sites, seeded

BASE = TransportAddress(IPv4Address("192.0.2.1"), 4000)
STRANGER = TransportAddress(IPv4Address("203.0.113.66"), 6666)
OURS, THEIRS = Credentials.generate(seeded(1)), Credentials.generate(seeded(2))
TO_US = FrameKey.of("name", OURS.for_session("name"))
PEERS = [TransportAddress(IPv4Address("198.51.100.1"), 5000 + index) for index in range(8)]


def make_session() -> PeerSession:
    return PeerSession(
        name="name",
        peer="anna",
        is_controlling=True,
        local=OURS,
        remote=THEIRS,
        local_candidates=[local_host(BASE)],
        config=SessionConfig(),
        random=seeded(3),
    )


def frames_among(session: PeerSession) -> list[tuple[FrameType, TransportAddress]]:
    """What the session sends beside STUN, and where to."""
    return [
        (FrameType(one.data[0]), one.destination)
        for one in session.datagrams_to_send()
        if not is_stun(one.data)
    ]


def connected() -> SessionPair:
    pair = SessionPair(make_sites("port-restricted", "port-restricted"))
    pair.start()
    pair.connect()
    pair.advance(1.0)
    return pair


def test_each_copy_of_early_data_follows_the_check_that_opens_the_way_for_it() -> None:
    session = make_session()
    session.start([local_host(address) for address in PEERS[:3]], 0.0, early_data=b"early")
    sent = session.datagrams_to_send()
    opened = set()
    for one in sent:
        if is_stun(one.data):
            opened.add(one.destination)
        else:
            assert one.destination in opened, "data left before the check that opens our NAT"
    assert len([one for one in sent if not is_stun(one.data)]) == 3


def test_copies_of_early_data_are_bounded() -> None:
    session = make_session()
    session.start([local_host(address) for address in PEERS], 0.0, early_data=b"early")
    copies = len(frames_among(session))
    for tick in range(1, 100):
        session.handle_timer(tick / 10)
        copies += len(frames_among(session))
    assert copies == MAX_EARLY_COPIES


def test_a_message_that_is_sent_before_the_path_waits_for_it() -> None:
    pair = SessionPair(make_sites("port-restricted", "port-restricted"))
    pair.start()
    number = pair.send(pair.elsa, b"patience")
    pair.advance(1.0)
    assert pair.elsa.events(MessageConfirmed) == [MessageConfirmed(number=number)]
    assert pair.anna.events(DataReceived) == [DataReceived(payload=b"patience")]


def test_early_data_that_is_too_long_is_misuse_and_nothing_has_happened() -> None:
    session = make_session()
    with pytest.raises(MisuseError, match="got 1201 bytes"):
        session.start([], 0.0, early_data=bytes(MAX_PAYLOAD_SIZE + 1))
    session.start([local_host(PEERS[0])], 0.0)
    assert session.datagrams_to_send()


def test_starting_twice_is_misuse_and_nothing_is_queued() -> None:
    session = make_session()
    session.start([], 0.0)
    with pytest.raises(MisuseError, match="started before"):
        session.start([], 0.0, early_data=b"lost?")
    session.close(1.0)
    assert not [event for event in iter(session.next_event, None) if isinstance(event, MessageUnconfirmed)]


def test_a_datagram_without_a_path_is_misuse() -> None:
    session = make_session()
    session.start([local_host(PEERS[0])], 0.0)
    with pytest.raises(MisuseError, match="no path to anna"):
        session.send_datagram(b"x", 0.0)


def test_sending_after_the_end_is_misuse() -> None:
    session = make_session()
    session.start([], 0.0)
    session.close(1.0)
    with pytest.raises(MisuseError, match="is over"):
        session.send_message(b"x", 0.0)
    with pytest.raises(MisuseError, match="no path"):
        session.send_datagram(b"x", 0.0)
    session.close(1.0)
    assert len([event for event in iter(session.next_event, None) if isinstance(event, SessionEnded)]) == 1


def test_data_before_the_path_is_answered_where_it_came_from() -> None:
    session = make_session()
    session.start([local_host(PEERS[0])], 0.0)
    session.datagrams_to_send()
    session.receive_datagram(Frame(FrameType.MESSAGE, 1, b"hi").encode(TO_US), PEERS[5], BASE, 0.1)
    assert frames_among(session) == [(FrameType.ACKNOWLEDGEMENT, PEERS[5])]
    session.send_datagram(b"hello", 0.2)
    assert frames_among(session) == [(FrameType.DATAGRAM, PEERS[5])]


@pytest.mark.parametrize("kind", [FrameType.MESSAGE, FrameType.DATAGRAM])
def test_a_replayed_frame_does_not_move_the_data_of_an_unconfirmed_session(kind: FrameType) -> None:
    session = make_session()
    session.start([local_host(PEERS[0])], 0.0)
    data = Frame(kind, 1, b"hi").encode(TO_US)
    session.receive_datagram(data, PEERS[0], BASE, 0.1)
    session.receive_datagram(data, STRANGER, BASE, 0.2)
    session.datagrams_to_send()
    session.send_datagram(b"private", 0.3)
    assert frames_among(session) == [(FrameType.DATAGRAM, PEERS[0])]
    assert session.discarded == 1


def test_frames_of_another_session_and_forged_ones_are_counted_and_nothing_else() -> None:
    session = make_session()
    session.start([local_host(PEERS[0])], 0.0)
    session.datagrams_to_send()
    frame = Frame(FrameType.CLOSE, 0)
    for key in (FrameKey.of("other", OURS.for_session("other")), replace(TO_US, secret=b"guess")):
        session.receive_datagram(frame.encode(key), PEERS[0], BASE, 0.1)
    session.receive_datagram(frame.encode(TO_US)[:-1], PEERS[0], BASE, 0.1)
    assert session.discarded == 3
    assert list(iter(session.next_event, None)) == []
    assert session.datagrams_to_send() == []


def test_an_acknowledgement_of_what_was_never_sent_confirms_nothing() -> None:
    session = make_session()
    session.start([local_host(PEERS[0])], 0.0)
    for number in (0, 1, 2**32 - 1):
        frame = Frame(FrameType.ACKNOWLEDGEMENT, number)
        session.receive_datagram(frame.encode(TO_US), PEERS[0], BASE, 0.1)
    assert list(iter(session.next_event, None)) == []


def test_datagrams_are_delivered_once() -> None:
    pair = connected()
    pair.link.duplicate = 1.0
    for index in range(20):
        pair.elsas.send_datagram(b"%d" % index, pair.now)
    pair.elsa.drain(pair.now)
    pair.advance(1.0)
    assert [event.payload for event in pair.anna.events(DataReceived)] == [b"%d" % one for one in range(20)]


def test_closing_says_so_twice_and_ends_at_once() -> None:
    pair = connected()
    pair.elsas.close(pair.now)
    frames = [one for one in pair.elsas.datagrams_to_send() if not is_stun(one.data)]
    assert [one.data[0] for one in frames] == [FrameType.CLOSE] * CLOSE_COPIES
    assert pair.elsas.path is None
    assert pair.elsas.get_timer() is None


def test_a_timer_after_the_end_does_nothing() -> None:
    session = make_session()
    session.start([local_host(PEERS[0])], 0.0)
    session.close(1.0)
    session.datagrams_to_send()
    session.handle_timer(1000.0)
    assert session.datagrams_to_send() == []


def test_every_packet_is_counted() -> None:
    pair = connected()
    pair.send(pair.elsa, b"x")
    pair.advance(7.0)
    assert sum(session.packets_sent for session in pair.sessions) == len(pair.network.sent)
