"""``peer connect`` and ``peer listen``: JSON, exit codes, and whatever answers instead of a server."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from peer.exit_codes import ExitCode
from tests.integration.processes import PATIENCE, Ended, Program, Rendezvous, start_chat

KEYS = [
    *("outcome", "peer", "path", "technique", "elapsed", "rtt", "packets_sent", "message", "reason"),
    "timeline",
]


@pytest.fixture(scope="module")
def server() -> Iterator[Rendezvous]:
    with Rendezvous() as running:
        yield running


def connect(peer: str, *options: str, own_id: str, server: str) -> Ended:
    with Program("peer", "connect", peer, "--id", own_id, "--server", server, *options) as program:
        return program.wait()


def listen(own_id: str, server: str, *options: str) -> Program:
    return Program("peer", "listen", "--id", own_id, "--server", server, *options)


def assert_listened(ended: Ended, own_id: str, server: str, *, code: int = 0) -> None:
    """One line on standard error, as whom and where it listened, and the exit code."""
    seen = r"the server sees you at 127\.0\.0\.1:\d+"
    assert re.fullmatch(rf"listening as {own_id} at {re.escape(server)}; {seen}", ended.err), ended.err
    assert ended.code == code


def assert_one_line(ended: Ended, code: int, *words: str) -> None:
    """One clear line on standard error, no traceback, and the exit code."""
    assert ended.code == code, ended
    assert len(ended.err.splitlines()) == 1, ended.err
    for word in words:
        assert word in ended.err


def test_both_sides_report_the_path_and_the_message(server: Rendezvous) -> None:
    with listen("anna-1", server.address, "--once", "--json") as listener:
        ended = connect(
            "anna-1",
            *("--wait", "20", "--message", "hello é", "--json"),
            own_id="elsa-1",
            server=server.address,
        )
        heard = listener.wait()
    assert (ended.code, ended.err) == (0, "")
    assert_listened(heard, "anna-1", server.address)
    ours, theirs = json.loads(ended.out), json.loads(heard.out)
    assert list(ours) == list(theirs) == KEYS
    assert (ours["outcome"], ours["peer"], ours["message"], ours["reason"]) == (
        "direct",
        "anna-1",
        None,
        None,
    )
    assert (theirs["outcome"], theirs["peer"], theirs["message"]) == ("direct", "elsa-1", "hello é")
    assert ours["path"]["remote"] == theirs["path"]["local"]
    assert ours["path"]["local"] == theirs["path"]["remote"]
    assert ours["path"]["kind"] in ("host", "prflx", "srflx")
    assert ours["technique"] == "plain-checks"
    for report in (ours, theirs):
        told = [entry["event"] for entry in report["timeline"]]
        assert told[0] == "introduced"
        assert {"checks begun", "first check received", "path confirmed"} <= set(told)
        assert report["timeline"][0]["at"] == 0.0
        assert 0 < report["elapsed"] < 5
        assert report["packets_sent"] >= 2
    assert 0 < ours["rtt"] < 1


def test_without_json_the_report_is_one_line_for_people(server: Rendezvous) -> None:
    with listen("anna-2", server.address, "--once") as listener:
        ended = connect(
            "anna-2", "--wait", "20", "--message", "a\x1b[2J", own_id="elsa-2", server=server.address
        )
        heard = listener.wait()
    assert ended.out.startswith("direct to anna-2 at 127.0.0.1:")
    assert heard.out.startswith("direct to elsa-2 at 127.0.0.1:")
    assert heard.out.endswith(r": [a\x1b[2J]")


def test_who_asks_is_told_why_below_the_report_on_both_sides(server: Rendezvous) -> None:
    with listen("anna-20", server.address, "--once", "--explain") as listener:
        ended = connect("anna-20", "--wait", "20", "--explain", own_id="elsa-20", server=server.address)
        heard = listener.wait()
    assert (ended.code, ended.err) == (0, "")
    assert_listened(heard, "anna-20", server.address)
    for one, other in ((ended, "anna-20"), (heard, "elsa-20")):
        line, *sentences = one.out.splitlines()
        assert line.startswith(f"direct to {other} at 127.0.0.1:")
        assert sentences[0].startswith("  the path from 127.0.0.1:")
        assert "by plain checks" in sentences[0]


def test_in_json_the_explanation_is_a_list_of_sentences(server: Rendezvous) -> None:
    with listen("anna-21", server.address, "--once", "--json", "--explain") as listener:
        ended = connect(
            "anna-21", "--wait", "20", "--json", "--explain", own_id="elsa-21", server=server.address
        )
        heard = listener.wait()
    for one in (ended, heard):
        report = json.loads(one.out)
        assert list(report) == [*KEYS, "explanation"]
        assert report["explanation"][0].startswith("the path from 127.0.0.1:")


@pytest.mark.parametrize("as_json", [False, True])
def test_a_failure_is_explained_with_what_would_help(server: Rendezvous, as_json: bool) -> None:
    ended = connect(
        "nobody", "--explain", *(["--json"] if as_json else []), own_id="elsa-22", server=server.address
    )
    assert_one_line(ended, 5, "cannot reach nobody")
    sentences = json.loads(ended.out)["explanation"] if as_json else ended.out.splitlines()
    assert [one.strip().partition(":")[0] for one in sentences] == [
        *("there is no path", "seen", "what would help")
    ]


def test_without_a_server_the_explanation_says_that_it_is_needed() -> None:
    ended = connect("nobody", "--explain", own_id="elsa-23", server="127.0.0.1:1")
    assert_one_line(ended, 3, "cannot use the server")
    assert "the server is needed to be introduced to nobody" in ended.out


def test_the_trace_has_the_timeline_as_it_happens(server: Rendezvous, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with listen("anna-24", server.address, "--once") as listener:
        arguments = ("connect", "anna-24", "--id", "elsa-24", "--server", server.address, "--wait", "20")
        with Program("peer", "--trace", str(trace), *arguments, "--json") as program:
            ended = program.wait()
        listener.wait()
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    noted = [one for one in events if one["event"] == "SessionNoted"]
    assert {one["peer"] for one in noted} == {"anna-24"}
    recorded = [{"at": one["at"], "event": one["what"], "detail": one["detail"]} for one in noted]
    timeline = json.loads(ended.out)["timeline"]
    assert recorded[: len(timeline)] == timeline
    assert recorded[-1]["event"] == "closed"


def test_a_listener_reports_one_peer_after_another_until_it_is_terminated(server: Rendezvous) -> None:
    with listen("anna-3", server.address, "--json") as listener:
        for number in range(2):
            connect(
                "anna-3",
                *("--wait", "20", "--message", str(number)),
                own_id=f"elsa-3-{number}",
                server=server.address,
            )
            assert json.loads(listener.wait_for_line(r"\{.*")[0])["message"] == str(number)
        listener.signal(signal.SIGTERM)
        ended = listener.wait()
    assert_listened(ended, "anna-3", server.address, code=130)


def test_a_listener_says_as_whom_and_where_before_anybody_comes(server: Rendezvous) -> None:
    with listen("anna-25", server.address, "--json") as listener:
        listener.wait_for_error_line("listening as anna-25 at ")
        ended = listener.stop()
    assert_listened(ended, "anna-25", server.address, code=130)
    assert ended.out == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_unregisters_and_ends_with_code_130(server: Rendezvous, number: signal.Signals) -> None:
    name = f"anna-4-{number.value}"
    with listen(name, server.address) as listener:
        listener.wait_for_error_line("listening as")
        listener.signal(number)
        ended = listener.wait()
    assert_listened(ended, name, server.address, code=130)
    assert ended.out == ""
    server.wait_for_line(f"{name} is unregistered")


def test_a_signal_while_waiting_for_the_peer_ends_with_code_130(server: Rendezvous) -> None:
    arguments = ("connect", "nobody", "--id", "elsa-5", "--server", server.address, "--wait", "600")
    with Program("peer", *arguments) as program:
        server.wait_for_line("elsa-5 Awake")
        program.signal(signal.SIGINT)
        ended = program.wait()
    assert (ended.code, ended.out, ended.err) == (130, "", "")


def test_an_unknown_peer_is_code_5(server: Rendezvous) -> None:
    ended = connect("nobody", "--json", own_id="elsa-6", server=server.address)
    assert_one_line(ended, 5, "cannot reach nobody", "registered")
    report = json.loads(ended.out)
    assert list(report) == KEYS
    assert (report["outcome"], report["path"], report["elapsed"]) == ("failed", None, None)
    assert "nobody" in report["reason"]


def test_waiting_for_a_peer_that_does_not_come_is_code_5_as_well(server: Rendezvous) -> None:
    ended = connect("nobody", "--wait", "0.2", own_id="elsa-7", server=server.address)
    assert_one_line(ended, 5, "cannot reach nobody")
    assert ended.out == ""


def test_a_peer_that_is_asleep_is_code_5(server: Rendezvous) -> None:
    with start_chat("anna-8", server.address) as chat:
        chat.wait_for_line("registered")
        ended = connect("anna-8", own_id="elsa-8", server=server.address)
    assert_one_line(ended, 5, "cannot reach anna-8", "asleep")


def test_a_peer_that_wakes_while_we_wait_is_reached(server: Rendezvous) -> None:
    with start_chat("anna-9", server.address) as chat:
        chat.wait_for_line("registered")
        arguments = ("connect", "anna-9", "--id", "elsa-9", "--server", server.address)
        with Program("peer", *arguments, "--wait", "20", "--message", "at last") as caller:
            chat.wait_for_line("elsa-9 is Awake")
            chat.type("@awake")
            chat.wait_for_line(r"From elsa-9 \[at last\]$")
            assert caller.wait().code == 0


def test_a_peer_that_has_stopped_without_a_word_is_code_1_within_the_timeout(server: Rendezvous) -> None:
    with listen("anna-10", server.address) as listener:
        server.wait_for_line("anna-10 Awake")
        listener.signal(signal.SIGSTOP)
        ended = connect("anna-10", "--timeout", "0.5", "--json", own_id="elsa-10", server=server.address)
    assert_one_line(ended, 1, "no direct path to anna-10")
    report = json.loads(ended.out)
    assert report["outcome"] == "failed"
    assert report["packets_sent"] > 0


def test_an_id_that_is_taken_is_code_4(server: Rendezvous) -> None:
    with start_chat("anna-11", server.address) as chat:
        chat.wait_for_line("registered")
        with listen("anna-11", server.address, "--json") as second:
            ended = second.wait()
        assert_one_line(ended, 4, "cannot register as anna-11")
        assert json.loads(ended.out)["outcome"] == "failed"
        chat.type("@awake")
        chat.wait_for_line("you are Awake")  # who was there first is not disturbed


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["connect", "anna", "--id", "no spaces", "--server", "127.0.0.1"], "expected 1 to 32"),
        (["connect", "anna", "--id", "x" * 33, "--server", "127.0.0.1"], "expected 1 to 32"),
        (["connect", "anna", "--id", "", "--server", "127.0.0.1"], "expected 1 to 32"),
        (["connect", "an/na", "--id", "elsa", "--server", "127.0.0.1"], "expected 1 to 32"),
        (["connect", "anna", "--id", "elsa", "--server", "127.0.0.1:0"], "expected 1 to 65535"),
        (["connect", "anna", "--id", "elsa", "--server", ""], "expected HOST or HOST:PORT"),
        (["connect", "anna", "--id", "elsa"], "--server"),
        (["connect", "anna", "--id", "elsa", "--server", "127.0.0.1", "--timeout", "0"], "--timeout"),
        (["connect", "anna", "--id", "elsa", "--server", "x", "--message", "é" * 601], "got 1202 bytes"),
        (["listen", "--id", "elsa\n", "--server", "127.0.0.1", "--wat"], "--wat"),
        (["dance"], "No such command"),
    ],
)
def test_wrong_usage_is_code_2(arguments: list[str], complaint: str) -> None:
    with Program("peer", *arguments) as program:
        ended = program.wait()
    assert ended.code == 2
    assert complaint in ended.err
    assert "Traceback" not in ended.err


def test_a_server_name_that_does_not_resolve_is_code_3() -> None:
    ended = connect("anna", "--json", own_id="elsa", server="rendezvous.invalid")
    assert_one_line(ended, 3, "rendezvous.invalid:10080", "does not resolve")
    assert json.loads(ended.out)["outcome"] == "failed"


def test_nothing_listening_is_code_3() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        port = closed_soon.getsockname()[1]
    ended = connect("anna", own_id="elsa", server=f"127.0.0.1:{port}")
    assert_one_line(ended, 3, f"127.0.0.1:{port}", "connection refused")


@contextmanager
def impostor(answer: Callable[[socket.socket], object]) -> Iterator[str]:
    """A server that answers one connection in its own way, and where it is."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with listening.accept()[0] as connection:
                try:
                    answer(connection)
                    while connection.recv(4096):
                        pass
                except OSError:
                    pass  # the peer has hung up, as it should

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


def endless_line(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"x" * 4096)


REGISTERED = {
    "type": "registered",
    "version": 1,
    "id": "elsa",
    "session": "session",
    "key": "k" * 32,
    "endpoints": ["no endpoint"],
    "clients": [],
    "ping_interval": 10.0,
}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda it: it.sendall(bytes(range(256)) + b"\n"), id="binary"),
        pytest.param(lambda it: it.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), id="HTTP"),
        pytest.param(lambda it: it.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"), id="SSH"),
        pytest.param(endless_line, id="an endless line"),
        pytest.param(lambda it: it.sendall(b"[]\n"), id="a list"),
        pytest.param(lambda it: it.sendall(b'{"type":"registered"}\n'), id="a message without its fields"),
        pytest.param(lambda it: it.sendall(b'{"type":"registered","id":7}\n'), id="fields of other types"),
        pytest.param(lambda it: it.sendall(b'{"type":"dance"}\n'), id="an unknown message"),
        pytest.param(
            lambda it: it.sendall(json.dumps(REGISTERED).encode() + b"\n"), id="no usable UDP endpoint"
        ),
        pytest.param(lambda it: it.shutdown(socket.SHUT_RDWR), id="closes at once"),
        pytest.param(lambda it: it.sendall(b"{") or it.shutdown(socket.SHUT_RDWR), id="half a line"),
    ],
)
def test_a_server_that_answers_rubbish_is_code_3(answer: Callable[[socket.socket], object]) -> None:
    with impostor(answer) as address:
        ended = connect("anna", own_id="elsa", server=address)
    assert_one_line(ended, 3, f"cannot use the server {address}: ")


def test_a_chat_with_a_server_that_answers_rubbish_says_so_as_well() -> None:
    with (
        impostor(lambda it: it.sendall(b"220 smtp ready\r\n")) as address,
        start_chat("elsa", address) as chat,
    ):
        ended = chat.wait()
    assert_one_line(ended, 3, f"cannot use the server {address}: ")


def test_a_server_that_does_not_see_our_datagrams_is_code_6() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        endpoint = "{}:{}".format(*deaf.getsockname())
        registered = json.dumps(REGISTERED | {"endpoints": [endpoint]}).encode() + b"\n"
        with impostor(lambda it: it.sendall(registered)) as address:
            ended = connect("anna", "--json", own_id="elsa", server=address)
    assert_one_line(ended, 6, "cannot wake", endpoint, "UDP to the server may be blocked")
    assert json.loads(ended.out)["outcome"] == "failed"


def test_a_reader_that_has_gone_away_is_no_failure(server: Rendezvous) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    arguments = ("connect", "anna-20", "--id", "elsa-20", "--server", server.address, "--wait", "20")
    try:
        with listen("anna-20", server.address, "--once") as listener:
            done = subprocess.run(
                [sys.executable, "-m", "peer", *arguments],
                stdout=writing,
                stderr=subprocess.PIPE,
                check=False,
                timeout=PATIENCE,
            )
            assert listener.wait().code == 0
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_trace_has_a_json_object_a_line_and_no_payload(server: Rendezvous, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    arguments = ("connect", "anna-21", "--id", "elsa-21", "--server", server.address, "--message", "secret")
    with listen("anna-21", server.address, "--once") as listener:
        with Program("peer", "--trace", str(trace), *arguments, "--wait", "20") as caller:
            assert caller.wait().code == 0
        listener.wait()
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    assert {"sent", "received", "RegistrationConfirmed", "SessionStarted"} <= {it["event"] for it in events}
    assert [it["time"] for it in events] == sorted(it["time"] for it in events)
    assert "secret" not in trace.read_text()


def test_a_trace_that_cannot_be_written_stops_nothing(server: Rendezvous) -> None:
    arguments = ("connect", "nobody", "--id", "elsa-22", "--server", server.address)
    with Program("peer", "--trace", "/dev/full", *arguments) as caller:
        ended = caller.wait()
    assert ended.code == 5
    assert ended.err.count("the trace ends here") == 1
    assert "Traceback" not in ended.err


def test_help_shows_every_exit_code() -> None:
    with Program("peer", "--help") as program:
        shown = re.findall(r"^ +(\d+)  ", program.wait().out, re.MULTILINE)
    assert sorted(map(int, shown)) == sorted(ExitCode)
