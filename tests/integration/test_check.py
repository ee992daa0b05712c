"""``peer check`` against real servers on loopback, which is no NAT: what it has to find is known."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any, Self

import pytest

from natcore import stun
from natcore.address import TransportAddress
from natcore.errors import DecodeError
from tests.integration.processes import PATIENCE, Ended, Program, Rendezvous
from tests.integration.test_foreign_stun_clients import free_port


@pytest.fixture(scope="module")
def server() -> Iterator[Rendezvous]:
    with Rendezvous(options=("--alternate-ip", "127.0.0.2")) as running:
        yield running


class PlainServer:
    """A STUN server with one endpoint and nothing else, in a thread."""

    def __init__(self, ip: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((ip, 0))
        self.address = f"{ip}:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join(PATIENCE)
        self._socket.close()

    def _serve(self) -> None:
        """Until an empty datagram comes."""
        while True:
            data, source = self._socket.recvfrom(2048)
            if not data:
                return
            try:
                request = stun.Message.decode(data)
            except DecodeError:
                continue
            answer = stun.Message(
                method=stun.Method.BINDING,
                message_class=stun.MessageClass.SUCCESS_RESPONSE,
                transaction_id=request.transaction_id,
                attributes=(stun.XorMappedAddress(TransportAddress.from_sockaddr(source)),),
            )
            self._socket.sendto(answer.encode(), source)


def check(*arguments: str) -> Ended:
    with Program("peer", "check", *arguments) as program:
        return program.wait()


def report(*arguments: str, code: int = 0) -> dict[str, Any]:
    ended = check(*arguments, "--json")
    assert (ended.code, ended.err) == (code, "")
    parsed: dict[str, Any] = json.loads(ended.out)
    return parsed


def values(family: dict[str, Any], *names: str) -> list[object]:
    return [family[name]["value"] for name in names]


def test_loopback_is_open_and_everything_is_known_of_it(server: Rendezvous) -> None:
    found = report("--server", server.address)
    family = found["ipv4"]
    assert values(family, "udp_blocked", "tcp_passes", "translated") == [False, True, False]
    assert values(family, "mapping", "filtering") == ["endpoint-independent"] * 2
    assert values(family, "several_addresses", "wan_side", "carrier_grade_nat") == [False, "public", False]
    assert family["allocation"]["value"]["kind"] == "preserving"
    assert "nothing to turn around" in family["hairpinning"]["unknown_because"]
    assert family["reflexive_addresses"] == ["127.0.0.1"]
    assert [one["address"] for one in family["servers"]] == [server.address]
    assert family["servers"][0]["other_address"].startswith("127.0.0.2:")
    assert (found["ipv6"], found["ipv6_unknown_because"]) == (None, "no server has an address of this family")
    assert found["verdict"] == "direct with anybody whose UDP is not blocked"
    assert found["advice"] == []


def test_the_text_says_the_same_and_fits_a_pipe(server: Rendezvous) -> None:
    ended = check("--server", server.address, "--evidence")
    assert (ended.code, ended.err) == (0, "")
    assert "direct with anybody whose UDP is not blocked" in ended.out
    assert "whom you can reach" in ended.out
    assert "\x1b" not in ended.out, "a pipe gets no colours"


def test_a_lifetime_where_nothing_expires_is_not_waited_for(server: Rendezvous) -> None:
    family = report("--server", server.address, "--lifetime")["ipv4"]
    assert "nothing is translated or filtered" in family["mapping_lifetime"]["unknown_because"]


def test_a_plain_server_leaves_the_filter_unknown() -> None:
    with PlainServer("127.0.0.1") as plain:
        family = report("--server", f"stun:{plain.address}")["ipv4"]
    assert values(family, "udp_blocked", "mapping", "filtering") == [False, "endpoint-independent", None]
    assert "no server answers from another of its ports" in family["filtering"]["unknown_because"]
    assert "takes TCP connections" in family["tcp_passes"]["unknown_because"]


def test_of_two_servers_the_better_one_is_used_and_both_are_told(server: Rendezvous) -> None:
    with PlainServer("127.0.0.3") as plain:
        family = report("--server", f"stun:{plain.address}", "--server", server.address)["ipv4"]
    assert {one["address"] for one in family["servers"]} == {plain.address, server.address}
    assert values(family, "filtering") == ["endpoint-independent"]


def test_a_name_that_leads_nowhere_is_a_note_while_another_server_answers(server: Rendezvous) -> None:
    nowhere = "x" * 64 + ".invalid"  # a label that is too long: no resolver is asked
    found = report("--server", nowhere, "--server", server.address)
    assert found["notes"] == [f"{nowhere}:10080: its name does not resolve"]
    assert values(found["ipv4"], "udp_blocked") == [False]


# --- exit codes ---------------------------------------------------------------------------------------------


def test_nobody_there_is_exit_code_3_and_still_a_report() -> None:
    family = report("--server", f"127.0.0.1:{free_port()}", code=3)["ipv4"]
    assert values(family, "udp_blocked", "tcp_passes", "mapping", "filtering") == [None] * 4
    assert "may be gone" in family["udp_blocked"]["unknown_because"]


def test_tcp_alone_is_blocked_udp_and_no_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        family = report("--server", f"127.0.0.1:{listening.getsockname()[1]}")["ipv4"]
    assert values(family, "udp_blocked", "tcp_passes") == [True, True]


def test_no_name_that_resolves_is_one_line_and_exit_code_3() -> None:
    ended = check("--server", "x" * 64 + ".invalid")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("peer: ")
    assert ended.err.count("\n") == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Missing option '--server'"),
        (("--server", "a:b:c"), "got 'a:b:c', expected HOST or HOST:PORT"),
        (("--server", ""), "expected HOST or HOST:PORT"),
        (("--server", "example.org:0"), "expected 1 to 65535"),
        (("--server", "stun:"), "expected HOST or HOST:PORT"),
        (("--server", "stun://example.org"), "expected stun:HOST or stun:HOST:PORT"),
        (("--server", "127.0.0.1", "--max-lifetime", "0"), "0"),
        (("--server", "127.0.0.1", "--interval", "1"), "1"),
        (("--server", "127.0.0.1", "--no-such-option"), "--no-such-option"),
    ],
)
def test_a_wrong_command_line_is_one_clear_line_and_exit_code_2(
    arguments: tuple[str, ...], words: str
) -> None:
    ended = check(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert ended.err.count("\n") == 0


@pytest.mark.parametrize("arguments", [("--json",), ()], ids=["JSON", "text"])
def test_a_reader_that_has_gone_is_no_traceback(server: Rendezvous, arguments: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "peer", "check", "--server", server.address, *arguments],
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_watching_tells_a_report_each_time_until_it_is_ended(server: Rendezvous) -> None:
    with Program(
        "peer", "check", "--server", server.address, "--watch", "--interval", "2", "--json"
    ) as watching:
        for _ in range(2):
            line = watching.wait_for_line(r"\{.*\}")[0]
            assert json.loads(line)["verdict"]
        ended = watching.stop()
    assert (ended.code, ended.err) == (130, "")
