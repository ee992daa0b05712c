from __future__ import annotations

import pytest

from natcore.control.messages import VERSION, Change, Fault, FaultCode, Goodbye, Ping, Pong, Register
from natcore.control.stream import MAX_LINE_LENGTH
from natcore.registry import RegistryConfig
from tests.unit.natcore.registry.conversation import Conversation


def test_who_does_not_register_in_ten_seconds_is_closed() -> None:
    talk = Conversation()
    connection = talk.open()
    talk.advance(9.9)
    assert connection not in talk.closed
    talk.advance(0.1)
    assert talk.closed == {connection: "not registered within 10 s"}
    assert talk.last(connection, Goodbye).reason == "not registered within 10 s"


def test_a_refused_attempt_leaves_time_for_another() -> None:
    talk = Conversation()
    talk.register("elsa")
    second = talk.register("elsa")
    talk.advance(9.9)
    talk.say(second, Register(id="elsa", version=VERSION))
    talk.advance(9.9)
    assert second not in talk.closed


def test_a_client_is_pinged_every_ten_seconds() -> None:
    talk = Conversation()
    elsa = talk.register("elsa")
    for expected in (1, 2, 3, 4):
        talk.advance(10)
        talk.say(elsa, Pong())
        assert len(talk.heard(elsa, Ping)) == expected
    assert elsa not in talk.closed


def test_25_seconds_of_silence_end_a_client_and_it_is_announced() -> None:
    talk = Conversation()
    elsa = talk.register("elsa")
    talk.advance(5)
    anna = talk.register("anna")
    talk.advance(19.9)
    talk.say(anna, Pong())
    assert elsa not in talk.closed
    talk.advance(0.1)
    assert talk.closed[elsa] == "no sign of life for 25 s"
    assert talk.reports[-1] == "elsa is disconnected"
    assert talk.news(anna)[-1] == ("elsa", Change.DISCONNECTED)


def test_part_of_a_line_is_no_sign_of_life() -> None:
    talk = Conversation(RegistryConfig(line_timeout=1000))
    elsa = talk.register("elsa")
    for _ in range(25):
        talk.send_bytes(elsa, b" ")
        talk.advance(1)
    assert talk.closed[elsa] == "no sign of life for 25 s"


def test_a_line_that_comes_byte_by_byte_has_ten_seconds() -> None:
    talk = Conversation()
    elsa = talk.register("elsa")
    for byte in b'{"type":"p':
        talk.send_bytes(elsa, bytes([byte]))
        talk.advance(0.99)
    assert elsa not in talk.closed
    talk.send_bytes(elsa, b"i")
    talk.advance(0.2)
    assert talk.closed[elsa] == "a line took longer than 10 s"


def test_each_line_has_its_own_ten_seconds() -> None:
    talk = Conversation()
    elsa = talk.register("elsa")
    for _ in range(5):
        talk.send_bytes(elsa, b'"type":"pong"}\n{')
        talk.advance(9)
    assert elsa not in talk.closed
    talk.advance(1)
    assert talk.closed[elsa] == "a line took longer than 10 s"


def test_a_slow_but_whole_message_is_understood() -> None:
    talk = Conversation()
    elsa = talk.register("elsa")
    for byte in b'{"type":"ping"}\n':
        talk.send_bytes(elsa, bytes([byte]))
        talk.advance(0.5)
    assert talk.last(elsa, Pong) == Pong()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"garbage\n", FaultCode.BAD_MESSAGE),
        (bytes(range(1, 10)) + b"\xff\xfe\n", FaultCode.BAD_MESSAGE),
        (b"[]\n", FaultCode.BAD_MESSAGE),
        (b"[" * 5000 + b"\n", FaultCode.BAD_MESSAGE),
        (b'{"type":5}\n', FaultCode.BAD_MESSAGE),
        (b'{"type":"register","id":5,"version":1}\n', FaultCode.BAD_MESSAGE),
        (b'{"type":"register","id":"elsa"}\n', FaultCode.BAD_MESSAGE),
        (b'{"type":"sing"}\n', FaultCode.UNKNOWN_TYPE),
        (b'{"type":"registered"}\n', FaultCode.UNKNOWN_TYPE),
    ],
)
def test_a_malformed_line_is_answered_and_the_connection_goes_on(line: bytes, code: FaultCode) -> None:
    talk = Conversation()
    connection = talk.open()
    talk.send_bytes(connection, line)
    assert talk.last(connection, Fault).code is code
    talk.say(connection, Register(id="elsa", version=VERSION))
    assert talk.session(connection).id == "elsa"


def test_eight_malformed_lines_are_forgiven_and_the_ninth_ends_it() -> None:
    talk = Conversation()
    elsa = talk.register("elsa")
    talk.send_bytes(elsa, b"?\n" * 8)
    assert elsa not in talk.closed
    talk.send_bytes(elsa, b'?\n{"type":"ping"}\n')
    assert talk.closed[elsa] == "too many malformed lines"
    assert talk.reports[-1] == "elsa is disconnected"
    assert talk.heard(elsa, Pong) == []


def test_lines_are_bounded_at_once_and_in_the_long_run_and_blank_ones_count() -> None:
    talk = Conversation(RegistryConfig(line_rate=10, line_burst=5))
    elsa = talk.register("elsa")
    talk.send_bytes(elsa, b'{"type":"ping"}\n' * 3 + b"\n")
    assert len(talk.heard(elsa, Pong)) == 3
    for _ in range(30):
        talk.advance(0.1)
        talk.send_bytes(elsa, b'{"type":"ping"}\n')
    assert len(talk.heard(elsa, Pong)) == 33
    assert elsa not in talk.closed
    talk.send_bytes(elsa, b'{"type":"ping"}\n' * 6)
    assert talk.closed[elsa] == "too many lines at once"
    assert talk.last(elsa, Goodbye).reason == "too many lines at once"
    assert talk.reports[-1] == "elsa is disconnected"
    assert len(talk.heard(elsa, Pong)) == 33, "what is over the limit is not looked at"


def test_the_bound_on_lines_is_for_connections_that_never_register_too() -> None:
    talk = Conversation()
    vandal = talk.open()
    talk.send_bytes(vandal, b"\n" * 513)
    assert talk.closed[vandal] == "too many lines at once"
    talk.send_bytes(talk.open(), b"\n" * 512)
    assert list(talk.closed) == [vandal]


def test_a_mebibyte_without_a_newline_ends_the_connection_at_16_kib() -> None:
    talk = Conversation()
    elsa = talk.register("elsa")
    for _ in range(1024):
        talk.send_bytes(elsa, b"x" * 1024)
    assert talk.last(elsa, Fault).code is FaultCode.LINE_TOO_LONG
    assert talk.closed == {elsa: f"a line is at most {MAX_LINE_LENGTH} bytes"}


def test_of_too_many_unregistered_connections_the_oldest_gives_way() -> None:
    talk = Conversation(RegistryConfig(max_unregistered=3))
    connections = [talk.open() for _ in range(4)]
    assert list(talk.closed) == [connections[0]]
    assert talk.registry.connection_count == 3


def test_clients_do_not_give_way_to_connections() -> None:
    talk = Conversation(RegistryConfig(max_unregistered=3))
    elsa = talk.register("elsa")
    for _ in range(100):
        talk.open()
    assert elsa not in talk.closed
    assert talk.registry.connection_count == 4


def test_draining_says_goodbye_to_everybody_and_to_newcomers() -> None:
    talk = Conversation()
    connections = [talk.register("elsa"), talk.register("anna"), talk.open()]
    talk.registry.drain(talk.now)
    talk.drain()
    connections.append(talk.open())
    for connection in connections:
        assert talk.last(connection, Goodbye).reason == "the server is shutting down"
    assert set(talk.closed) == set(connections)
    assert talk.registry.connection_count == 0


def test_a_forgotten_connection_can_say_and_lose_what_it_likes() -> None:
    talk = Conversation()
    elsa = talk.register("elsa")
    talk.lose(elsa)
    reports = list(talk.reports)
    talk.send_bytes(elsa, b'{"type":"ping"}\n')
    talk.lose(elsa)
    talk.advance(100)
    assert talk.reports == reports
    assert talk.registry.get_timer() is None
