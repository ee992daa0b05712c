"""The probe against the lab's own server and against servers that lie, on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from netlab.instruments import probe, stunserver

LOCAL = "127.0.0.1"
REQUEST_ID = b"0123456789ab"


def response(mapped: tuple[str, int] = ("203.0.113.7", 40001), transaction: bytes = REQUEST_ID) -> bytes:
    return stunserver.build_response(
        transaction, mapped=mapped, origin=("192.0.2.1", 3478), other=("192.0.2.2", 3479)
    )


def test_probe_and_server_understand_each_other() -> None:
    question = probe.request()
    parsed = stunserver.parse_request(question)
    assert parsed == (question[8:20], {})
    assert probe.read_response(response(transaction=question[8:20])) == (
        question[8:20],
        ("203.0.113.7", 40001),
    )


def test_no_truncation_of_a_response_is_taken_for_an_answer_or_raises() -> None:
    whole = response()
    for length in range(32):
        assert probe.read_response(whole[:length]) is None


EIM = [("n", 40001)] * 4
ADM = [("n", 1), ("n", 1), ("n", 2), ("n", 2)]


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ([(40001, EIM)], "preserving"),
        ([(5, ADM), (6, [("n", port) for port in (3, 3, 4, 4)])], "sequential"),
        ([(5, [("n", 9), ("n", 7), ("n", 5), ("n", 3)])], "sequential"),
        ([(5, [("n", 9), ("n", 500), ("n", 5), ("n", 3)])], "random"),
        ([(5, [("n", port) for port in (100, 200, 300, 400)])], "random"),
        ([(5, EIM)], "random"),
    ],
)
def test_allocation_is_named_by_the_order_of_new_ports(
    trials: list[tuple[int, list[tuple[str, int]]]], expected: str
) -> None:
    assert probe.name_allocation(trials) == expected


@pytest.mark.parametrize(
    ("seen_ports", "expected"),
    [((7, 8), "drops"), ((1000, 2000), "remaps"), ((7, 2000), "inconsistent")],
)
def test_a_mapping_that_moved_is_called_remapped(seen_ports: tuple[int, int], expected: str) -> None:
    early = [(False, ("n", seen), own) for own, seen in zip((7, 8), seen_ports, strict=True)]
    assert probe.name_early_inbound(early) == expected


@contextmanager
def answering(count: int) -> Iterator[tuple[str, int]]:
    """A server that leaves the first datagrams unanswered, and answers the others in order."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((LOCAL, 0))
        server.settimeout(5)

        def serve() -> None:
            for number in range(count):
                data, source = server.recvfrom(100)
                if number == count - 1:
                    server.sendto(response(source, data[8:20]), source)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()
        thread.join()


def test_a_question_whose_follower_is_answered_was_filtered() -> None:
    with answering(2) as server, probe.open_socket() as udp:
        mapped, answered = probe.ask(udp, server, b"")
        assert mapped[1] == udp.getsockname()[1]
    assert answered == set()


def test_a_lost_question_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "ANSWER_TIMEOUT", 0.02)
    with answering(2) as server, probe.open_socket() as udp:
        assert probe.ask(udp, server)[0][0] == LOCAL


def test_silence_is_told_from_a_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "ANSWER_TIMEOUT", 0.001)
    with probe.open_socket() as silent, probe.open_socket() as udp, pytest.raises(probe.NoAnswer):
        probe.ask(udp, (LOCAL, silent.getsockname()[1]))


def test_no_port_is_given_back_while_its_nat_may_remember_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[socket.socket] = []

    def note(udp: socket.socket, *_question: object) -> tuple[tuple[str, int], set[int]]:
        asked.append(udp)
        return (LOCAL, 1), set()

    monkeypatch.setattr(probe, "ask", note)
    with ExitStack() as sockets:
        probe.measure_mapping(["192.0.2.1", "192.0.2.2"], sockets)
        probe.measure_filtering(("192.0.2.1", 3478), sockets)
        probe.measure_early_inbound(("192.0.2.1", 3478), ("192.0.2.2", 3479), sockets)
        ports = {udp.getsockname()[1] for udp in asked}
        assert len(ports) == len(set(asked)) == probe.MAPPING_TRIALS + 3
    assert all(udp.fileno() == -1 for udp in asked)
