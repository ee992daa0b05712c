from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from netlab.instruments import stunserver
from netlab.instruments.probe import wire

COOKIE = bytes.fromhex("2112a442")
TRANSACTION = COOKIE + b"0123456789ab"
CLASSIC = b"classic-id-of-16"
MAPPED, ORIGIN, OTHER = ("203.0.113.7", 40001), ("192.0.2.1", 3478), ("192.0.2.2", 3479)
LOCAL = ("127.0.0.1", "127.0.0.2")


def response(transaction: bytes = TRANSACTION, mapped: tuple[str, int] = MAPPED) -> bytes:
    question = stunserver.Request(transaction=transaction, attributes={})
    return stunserver.build_response(question, mapped=mapped, origin=ORIGIN, other=OTHER)


def test_a_response_is_laid_out_as_the_rfc_says() -> None:
    assert response()[:32] == bytes.fromhex("0101 0024 2112a442") + TRANSACTION[4:] + bytes.fromhex(
        "0020 0008 00 01 bd53 ea12d545"
    )


def test_a_classic_client_is_answered_in_its_own_terms() -> None:
    assert response(CLASSIC) == bytes.fromhex("0101 0024") + CLASSIC + bytes.fromhex(
        "0001 0008 00 01 9c41 cb007107"  # MAPPED-ADDRESS, not masked
        "0004 0008 00 01 0d96 c0000201"  # SOURCE-ADDRESS
        "0005 0008 00 01 0d97 c0000202"  # CHANGED-ADDRESS
    )


@pytest.mark.parametrize("mapped", [MAPPED, ("2001:db8:e::10", 40001)])
def test_the_probe_reads_either_family_from_a_response(mapped: tuple[str, int]) -> None:
    assert wire.read_response(response(mapped=mapped)) == (TRANSACTION[4:], mapped)


@pytest.mark.parametrize(
    ("flags", "origin"),
    [
        (0, ("192.0.2.1", 3478)),
        (2, ("192.0.2.1", 3479)),
        (4, ("192.0.2.2", 3478)),
        (6, ("192.0.2.2", 3479)),
    ],
)
def test_change_request_chooses_where_the_answer_comes_from(flags: int, origin: tuple[str, int]) -> None:
    attributes = {0x0003: struct.pack("!I", flags)}
    assert stunserver.answer_from(ORIGIN, OTHER, attributes) == origin


def test_response_port_chooses_where_the_answer_goes() -> None:
    parsed = stunserver.parse_request(wire.request(wire.response_port(5000)))
    assert parsed is not None
    assert stunserver.answer_to(MAPPED, parsed.attributes) == ("203.0.113.7", 5000)


@pytest.mark.parametrize("length", range(20))
def test_a_truncated_header_is_no_request(length: int) -> None:
    assert stunserver.parse_request(wire.request()[:length]) is None


@pytest.mark.parametrize(
    "spoiled",
    [
        b"\x01\x01" + wire.request()[2:],
        wire.request() + b"1234",
        wire.request()[:2] + b"\x00\x02" + wire.request()[4:] + b"12",
        wire.request(b"\x00\x03\x00\xff\x00\x00\x00\x06"),
        bytes(2000),
    ],
    ids=["a response", "wrong length", "no multiple of four", "an attribute beyond the end", "zeros"],
)
def test_what_is_no_binding_request_is_not_answered(spoiled: bytes) -> None:
    assert stunserver.parse_request(spoiled) is None


@pytest.mark.parametrize("attribute", [b"\x00\x03\x00\x00", b"\x00\x27\x00\x01\x50\x00\x00\x00"])
def test_an_attribute_of_a_wrong_length_asks_for_nothing(attribute: bytes) -> None:
    parsed = stunserver.parse_request(wire.request(attribute))
    assert parsed is not None
    assert stunserver.answer_from(ORIGIN, OTHER, parsed.attributes) == ORIGIN
    assert stunserver.answer_to(MAPPED, parsed.attributes) == MAPPED


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> stunserver.Server:
    """A server on loopback, on ports that were free a moment ago; it does not serve yet."""
    with ExitStack() as held:
        ports = []
        for _ in range(2):
            udp = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            udp.bind((LOCAL[0], 0))
            ports.append(udp.getsockname()[1])
    monkeypatch.setattr(stunserver, "PORTS", tuple(ports))
    return stunserver.Server(list(LOCAL), [ports[0]])


@contextmanager
def serving(server: stunserver.Server) -> Iterator[stunserver.Server]:
    """Has a thread serve."""
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


@pytest.fixture
def server(bound: stunserver.Server) -> Iterator[stunserver.Server]:
    with serving(bound) as running:
        yield running


def connect() -> socket.socket:
    return socket.create_connection((LOCAL[0], stunserver.PORTS[0]), timeout=5)


@pytest.mark.usefixtures("server")
def test_other_address_is_what_natdiscovery_expects() -> None:
    """It takes from the second answer where to send its third question: the second address, another port."""
    for ip, port in ((LOCAL[0], 0), (LOCAL[1], 0), (LOCAL[1], 1)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.settimeout(5)
            udp.sendto(wire.request(), (ip, stunserver.PORTS[port]))
            answer = udp.recv(1500)
            position = answer.index(b"\x80\x2c\x00\x08\x00\x01")
            told_port, told_ip = struct.unpack_from("!H4s", answer, position + 6)
            assert (socket.inet_ntoa(told_ip), told_port) == (LOCAL[1], stunserver.PORTS[1 - port])


@pytest.mark.usefixtures("server")
def test_tcp_is_answered_however_the_stream_is_cut() -> None:
    questions = wire.request() + wire.request(wire.CHANGE_PORT) + wire.request()
    with connect() as tcp:
        for byte in questions:
            tcp.sendall(bytes([byte]))
        answers = b""
        while len(answers) < 3 * len(response()):
            answers += tcp.recv(1500)
    assert [answers[n * 56 + 8 : n * 56 + 20] for n in range(3)] == [
        questions[8:20],
        questions[28:40],
        questions[56:68],
    ]


@pytest.mark.usefixtures("server")
def test_a_datagram_can_be_asked_for_by_tcp() -> None:
    with connect() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((LOCAL[0], 0))
        udp.settimeout(5)
        question = wire.request(wire.response_port(udp.getsockname()[1]))
        tcp.sendall(question)
        read = wire.read_response(udp.recv(1500))
        assert read is not None
        assert read[0] == wire.transaction_of(question)


@pytest.mark.usefixtures("server")
def test_a_stream_that_never_becomes_a_request_is_closed() -> None:
    with connect() as tcp:
        tcp.sendall(b"\x00\x01\xff\xfc" + bytes(2000))
        assert closes(tcp)


@pytest.mark.usefixtures("server")
def test_one_connection_too_many_is_closed_and_the_others_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stunserver, "MAX_CONNECTIONS", 2)
    with connect() as one, connect() as other, connect() as surplus:
        assert closes(surplus)
        for tcp in (one, other):
            tcp.sendall(wire.request())
            assert wire.read_response(tcp.recv(1500)) is not None


def closes(tcp: socket.socket) -> bool:
    try:
        return tcp.recv(1) == b""
    except ConnectionResetError:  # it had not read all that we sent
        return True


def test_whoever_was_answered_over_tcp_was_answered_over_udp_before(bound: stunserver.Server) -> None:
    """However many asked at once; a lab with sixty NATs would else believe that they block UDP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        for _ in range(60):
            udp.sendto(wire.request(), (LOCAL[0], stunserver.PORTS[0]))
        with connect() as tcp:
            tcp.sendall(wire.request())
            with serving(bound):
                assert wire.read_response(tcp.recv(1500)) is not None
                for _ in range(60):
                    assert wire.read_response(udp.recv(1500, socket.MSG_DONTWAIT)) is not None
