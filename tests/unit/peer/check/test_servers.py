"""How people write STUN servers."""

from __future__ import annotations

import pytest

from natcore.address import TransportAddress
from natcore.errors import DecodeError
from peer.check.servers import parse_stun_server, resolve
from peer.server_address import ServerAddress


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("example.org", "example.org", 10080),
        ("example.org:3478", "example.org", 3478),
        ("192.0.2.1", "192.0.2.1", 10080),
        ("2001:db8::1", "2001:db8::1", 10080),
        ("[2001:db8::1]:5", "2001:db8::1", 5),
        ("stun:example.org", "example.org", 3478),
        ("stun:example.org:10080", "example.org", 10080),
        ("stun:example.org:19302", "example.org", 19302),
        ("STUN:example.org", "example.org", 3478),
        ("  stun:example.org  ", "example.org", 3478),
        ("stun:192.0.2.1", "192.0.2.1", 3478),
        ("stun:192.0.2.1:1", "192.0.2.1", 1),
        ("stun:2001:db8::1", "2001:db8::1", 3478),
        ("stun:2001:db8::1:3478", "2001:db8::1:3478", 3478),
        ("stun:2001:db8::1:1008", "2001:db8::1:1008", 3478),
        ("stun:[2001:db8::1]", "2001:db8::1", 3478),
        ("stun:[2001:db8::1]:10080", "2001:db8::1", 10080),
        ("stun:[2001:db8::1]:5", "2001:db8::1", 5),
        ("stun:example.org:05349", "example.org", 5349),
    ],
)
def test_a_server_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    assert parse_stun_server(text) == ServerAddress(host, port)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ":5", "example.org:", "example.org:0", "example.org:65536", "example.org:x", "a b"),
        *("stun:", "stun: ", "stun::5", "stun:example.org:", "stun:example.org:0", "stun:example.org:65536"),
        *("stun:[2001:db8::1", "stun:[::1]5", "stun:[]:5", "stun:a:b:c", "stun:example.org:-1"),
        "stun://example.org",
    ],
)
def test_what_is_no_server_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        parse_stun_server(text)


async def test_numeric_addresses_of_both_families_resolve_each_once_in_order() -> None:
    servers = [ServerAddress("127.0.0.1", 5), ServerAddress("::1", 6), ServerAddress("127.0.0.1", 5)]
    resolved = await resolve(servers)
    assert resolved.addresses == (
        TransportAddress.parse("127.0.0.1:5"),
        TransportAddress.parse("[::1]:6"),
    )
    assert resolved.failures == ()


async def test_a_name_that_leads_nowhere_is_a_line_and_the_others_are_kept() -> None:
    long = "x" * 64 + ".invalid"  # a label that is too long: no resolver is asked
    resolved = await resolve([ServerAddress(long, 5), ServerAddress("127.0.0.1", 5)])
    assert resolved.addresses == (TransportAddress.parse("127.0.0.1:5"),)
    assert resolved.failures == (f"{long}:5: its name does not resolve",)
