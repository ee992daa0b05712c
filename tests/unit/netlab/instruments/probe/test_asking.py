"""The probe against servers that lie, on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from netlab.instruments.probe import asking, behavior
from netlab.instruments.probe.asking import Answer, NoAnswer, Scene
from netlab.instruments.probe.wire import Endpoint
from tests.unit.netlab.instruments.probe.test_wire import response

LOCAL = "127.0.0.1"


@pytest.fixture
def scene() -> Iterator[Scene]:
    with ExitStack() as opened:
        yield Scene([LOCAL, LOCAL], opened)


@contextmanager
def answering(count: int) -> Iterator[Endpoint]:
    """A server that leaves the first datagrams unanswered, and answers the last one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((LOCAL, 0))
        server.settimeout(5)

        def serve() -> None:
            for number in range(count):
                data, source = server.recvfrom(100)
                if number == count - 1:
                    server.sendto(response(data, source), source)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()
        thread.join()


def test_a_question_whose_follower_is_answered_was_filtered(scene: Scene) -> None:
    udp = scene.open_socket()
    with answering(2) as server:
        answer = scene.ask(udp, server, b"")
    assert answer.mapped[1] == udp.getsockname()[1]
    assert answer.came() == set()
    assert scene.ports_seen == [answer.mapped[1]]


@pytest.mark.parametrize("port", [1, 2])
def test_a_flow_that_is_seen_at_two_endpoints_is_not_steady(scene: Scene, port: int) -> None:
    answers = {b"first": (LOCAL, 1), b"second": (LOCAL, port)}
    assert Answer(scene.open_socket(), [], answers, mapped=(LOCAL, 1)).is_steady is (port == 1)


def test_a_lost_question_is_asked_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "ANSWER_TIMEOUT", 0.02)
    with answering(2) as server:
        assert scene.mapped(scene.open_socket(), server)[0] == LOCAL


def test_silence_is_told_from_a_filter(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "ANSWER_TIMEOUT", 0.001)
    silent = scene.open_socket().getsockname()[1]
    with pytest.raises(NoAnswer):
        scene.ask(scene.open_socket(), (LOCAL, silent))


def test_no_port_is_given_back_while_its_nat_may_remember_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[socket.socket] = []

    def note(_scene: Scene, udp: socket.socket, *_question: object) -> Answer:
        asked.append(udp)
        return Answer(udp, [], {}, mapped=(LOCAL, 1))

    monkeypatch.setattr(Scene, "ask", note)
    with ExitStack() as opened:
        scene = Scene([LOCAL, LOCAL], opened)
        behavior.mapping_trials(scene)
        behavior.allocation_samples(scene, 3)
        behavior.filtering(scene)
        behavior.early_inbound(scene, scene.stranger)
        ports = {udp.getsockname()[1] for udp in asked}
        control = 1
        assert len(ports) == len(set(asked)) == behavior.MAPPING_TRIALS + 3 + 2 + control
    assert all(udp.fileno() == -1 for udp in asked)
