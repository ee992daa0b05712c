from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

import pytest

from natcore.stun import MessageClass, XorMappedAddress
from tests.integration.bare_client import BareClient, awake_request, exchange, udp_socket
from tests.integration.processes import Rendezvous


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


LISTENING = [
    ("127.0.0.1", "127.0.0.1"),
    ("0.0.0.0", "127.0.0.1"),
    ("0.0.0.0", "127.0.0.9"),
    pytest.param("::1", "::1", marks=pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")),
    pytest.param("::", "127.0.0.9", marks=pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")),
]


@pytest.mark.parametrize(("host", "address"), LISTENING)
def test_two_clients_register_wake_and_are_introduced(host: str, address: str) -> None:
    with Rendezvous(host=host) as server, BareClient(server.port, address) as elsa:
        assert server.out[0].startswith("server starts on ip : ")
        of_elsa = elsa.register("elsa")
        with BareClient(server.port, address) as anna, udp_socket(address) as udp:
            of_anna = anna.register("anna")
            elsa.hear_change("anna", "registered")
            for client, registered in ((elsa, of_elsa), (anna, of_anna)):
                # The endpoint is the address by which the client came, whatever the server is bound to.
                shown = f"[{address}]" if ":" in address else address
                assert registered["endpoints"] == [f"{shown}:{server.port}"]
                request = awake_request(registered["session"], registered["key"], 1)
                answer = exchange(udp, request, (address, server.port))
                assert answer.message_class is MessageClass.SUCCESS_RESPONSE
                assert answer.is_authentic(registered["key"].encode())
                mapped = answer.get(XorMappedAddress)
                assert mapped is not None
                assert mapped.address.to_sockaddr() == udp.getsockname()[:2]
                server.wait_for_line(rf"{registered['id']} Awake .*:{udp.getsockname()[1]}")
                client.publish()
            anna.say("ping")
            anna.hear("pong")  # so that anna's candidates are there
            elsa.hear_change("anna", "awake")
            elsa.say("connect", target="anna")
            to_elsa, to_anna = elsa.hear("introduction"), anna.hear("introduction")
        assert to_elsa["session"] == to_anna["session"]
        assert (to_elsa["controlling"], to_anna["controlling"]) == (True, False)
        assert elsa.hear_change("anna", "disconnected")["reason"] == "connection closed"
        server.wait_for_line("anna is disconnected")
        elsa.say("unregister")
        assert elsa.hear_the_end() == []
        server.wait_for_line("elsa is unregistered")
        assert server.stop().code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_within_two_seconds_and_exits_with_zero(number: signal.Signals) -> None:
    with Rendezvous() as server, BareClient(server.port) as elsa, BareClient(server.port) as stranger:
        elsa.register("elsa")
        stranger.say("ping")
        stranger.hear("pong")
        ended = server.stop(number)
        assert (ended.code, ended.err) == (0, "")
        for client in (elsa, stranger):
            assert client.hear_the_end()[-1] == {
                "type": "goodbye",
                "reason": "the server is shutting down",
            }


def test_the_trace_tells_what_happened_without_secrets(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    with (
        Rendezvous(options=["--trace", str(path)]) as server,
        BareClient(server.port) as elsa,
        udp_socket() as udp,
    ):
        registered = elsa.register("elsa")
        request = awake_request(registered["session"], registered["key"], 1)
        exchange(udp, request, ("127.0.0.1", server.port))
        server.stop()
    text = path.read_text()
    events = [json.loads(line) for line in text.splitlines()]
    assert {"connection_opened", "datagram_received", "datagram_sent", "reported"} <= {
        event["event"] for event in events
    }
    assert (events[-1]["event"], events[-1]["awakes"]) == ("counted", 1)
    assert registered["key"] not in text


def test_a_restarted_server_takes_the_same_port_at_once() -> None:
    with Rendezvous() as first, BareClient(first.port) as elsa:
        elsa.register("elsa")
        port = first.port
        first.stop()
    with Rendezvous(port=port) as second, BareClient(second.port) as elsa:
        assert elsa.register("elsa")["id"] == "elsa"
