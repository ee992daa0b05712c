"""Behaviour discovery by clients that others wrote, from real servers of ours on loopback.

127.0.0.1 and 127.0.0.2 are the two addresses. Loopback is no NAT: what each tool says of it is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

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
