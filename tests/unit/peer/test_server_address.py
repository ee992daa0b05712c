from __future__ import annotations

import pytest

from natcore.errors import DecodeError
from peer.server_address import DEFAULT_PORT, ServerAddress


@pytest.mark.parametrize(
    ("text", "host", "port", "shown"),
    [
        ("192.0.2.1", "192.0.2.1", DEFAULT_PORT, "192.0.2.1:10080"),
        ("192.0.2.1:7", "192.0.2.1", 7, "192.0.2.1:7"),
        ("rendezvous.example.org", "rendezvous.example.org", 10080, "rendezvous.example.org:10080"),
        ("rendezvous.example.org:65535", "rendezvous.example.org", 65535, "rendezvous.example.org:65535"),
        ("  localhost:1\n", "localhost", 1, "localhost:1"),
        ("2001:db8::1", "2001:db8::1", 10080, "[2001:db8::1]:10080"),
        ("[2001:db8::1]", "2001:db8::1", 10080, "[2001:db8::1]:10080"),
        ("[2001:db8::1]:7", "2001:db8::1", 7, "[2001:db8::1]:7"),
        ("::1", "::1", 10080, "[::1]:10080"),
    ],
)
def test_a_server_is_read_as_people_write_it(text: str, host: str, port: int, shown: str) -> None:
    address = ServerAddress.parse(text)
    assert (address.host, address.port) == (host, port)
    assert str(address) == shown
    assert ServerAddress.parse(shown) == address


@pytest.mark.parametrize("text", ["", "  ", ":10080", "two words", "two words:7", "[]", "[]:7", "a\tb"])
def test_what_names_no_host_is_refused(text: str) -> None:
    with pytest.raises(DecodeError, match=r"expected HOST or HOST:PORT$"):
        ServerAddress.parse(text)


@pytest.mark.parametrize(
    "port", ["", "0", "65536", "-1", "+1", "1.5", "x", "٣", "1 0", "000080", "9" * 5000, "0x50", "1_0"]
)
def test_what_is_no_port_is_refused(port: str) -> None:
    for host in ("host", "[2001:db8::1]"):
        with pytest.raises(DecodeError, match=r"^server port: got '.{0,120}', expected 1 to 65535$"):
            ServerAddress.parse(f"{host}:{port}")


@pytest.mark.parametrize("text", ["[2001:db8::1", "[2001:db8::1]7", "[::1]x:7", "2001:db8::1::2"])
def test_brackets_and_colons_that_do_not_fit_are_refused(text: str) -> None:
    with pytest.raises(DecodeError, match=r"^server"):
        ServerAddress.parse(text)
