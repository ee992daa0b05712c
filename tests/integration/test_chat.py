"""The chat, row by row, with real processes that read and write pipes."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.integration.processes import Program, Rendezvous, start_chat


@pytest.fixture
def server() -> Iterator[Rendezvous]:
    with Rendezvous() as running:
        yield running


@pytest.fixture
def elsa(server: Rendezvous) -> Iterator[Program]:
    with start_chat("elsa", server.address) as chat:
        chat.wait_for_line("registered as elsa")
        chat.wait_for_line("1 registered:")
        chat.wait_for_line(r"  elsa +Asleep \(you\)$")
        yield chat


@pytest.fixture
def anna(elsa: Program, server: Rendezvous) -> Iterator[Program]:
    """Registered after elsa, and known to her."""
    with start_chat("anna", server.address) as chat:
        chat.wait_for_line("registered as anna")
        elsa.wait_for_line("anna is here, Asleep")
        yield chat


def wake(chat: Program, onlooker: Program, name: str) -> None:
    chat.type("@awake")
    chat.wait_for_line("you are Awake")
    onlooker.wait_for_line(f"{name} is Awake")


def listed(chat: Program) -> list[str]:
    """What @show_list shows now."""
    chat.type("@show_list")
    count = int(chat.wait_for_line(r"(\d+) registered")[1])
    return [" ".join(chat.wait_for_line("  (.*)")[1].split()) for _ in range(count)]


def test_a_chat_registers_and_receives_the_list(server: Rendezvous, elsa: Program, anna: Program) -> None:
    server.wait_for_line("elsa Asleep")
    server.wait_for_line("anna Asleep")
    anna.wait_for_line("2 registered:")
    anna.wait_for_line("  elsa +Asleep$")
    anna.wait_for_line(r"  anna +Asleep \(you\)$")


def test_the_list_follows_joins_wakes_and_departures(elsa: Program, anna: Program) -> None:
    assert listed(elsa) == ["elsa Asleep (you)", "anna Asleep"]
    wake(anna, elsa, "anna")
    assert listed(elsa) == ["elsa Asleep (you)", "anna Awake"]
    anna.type("@exit")
    elsa.wait_for_line("anna has left")
    assert listed(elsa) == ["elsa Asleep (you)"]


def test_awake_shows_the_endpoint_that_the_server_observed(server: Rendezvous, elsa: Program) -> None:
    elsa.type("@awake")
    endpoint = elsa.wait_for_line(r"you are Awake; the server sees you at (127\.0\.0\.1:\d+)$")[1]
    server.wait_for_line(re.escape(f"elsa Awake {endpoint}"))
    elsa.type("@awake")
    assert elsa.wait_for_line(r"you are Awake; the server sees you at (.*)")[1] == endpoint


def test_a_line_wakes_us_first_and_its_arrival_is_acknowledged(
    server: Rendezvous, elsa: Program, anna: Program
) -> None:
    wake(anna, elsa, "anna")
    elsa.type("@chat anna Hello, Anna")
    anna.wait_for_line(r"From elsa \[Hello, Anna\]$")
    elsa.wait_for_line(r"delivered to anna \[Hello, Anna\]$")
    server.wait_for_line("elsa Awake")
    told = [line.split(";")[0].split(" to ")[0] for line in elsa.out if line.startswith(("you", "delivered"))]
    assert told == ["you are Awake", "delivered"]


def test_both_sides_talk_over_the_channel_that_one_opened(elsa: Program, anna: Program) -> None:
    wake(anna, elsa, "anna")
    for number in range(3):
        elsa.type(f"@chat anna question {number}")
        anna.wait_for_line(rf"From elsa \[question {number}\]$")
        anna.type(f"@chat elsa answer {number}")
        elsa.wait_for_line(rf"From anna \[answer {number}\]$")
        anna.wait_for_line(rf"delivered to elsa \[answer {number}\]$")


def test_lines_that_are_typed_at_once_arrive_in_order(elsa: Program, anna: Program) -> None:
    wake(anna, elsa, "anna")
    elsa.feed(b"".join(b"@chat anna line %d\n" % number for number in range(20)))
    for number in range(20):
        assert anna.wait_for_line(r"From elsa \[(.*)\]$")[1] == f"line {number}"
    elsa.wait_for_line(r"delivered to anna \[line 19\]$")


def test_a_line_to_a_client_that_is_asleep_is_said_to_be_undelivered_and_never_shown(
    elsa: Program, anna: Program
) -> None:
    elsa.type("@chat anna too early")
    elsa.wait_for_line(r"not delivered to anna \[too early\]: .*asleep")
    wake(anna, elsa, "anna")
    elsa.type("@chat anna in time")
    assert anna.wait_for_line(r"From elsa \[(.*)\]$")[1] == "in time"


def test_a_line_to_nobody_we_know_is_said_to_be_undelivered(elsa: Program) -> None:
    elsa.type("@chat nobody hello")
    elsa.wait_for_line(r"not delivered to nobody \[hello\]: .*'nobody' is registered")


@pytest.mark.parametrize("way", ["@exit", "end of input", signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("is_awake", [False, True])
def test_every_way_to_leave_unregisters_and_ends_with_code_0(
    server: Rendezvous, elsa: Program, way: str | signal.Signals, is_awake: bool
) -> None:
    if is_awake:
        elsa.type("@awake")
        elsa.wait_for_line("you are Awake")
    if isinstance(way, signal.Signals):
        elsa.signal(way)
    elif way == "@exit":
        elsa.type(way)
    else:
        elsa.close_input()
    ended = elsa.wait()
    assert (ended.code, ended.err) == (0, "")
    server.wait_for_line("elsa is unregistered")


def test_leaving_gives_lines_under_way_their_time(elsa: Program, anna: Program) -> None:
    wake(anna, elsa, "anna")
    elsa.feed(b"@chat anna last words\n@exit\n")
    anna.wait_for_line(r"From elsa \[last words\]$")
    assert "delivered to anna [last words]" in elsa.wait().out.splitlines()


@pytest.mark.parametrize("rest", [b"", b"@exit\n"])
def test_leaving_gives_a_check_of_the_nat_its_time(elsa: Program, rest: bytes) -> None:
    elsa.feed(b"@nat\n" + rest)
    elsa.close_input()
    told = elsa.wait().out.splitlines()
    assert any(line.startswith("your NAT: ") for line in told), told


def test_a_killed_client_is_announced_as_disconnected(
    server: Rendezvous, elsa: Program, anna: Program
) -> None:
    anna.signal(signal.SIGKILL)
    elsa.wait_for_line("anna is disconnected")
    server.wait_for_line("anna is disconnected")
    assert listed(elsa)[-1] == "elsa Asleep (you)"


def test_a_client_that_comes_back_with_the_same_id_gets_the_next_line(
    server: Rendezvous, elsa: Program, anna: Program
) -> None:
    wake(anna, elsa, "anna")
    elsa.type("@chat anna to the first")
    elsa.wait_for_line(r"delivered to anna \[to the first\]$")
    anna.signal(signal.SIGKILL)
    elsa.wait_for_line("anna is disconnected")
    with start_chat("anna", server.address) as second:
        elsa.wait_for_line("anna is here, Asleep")
        second.wait_for_line("registered as anna")
        wake(second, elsa, "anna")
        elsa.type("@chat anna to the second")
        second.wait_for_line(r"From elsa \[to the second\]$")
        elsa.wait_for_line(r"delivered to anna \[to the second\]$")


def test_an_outage_of_the_server_is_said_once_and_open_channels_live_on(
    server: Rendezvous, elsa: Program, anna: Program
) -> None:
    wake(anna, elsa, "anna")
    elsa.type("@chat anna before")
    elsa.wait_for_line(r"delivered to anna \[before\]$")
    server.signal(signal.SIGKILL)
    server.wait()
    for chat in (elsa, anna):
        chat.wait_for_line(
            r"the server is gone \(.*\); trying again until it is back; open channels live on$"
        )
    elsa.type("@chat anna meanwhile")
    anna.wait_for_line(r"From elsa \[meanwhile\]$")
    elsa.wait_for_line(r"delivered to anna \[meanwhile\]$")
    elsa.type("@chat bob who is not there")
    elsa.wait_for_line(r"not delivered to bob \[.*\]: cannot use the server")
    with Rendezvous(server.port) as second:
        for name, chat in (("elsa", elsa), ("anna", anna)):
            chat.wait_for_line(f"the server is back; registered as {name} again$")
            second.wait_for_line(f"{name} Awake 127")
        anna.type("@chat elsa after")
        elsa.wait_for_line(r"From anna \[after\]$")
    assert sum(line.startswith("the server is gone") for line in elsa.out) <= 2  # the second one ends, too


def test_a_server_that_stops_in_order_says_so(server: Rendezvous, elsa: Program) -> None:
    server.signal(signal.SIGTERM)
    elsa.wait_for_line(r"the server is gone \((?!the connection was closed).+\)")
    assert server.wait().code == 0


def test_help_names_every_command(elsa: Program) -> None:
    elsa.type("@help")
    for command in ("@awake", "@show_list", "@chat ID TEXT", "@why ID", "@nat", "@help", "@exit"):
        elsa.wait_for_line(rf"  {command} +\w+")


def test_why_says_by_what_a_path_was_found_on_both_sides(elsa: Program, anna: Program) -> None:
    wake(anna, elsa, "anna")
    elsa.type("@chat anna hello")
    elsa.wait_for_line("delivered to anna")
    for chat, other in ((elsa, "anna"), (anna, "elsa")):
        chat.type(f"@why {other}")
        chat.wait_for_line(
            rf"the path from 127.0.0.1:\d+ to {other} at 127.0.0.1:\d+ was found by plain checks, "
        )
        chat.wait_for_line(rf"checks went to 127.0.0.1:\d+.*; of {other}'s, .*the path was confirmed after ")


def test_why_explains_a_failed_attempt_until_a_path_is_found(elsa: Program, anna: Program) -> None:
    elsa.type("@why anna")
    elsa.wait_for_line("anna: no path was looked for yet; it is registered and Asleep; ")
    elsa.type("@chat anna too early")
    elsa.wait_for_line("not delivered to anna")
    elsa.type("@why anna")
    elsa.wait_for_line("there is no path: anna is Asleep")
    elsa.wait_for_line("seen: cannot reach anna: ")
    elsa.wait_for_line("what would help: let anna type @awake")
    wake(anna, elsa, "anna")
    elsa.type("@chat anna in time")
    elsa.wait_for_line("delivered to anna")
    elsa.type("@why anna")
    elsa.wait_for_line("the path from ")


def test_why_explains_a_channel_that_has_ended(elsa: Program, anna: Program) -> None:
    wake(anna, elsa, "anna")
    elsa.type("@chat anna hello")
    elsa.wait_for_line("delivered to anna")
    anna.type("@exit")
    elsa.wait_for_line("anna has left")
    elsa.type("@why anna")
    elsa.wait_for_line("the path from ")
    elsa.wait_for_line("by now: the channel with anna is closed: closed by anna")


def test_control_characters_of_a_peer_are_escaped(elsa: Program, anna: Program) -> None:
    wake(anna, elsa, "anna")
    elsa.feed(b"@chat anna \x1b[2J\x07\xe2\x80\xae h\xc3\xa9 \xff\n")
    anna.wait_for_line(re.escape(r"From elsa [\x1b[2J\x07\u202e hé �]") + "$")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("@show_lst", "@show_lst: no such command; did you mean @show_list[?]"),
        ("@NATT", "@NATT: no such command; did you mean @nat[?]"),
        ("@CHAT elsa hello", "not sent: that is you"),
        ("@why elsa", "that is you: there is no path to yourself"),
        ("@dance", "@dance: no such command; @help shows the commands"),
        ("@why", "usage: @why ID"),
        ("@why \x1b[2J", r"\\x1b\[2J: no path was looked for yet; nobody of that name"),
        ("@\x1b[2J", r"@\\x1b\[2J: no such command"),
        ("hello there", "nothing sent: write @chat ID TEXT"),
        ("@chat", "usage: @chat ID TEXT"),
        ("@chat anna", "usage: @chat ID TEXT"),
        ("@chat elsa hello", "not sent: that is you"),
        ("@chat bad/id hello", r"not delivered to bad/id \[hello\]: "),
        ("@chat anna " + "x" * 1201, "not sent: got 1201 bytes, expected at most 1200"),
        ("@chat anna " + "x" * 100_000, "not sent: got 65[0-9]* bytes, expected at most 1200"),
        ("  @help  ", "  @exit"),
    ],
)
def test_what_cannot_be_obeyed_gets_one_clear_line(elsa: Program, typed: str, told: str) -> None:
    elsa.type(typed)
    elsa.wait_for_line(told)
    elsa.type("@exit")
    assert elsa.wait().code == 0


def test_empty_lines_say_nothing(elsa: Program) -> None:
    shown = len(elsa.out)
    elsa.feed(b"\n\r\n   \n@exit\n")
    assert len(elsa.wait().out.splitlines()) == shown


def test_id_and_server_are_asked_for_until_they_make_sense(server: Rendezvous) -> None:
    with ExitStack() as stack:
        chat = stack.enter_context(Program("peer", "chat"))
        for answer in ("no spaces please", "elsa", "127.0.0.1:port", server.address, "@exit"):
            chat.type(answer)
        ended = chat.wait()
    assert (ended.code, ended.err) == (0, "")
    first, second, third = ended.out.splitlines()[:3]
    assert first.startswith("Input Your ID : id: got 'no spaces please', expected 1 to 32 of letters")
    assert second.startswith("Input Your ID : Input server's IP address : server port: got 'port'")
    assert third.startswith("Input server's IP address : registered as elsa")


def test_the_end_of_the_input_at_a_question_ends_the_chat() -> None:
    with Program("peer", "chat") as chat:
        chat.close_input()
        ended = chat.wait()
    assert (ended.code, ended.err) == (0, "")
