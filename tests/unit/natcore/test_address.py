from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest

from natcore.address import TransportAddress
from natcore.errors import DecodeError

V4 = TransportAddress(IPv4Address("203.0.113.7"), 40001)
V6 = TransportAddress(IPv6Address("2001:db8::7"), 40001)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.7:40001", V4),
        ("[2001:db8::7]:40001", V6),
        ("[::ffff:203.0.113.7]:40001", V4),
        ("203.0.113.7:0", TransportAddress(V4.ip, 0)),
        ("203.0.113.7:65535", TransportAddress(V4.ip, 65535)),
    ],
)
def test_text_is_read(text: str, address: TransportAddress) -> None:
    assert TransportAddress.parse(text) == address


@pytest.mark.parametrize("address", [V4, V6])
def test_what_is_written_can_be_read(address: TransportAddress) -> None:
    assert TransportAddress.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "203.0.113.7",
        "203.0.113.7:",
        "203.0.113.7:65536",
        "203.0.113.7:-1",
        "203.0.113.7:+1",
        "203.0.113.7:000001",
        "203.0.113.7:\u0661",
        "203.0.113.256:1",
        "example.org:1",
        "2001:db8::7:1",
        "[2001:db8::7:1",
        "[fe80::1%eth0]:1",
        "\x00:1",
        "9" * 100_000,
    ],
)
def test_anything_else_is_a_decode_error_in_one_short_line(text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        TransportAddress.parse(text)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


def test_a_sockaddr_loses_its_zone_and_an_ipv4_mapped_address_its_disguise() -> None:
    assert TransportAddress.from_sockaddr(("fe80::1%eth0", 7, 0, 3)).ip == IPv6Address("fe80::1")
    assert TransportAddress.from_sockaddr(("::ffff:203.0.113.7", 40001, 0, 0)) == V4
    assert V4.to_sockaddr() == ("203.0.113.7", 40001)
