from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys

import pytest

from tests.integration.bare_client import BareClient, awake_request, exchange, udp_socket
from tests.integration.processes import PATIENCE, Rendezvous


def run_server(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rendezvous", *arguments], capture_output=True, text=True, timeout=PATIENCE
    )


def assert_still_serves(port: int) -> None:
    with BareClient(port) as anna:
        assert anna.register("still-here")["id"] == "still-here"
        anna.say("unregister")
        anna.hear_the_end()


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["tcp", "udp"])
def test_a_port_in_use_is_one_line_and_exit_code_3(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        done = run_server("--host", "127.0.0.1", "--port", str(port))
    assert done.returncode == 3
    assert done.stderr == (f"rendezvous: port {port} on 127.0.0.1 is in use; choose another with --port\n")
    assert done.stdout == ""


@pytest.mark.parametrize("host", ["203.0.113.99", "no such host", "a..b", "x" * 300])
def test_a_bad_host_is_one_line_and_exit_code_4(host: str) -> None:
    done = run_server("--host", host, "--port", "0")
    assert done.returncode == 4
    assert done.stderr.startswith(f"rendezvous: cannot listen on {host} port 0: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_port_that_is_no_port_is_a_usage_error() -> None:
    done = run_server("--port", "65536")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "garbage",
    [b"\n", b"?\n" * 1000, os.urandom(4096) + b"\n", bytes(1024 * 1024), b"GET / HTTP/1.1\r\n\r\n", b"{"],
    ids=["nothing", "1000 lines", "binary", "1 MiB without a newline", "HTTP", "half a line"],
)
def test_rubbish_on_tcp_hurts_nobody_else(garbage: bytes) -> None:
    with Rendezvous() as server:
        with BareClient(server.port) as vandal:
            with contextlib.suppress(ConnectionError):  # it may be closed in the middle
                vandal.socket.sendall(garbage)
            assert_still_serves(server.port)
        ended = server.stop()
        assert (ended.code, ended.err) == (0, "")


def test_a_mebibyte_without_a_newline_is_refused_with_a_reason() -> None:
    with Rendezvous() as server, BareClient(server.port) as vandal:
        vandal.socket.sendall(bytes(16 * 1024 + 1))
        fault, goodbye = vandal.hear_the_end()
        assert fault["code"] == "line-too-long"
        assert goodbye["type"] == "goodbye"


def test_a_line_that_comes_byte_by_byte_is_a_line() -> None:
    with Rendezvous() as server, BareClient(server.port) as slow:
        slow.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b'{"type":"register","id":"slow","version":1}\n':
            slow.socket.sendall(bytes([byte]))
        assert slow.hear("registered")["id"] == "slow"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"id": "not an id", "version": 1}, "invalid-id"),
        ({"id": "a" * 33, "version": 1}, "invalid-id"),
        ({"id": "elsa", "version": 1}, "duplicate-id"),
        ({"id": "anna", "version": 99}, "unsupported-version"),
    ],
)
def test_a_bad_registration_is_a_fault_and_the_next_may_be_good(fields: dict[str, object], code: str) -> None:
    with Rendezvous() as server, BareClient(server.port) as elsa, BareClient(server.port) as other:
        elsa.register("elsa")
        other.say("register", **fields)
        assert other.hear("fault")["code"] == code
        assert other.register("anna")["id"] == "anna"


def test_rubbish_on_udp_is_dropped_and_the_next_awake_is_answered() -> None:
    with Rendezvous() as server, BareClient(server.port) as elsa, udp_socket() as udp:
        registered = elsa.register("elsa")
        good = awake_request(registered["session"], registered["key"], 1)
        destination = ("127.0.0.1", server.port)
        for bad in (b"", b"x", good[:-1], good + bytes(4), bytes(9000), b"\0\1" + good[2:4] + bytes(36)):
            udp.sendto(bad, destination)
        answer = exchange(udp, good, destination)
        assert answer.is_authentic(registered["key"].encode())
        server.wait_for_line(r"elsa Awake 127\.0\.0\.1:\d+")


def test_a_connection_that_is_reset_is_announced() -> None:
    with Rendezvous() as server, BareClient(server.port) as elsa:
        elsa.register("elsa")
        anna = BareClient(server.port)
        anna.register("anna")
        anna.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        anna.close()
        elsa.hear_change("anna", "disconnected")
        server.wait_for_line("anna is disconnected")
        assert_still_serves(server.port)


def test_standard_output_that_nobody_reads_any_more_does_not_end_the_server() -> None:
    command = [sys.executable, "-m", "rendezvous", "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            server.stdout.readline()
            port = int(server.stdout.readline().split()[-1])
            server.stdout.close()
            for number in range(3):
                with BareClient(port) as client:
                    client.register(f"client-{number}")
            assert_still_serves(port)
        finally:
            server.kill()
