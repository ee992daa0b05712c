"""Behaviour discovery by clients that others wrote, from real servers of ours on loopback.

127.0.0.1 and 127.0.0.2 are the two addresses. Loopback is no NAT: what each tool says of it is known.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from natcore import stun
from tests.integration.processes import Program, Rendezvous
from tests.integration.test_foreign_stun_clients import free_port, run

FULL = ("--alternate-ip", "127.0.0.2")


@pytest.fixture(scope="module")
def server() -> Iterator[Rendezvous]:
    with Rendezvous(options=FULL) as running:
        yield running


def discover(server: Rendezvous, *options: str) -> str:
    own = ("-L", "127.0.0.1", "-l", str(free_port()))
    return run("turnutils_natdiscovery", *options, *own, "-p", str(server.port), "127.0.0.1")


def test_the_operator_is_told_what_is_offered(server: Rendezvous) -> None:
    offered = server.wait_for_line("behaviour discovery: (.*)")[1]
    assert re.fullmatch(rf"full, 127.0.0.1 and 127.0.0.2, ports {server.port} and \d+", offered)


@pytest.mark.parametrize("padding", [(), ("-P",)], ids=["bare", "padded"])
@pytest.mark.parametrize(
    ("option", "verdict"),
    [("-m", "Endpoint Independent Mapping!"), ("-f", "Endpoint Independent Filtering!")],
)
def test_coturns_discovery_finds_an_open_loopback(
    server: Rendezvous, option: str, verdict: str, padding: tuple[str, ...]
) -> None:
    assert f"NAT with {verdict}" in discover(server, option, *padding)


def test_coturns_discovery_gets_the_answer_to_another_port(server: Rendezvous) -> None:
    printed = discover(server, "-t", "-T", "1")
    assert printed.count("RFC 5780 response") == 1, "the second answer is small, and has no OTHER-ADDRESS"
    assert printed.count("UDP reflexive addr") == 2
    assert "timeout" not in printed


def test_coturns_client_is_answered_from_the_opposite_endpoint(server: Rendezvous) -> None:
    printed = run("turnutils_stunclient", "-p", str(server.port), "127.0.0.1")
    origins = re.findall(r"Response origin: : (\S+):(\d+)", printed)
    assert ("127.0.0.1", str(server.port)) in origins
    assert any(ip == "127.0.0.2" and port != str(server.port) for ip, port in origins), printed


def test_debians_classic_client_finds_an_open_loopback(server: Rendezvous) -> None:
    printed = run("stun", server.address, is_answer_the_exit_code=True)
    assert "Primary: Open" in printed


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--alternate-ip", "127.0.0.1"), "cannot use 127.0.0.1 as the alternate: it is the first address"),
        (("--alternate-ip", "::1"), "cannot use ::1 as the alternate: the server listens on 127.0.0.1"),
        (("--alternate-ip", "203.0.113.99"), "cannot use 203.0.113.99 as the alternate: cannot assign"),
        (("--alternate-ip", "0.0.0.0"), "cannot use 0.0.0.0 as the alternate: it is no address of one"),
        (
            ("--alternate-ip", "127.0.0.2", "--alternate-ip", "127.0.0.3"),
            "cannot use 127.0.0.2 as the alternate: a second one of IPv4",
        ),
        (("--alternate-ip", "localhost"), "'localhost' is not a numeric address"),
        (("--alternate-port", "0"), "0 is not in the range 1<=x<=65535"),
    ],
)
def test_an_alternate_that_cannot_be_is_one_clear_line(options: tuple[str, ...], words: str) -> None:
    with Program("rendezvous", "--host", "127.0.0.1", "--port", "0", *options) as program:
        ended = program.wait()
    assert ended.code in (2, 4)
    assert words in ended.err
    assert ended.err.count("\n") == 0


def test_the_operator_says_how_many_answers_from_elsewhere_one_address_may_have() -> None:
    asked = stun.Message(
        method=stun.Method.BINDING,
        message_class=stun.MessageClass.REQUEST,
        transaction_id=stun.TransactionId(b"twelve bytes"),
        attributes=(stun.ChangeRequest(change_port=True), stun.Padding(4)),
    ).encode()
    with (
        Rendezvous(options=(*FULL, "--reflection-rate", "1")) as server,
        socket.socket(type=socket.SOCK_DGRAM) as client,
    ):
        client.settimeout(5.0)
        classes = []
        for _ in range(6):
            client.sendto(asked, ("127.0.0.1", server.port))
            data, _ = client.recvfrom(2048)
            classes.append(stun.Message.decode(data).message_class)
    assert classes.count(stun.MessageClass.ERROR_RESPONSE) in (1, 2), "four at once, and one a second"


@pytest.mark.parametrize("rate", ["0", "2001", "many"])
def test_a_rate_that_cannot_be_is_one_clear_line(rate: str) -> None:
    with Program("rendezvous", "--reflection-rate", rate) as program:
        ended = program.wait()
    assert ended.code == 2
    assert "--reflection-rate" in ended.err
    assert ended.err.count("\n") == 0


def test_a_taken_alternate_port_is_an_error_if_it_was_asked_for_and_else_a_warning(
    server: Rendezvous,
) -> None:
    taken = str(server.port)
    with Program("rendezvous", "--host", "127.0.0.1", "--port", "0", "--alternate-port", taken) as program:
        ended = program.wait()
    assert (ended.code, ended.out) == (4, "")
    assert f"cannot use port {taken} on 127.0.0.1 as the alternate: it is in use" in ended.err
    with Rendezvous(server.port - 1) as beside:
        beside.wait_for_line("behaviour discovery: none")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("twenty-two characters and some more\n")
    path.chmod(0o600)
    return path


@contextmanager
def beside(server: str, *options: str) -> Iterator[Rendezvous]:
    """A server at the first address, and one at the second on the same ports."""
    with Rendezvous(options=("--alternate-server", "127.0.0.2", *options)) as first:
        offered = first.wait_for_line(r"behaviour discovery: .* ports \d+ and (\d+)")
        ports = ("--alternate-port", offered[1])
        own = (*ports, "--alternate-server", server, *options)
        with Rendezvous(first.port, host="127.0.0.2", options=own):
            yield first


def test_two_servers_are_each_others_alternate_address(key: Path) -> None:
    with beside("127.0.0.1", "--alternate-key-file", str(key)) as first:
        first.wait_for_line("behaviour discovery: full, together with the server at 127.0.0.2")
        assert "NAT with Endpoint Independent Mapping!" in discover(first, "-m")
        assert "NAT with Endpoint Independent Filtering!" in discover(first, "-f")
        assert "Primary: Open" in run("stun", first.address, is_answer_the_exit_code=True)


def test_another_server_that_is_not_heard_is_not_offered(key: Path) -> None:
    alone = ("--alternate-server", "127.0.0.2", "--alternate-key-file", str(key))
    with Rendezvous(options=alone) as server:
        assert "Mapping!" not in discover(server, "-m")


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        (None, 0o600, "no such file or directory"),
        ("x" * 21, 0o600, "it has 21 bytes, 22 to 1024 are needed"),
        ("x" * 1025, 0o600, "22 to 1024 are needed"),
        ("x" * 22, 0o644, "everybody may read it"),
    ],
)
def test_a_key_that_cannot_be_used_is_one_clear_line(
    tmp_path: Path, text: str | None, mode: int, words: str
) -> None:
    path = tmp_path / "secret"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    options = ("--alternate-server", "127.0.0.2", "--alternate-key-file", str(path))
    with Program("rendezvous", "--host", "127.0.0.1", "--port", "0", *options) as program:
        ended = program.wait()
    assert ended.code == 2
    assert words in ended.err
    assert ended.err.count("\n") == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--alternate-server", "127.0.0.2"), "need each other"),
        (("--alternate-key-file", "/dev/null"), "need each other"),
        (
            ("--alternate-server", "127.0.0.2", "--alternate-key-file", "/dev/null", *FULL),
            "--alternate-server or --alternate-ip, not both",
        ),
    ],
)
def test_options_that_contradict_each_other_are_one_clear_line(options: tuple[str, ...], words: str) -> None:
    with Program("rendezvous", "--host", "127.0.0.1", "--port", "0", *options) as program:
        ended = program.wait()
    assert (ended.code, words in ended.err, ended.err.count("\n")) == (2, True, 0)
