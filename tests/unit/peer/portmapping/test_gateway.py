from __future__ import annotations

from ipaddress import ip_address

import pytest

from natcore.address import IPAddress
from peer.errors import MappingFailed
from peer.portmapping import find_gateway, gateway, may_be_behind_nat, survey

HOME = {"192.168.1.1": "192.168.1.10", "10.0.0.1": "10.0.0.2", "fe80::1": "fe80::2", "8.8.8.1": "8.8.8.8"}
"""Our address towards each gateway."""


def stand_behind(monkeypatch: pytest.MonkeyPatch, *gateways: str) -> None:
    def towards(destination: IPAddress) -> IPAddress | None:
        text = HOME.get(str(destination))
        return None if text is None else ip_address(text)

    monkeypatch.setattr(gateway, "default_gateways", lambda: [ip_address(text) for text in gateways])
    monkeypatch.setattr(gateway, "address_towards", towards)


def test_it_is_that_of_the_default_route(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_behind(monkeypatch, "192.168.1.1", "fe80::1")
    found = find_gateway()
    assert (str(found.ip), str(found.local_ip), found.control_port, found.ssdp_port) == (
        *("192.168.1.1", "192.168.1.10"),
        *(5351, 1900),
    )


def test_of_several_it_is_the_one_on_our_own_network(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_behind(monkeypatch, "192.168.1.1", "10.0.0.1")
    assert str(find_gateway(ip_address("10.0.0.2")).ip) == "10.0.0.1"


@pytest.mark.parametrize(
    ("gateways", "local_ip", "text"),
    [
        ([], None, "there is no IPv4 default gateway"),
        (["fe80::1"], None, "there is no IPv4 default gateway"),
        (["10.9.9.9"], None, "there is no IPv4 default gateway"),
        (["192.168.1.1"], "10.0.0.2", "there is no IPv4 default gateway on the network of 10.0.0.2"),
        (["8.8.8.1"], None, "8.8.8.8, is public: there is no NAT to ask"),
    ],
    ids=["none", "IPv6 only", "unreachable", "another network", "public host"],
)
async def test_where_there_is_nobody_to_ask_it_says_why(
    monkeypatch: pytest.MonkeyPatch, gateways: list[str], local_ip: str | None, text: str
) -> None:
    stand_behind(monkeypatch, *gateways)
    own = None if local_ip is None else ip_address(local_ip)
    with pytest.raises(MappingFailed, match=text):
        find_gateway(own)
    found = await survey(own)
    for one in (found.pcp, found.nat_pmp, found.upnp):
        assert (one.is_available, one.gateway) == (False, None)
        assert text in str(one.reason)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ("192.168.1.10", True),
        ("10.0.0.2", True),
        ("100.64.0.2", True),
        ("169.254.1.1", True),
        ("8.8.8.8", False),
        ("127.0.0.1", False),
        ("::1", False),
        ("2001:db8::1", False),
    ],
)
def test_a_host_with_a_public_address_or_on_loopback_asks_nobody(own: str, expected: bool) -> None:
    assert may_be_behind_nat(ip_address(own)) is expected
