from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address

import pytest

from peer.errors import UnknownInterface
from peer.interfaces import (
    MAX_ADDRESSES,
    LocalAddress,
    LocalInterface,
    choose_addresses,
    require_known,
    why_ignored,
)


def interface(name: str, *addresses: str | LocalAddress, is_up: bool = True) -> LocalInterface:
    made = (LocalAddress(ip=ip_address(one)) if isinstance(one, str) else one for one in addresses)
    return LocalInterface(name=name, is_up=is_up, addresses=tuple(made))


LOOPBACK = interface("lo", "127.0.0.1", "::1")
WIFI = interface("wlan0", "192.0.2.7", "2001:db8::7", "fe80::7")
CABLE = interface("eth0", "198.51.100.7")


def chosen(
    *interfaces: LocalInterface,
    routed: str | None = None,
    on_loopback: bool = False,
    only: Collection[str] = (),
) -> list[str]:
    towards = None if routed is None else ip_address(routed)
    found = choose_addresses(interfaces, routed=towards, on_loopback=on_loopback, only=only)
    return [str(ip) for ip in found]


@pytest.mark.parametrize(
    "name",
    [
        *("docker0", "docker_gwbridge", "br-0123456789ab", "podman0", "cni0", "cali12ab34", "veth12ab34"),
        *("virbr0", "vnet3", "lxcbr0", "lxdbr0", "vmnet8", "vboxnet0", "bridge100", "ifb0"),
        *("tun0", "tap0", "utun3", "wg0", "wg-mullvad", "tailscale0", "ztabcdef12", "ppp0", "sit0", "awdl0"),
    ],
)
def test_interfaces_of_containers_machines_and_tunnels_are_ignored(name: str) -> None:
    assert why_ignored(name)
    assert chosen(interface(name, "10.1.2.3"), CABLE) == ["198.51.100.7"]


@pytest.mark.parametrize(
    "name", ["eth0", "enp3s0", "wlan0", "wlp2s0", "wwan0", "en0", "br-lan", "br0", "bridge0", "bond0", "usb0"]
)
def test_interfaces_that_lead_outside_are_used(name: str) -> None:
    assert why_ignored(name) is None
    assert chosen(interface(name, "10.1.2.3")) == ["10.1.2.3"]


def test_a_tunnel_is_used_where_the_route_to_the_server_goes_through_it() -> None:
    tunnel = interface("tun0", "10.8.0.2")
    assert chosen(CABLE, tunnel, routed="10.8.0.2") == ["10.8.0.2", "198.51.100.7"]


def test_the_address_of_the_route_to_the_server_comes_first_then_its_interface() -> None:
    assert chosen(CABLE, WIFI, routed="2001:db8::7") == ["2001:db8::7", "192.0.2.7", "198.51.100.7"]
    assert chosen(CABLE, WIFI) == ["198.51.100.7", "192.0.2.7", "2001:db8::7"]


def test_an_address_of_the_route_that_no_interface_tells_is_used_all_the_same() -> None:
    assert chosen(CABLE, routed="203.0.113.5") == ["203.0.113.5", "198.51.100.7"]


def test_loopback_is_used_where_the_server_is_on_it_and_then_alone() -> None:
    assert chosen(LOOPBACK, CABLE, routed="127.0.0.1", on_loopback=True) == ["127.0.0.1", "::1"]
    assert chosen(LOOPBACK, CABLE, routed="198.51.100.7") == ["198.51.100.7"]


def test_what_is_down_link_local_deprecated_or_tentative_is_not_used() -> None:
    old = LocalAddress(ip=ip_address("2001:db8::bad"), is_usable=False)
    assert chosen(interface("eth1", "10.0.0.1", is_up=False), interface("eth2", "169.254.1.1", old)) == []


def test_of_a_prefix_with_a_temporary_address_no_other_is_told() -> None:
    temporary = LocalAddress(ip=ip_address("2001:db8::1234"), is_temporary=True)
    assert chosen(interface("eth0", "10.0.0.1", "2001:db8::7", temporary, "2001:db8:1::7")) == [
        *("10.0.0.1", "2001:db8::1234", "2001:db8:1::7")
    ]


def test_only_the_interfaces_that_were_named_are_used_whatever_they_are() -> None:
    bridge, down = interface("docker0", "172.17.0.1"), interface("eth1", "10.0.0.1", is_up=False)
    assert chosen(CABLE, bridge, routed="198.51.100.7", only=["docker0"]) == ["172.17.0.1"]
    assert chosen(CABLE, WIFI, routed="192.0.2.7", only=["eth0", "wlan0"])[0] == "192.0.2.7"
    assert chosen(CABLE, down, routed="198.51.100.7", only=["eth1"]) == []


def test_addresses_are_bounded_and_each_is_there_once() -> None:
    many = interface("eth0", *(f"10.0.0.{number}" for number in range(1, 20)))
    assert chosen(many, many, routed="10.0.0.19") == [
        "10.0.0.19",
        *(f"10.0.0.{number}" for number in range(1, MAX_ADDRESSES)),
    ]


def test_an_unknown_interface_is_said_with_those_that_there_are() -> None:
    require_known([CABLE, WIFI], ["wlan0"])
    with pytest.raises(UnknownInterface, match=r"'wlan1': there is none of that name; there are eth0, wlan0"):
        require_known([CABLE, WIFI], ["wlan0", "wlan1"])
