from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from peer.portmapping.ssdp import MAX_ANSWER_SIZE, is_on, location_of

GATEWAY = IPv4Address("192.168.1.1")
LOCATION = "http://192.168.1.1:5000/rootDesc.xml"
TARGET = "urn:schemas-upnp-org:device:InternetGatewayDevice:1"


def answer(*, location: str = LOCATION, target: str = TARGET, status: str = "HTTP/1.1 200 OK") -> bytes:
    return f"{status}\r\nCACHE-CONTROL: max-age=120\r\nST: {target}\r\nLocation:{location}\r\n\r\n".encode()


def test_an_answer_names_the_description() -> None:
    assert location_of(answer(), GATEWAY) == LOCATION


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 100,
        answer(status="HTTP/1.1 404 Not Found"),
        answer(status="NOTIFY * HTTP/1.1"),
        answer(target="urn:schemas-upnp-org:device:MediaServer:1"),
        answer(location=""),
        answer(location="http://203.0.113.66/evil"),
        answer() + bytes(MAX_ANSWER_SIZE),
        b"HTTP/1.1 200 OK\r\n" + b"x\r\n" * 100 + answer(),
    ],
)
def test_anything_else_is_not_for_us(data: bytes) -> None:
    assert location_of(data, GATEWAY) is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (LOCATION, True),
        ("http://192.168.1.1/", True),
        ("HTTP://192.168.1.1:1/x?y", True),
        ("https://192.168.1.1/", False),
        ("ftp://192.168.1.1/", False),
        ("file:///etc/passwd", False),
        ("http://192.168.1.2/", False),
        ("http://192.168.1.1.example/", False),
        ("http://127.0.0.1/", False),
        ("http://user@192.168.1.1/", False),
        ("http://192.168.1.1@203.0.113.66/", False),
        ("http://192.168.1.1:0/", False),
        ("http://192.168.1.1:99999/", False),
        ("http://[192.168.1.1/", False),
        ("http://3232235777/", False),
        ("http://192.168.1.1/\r\nHost: evil", False),
        ("http://192.168.1.1/" + "x" * 512, False),
        ("//192.168.1.1/", False),
        ("", False),
    ],
)
def test_only_plain_http_to_the_gateway_s_own_number_is_followed(url: str, expected: bool) -> None:
    assert is_on(url, GATEWAY) is expected
