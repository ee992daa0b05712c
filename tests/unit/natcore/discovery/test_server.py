"""What a server says of itself, and how little of it is taken."""

from __future__ import annotations

import pytest

from natcore import stun
from natcore.address import TransportAddress
from natcore.discovery import StunServer
from natcore.discovery.inference import CHANGE_BOTH, CHANGE_PORT
from natcore.discovery.server import all_endpoints

PRIMARY = TransportAddress.parse("198.51.100.10:10080")
OTHER = TransportAddress.parse("198.51.100.20:10081")
CHANGE_IP = stun.ChangeRequest(change_ip=True)


def answer(*attributes: stun.Attribute) -> stun.ReceivedMessage:
    """As it comes off the wire."""
    message = stun.Message(
        method=stun.Method.BINDING,
        message_class=stun.MessageClass.SUCCESS_RESPONSE,
        transaction_id=stun.TransactionId(bytes(12)),
        attributes=attributes,
    )
    return stun.Message.decode(message.encode())


def other(text: str) -> stun.OtherAddress:
    return stun.OtherAddress(TransportAddress.parse(text))


def described(*attributes: stun.Attribute) -> StunServer:
    return StunServer.described_by(PRIMARY, answer(*attributes))


# --- what is taken ------------------------------------------------------------------------------------------


def test_a_server_with_two_addresses_has_four_endpoints() -> None:
    server = described(stun.OtherAddress(OTHER))
    assert (server.other, server.alternate_port, server.quality) == (OTHER, 10081, 2)
    assert list(map(str, server.endpoints)) == [
        "198.51.100.10:10080",
        "198.51.100.10:10081",
        "198.51.100.20:10080",
        "198.51.100.20:10081",
    ]


def test_a_server_with_two_ports_has_two_endpoints() -> None:
    server = described(stun.AlternatePort(10081))
    assert (server.other, server.alternate_port, server.quality) == (None, 10081, 1)
    assert list(map(str, server.endpoints)) == ["198.51.100.10:10080", "198.51.100.10:10081"]


def test_a_plain_server_has_one_endpoint() -> None:
    server = described()
    assert (server.other, server.alternate_port, server.quality) == (None, None, 0)
    assert server.endpoints == (PRIMARY,)


def test_another_address_says_more_than_another_port() -> None:
    server = described(stun.AlternatePort(7), stun.OtherAddress(OTHER))
    assert server.alternate_port == OTHER.port


@pytest.mark.parametrize("port", [0, PRIMARY.port], ids=["none", "its own"])
def test_an_alternate_port_that_is_none_is_not_taken(port: int) -> None:
    assert described(stun.AlternatePort(port)).alternate_port is None


@pytest.mark.parametrize(
    "lie",
    [
        "198.51.100.10:10081",
        "198.51.100.20:10080",
        "198.51.100.20:0",
        "[2001:db8::20]:10081",
        "[::ffff:198.51.100.10]:10081",
        "224.0.0.1:10081",
        "239.255.255.250:1900",
        "0.0.0.0:10081",
        "169.254.1.1:10081",
        "127.0.0.1:10081",
        "255.255.255.255:10081",
    ],
    ids=[
        *("own address", "own port", "port 0", "other family", "own address mapped"),
        *("multicast", "ssdp", "unspecified", "link-local", "our own host", "broadcast"),
    ],
)
def test_an_address_that_the_server_cannot_have_is_not_taken(lie: str) -> None:
    server = described(other(lie))
    assert (server.other, server.endpoints) == (None, (PRIMARY,))


def test_after_a_lie_the_alternate_port_is_still_taken() -> None:
    assert described(other("198.51.100.20:0"), stun.AlternatePort(10081)).quality == 1


def test_on_loopback_another_loopback_address_is_taken() -> None:
    primary = TransportAddress.parse("127.0.0.1:10080")
    server = StunServer.described_by(primary, answer(other("127.0.0.2:10081")))
    assert server.quality == 2


# --- CHANGE-REQUEST -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "change", "expected"),
    [
        ((), CHANGE_BOTH, None),
        ((), CHANGE_PORT, None),
        ((), CHANGE_IP, None),
        ((stun.AlternatePort(10081),), CHANGE_BOTH, None),
        ((stun.AlternatePort(10081),), CHANGE_PORT, "198.51.100.10:10081"),
        ((stun.AlternatePort(10081),), CHANGE_IP, None),
        ((stun.OtherAddress(OTHER),), CHANGE_BOTH, "198.51.100.20:10081"),
        ((stun.OtherAddress(OTHER),), CHANGE_PORT, "198.51.100.10:10081"),
        ((stun.OtherAddress(OTHER),), CHANGE_IP, "198.51.100.20:10080"),
    ],
)
def test_from_where_a_server_answers(
    offered: tuple[stun.Attribute, ...], change: stun.ChangeRequest, expected: str | None
) -> None:
    source = described(*offered).source_after(change)
    assert source == (None if expected is None else TransportAddress.parse(expected))


# --- several ------------------------------------------------------------------------------------------------


def plain_servers(count: int) -> list[StunServer]:
    return [
        StunServer(primary=TransportAddress.parse(f"192.0.2.{number}:3478")) for number in range(1, 1 + count)
    ]


def test_endpoints_of_the_most_useful_server_come_first_and_each_once() -> None:
    full = described(stun.OtherAddress(OTHER))
    also = StunServer(primary=full.endpoints[1])
    plain = plain_servers(1)
    assert all_endpoints([*plain, also, full], 8) == (*full.endpoints, plain[0].primary)


@pytest.mark.parametrize(("count", "expected"), [(7, 7), (8, 8), (9, 8)])
def test_there_are_so_many_endpoints_at_most(count: int, expected: int) -> None:
    assert len(all_endpoints(plain_servers(count), 8)) == expected
