from __future__ import annotations

import sys
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import netifaces
import pytest

from peer.interfaces import default_gateways, local_interfaces, scan

V4, V6 = netifaces.AF_INET, netifaces.AF_INET6

ADDRESSES: dict[str, dict[int, list[dict[str, str]]]] = {
    "lo": {V4: [{"addr": "127.0.0.1"}], V6: [{"addr": "::1"}]},
    "eth0": {V4: [{"addr": "198.51.100.7"}]},
    "wlan0": {
        V4: [{"addr": "192.0.2.7"}, {"addr": "192.0.2.8"}],
        V6: [{"addr": "fe80::1%wlan0"}, {"addr": "2001:db8::7%wlan0"}, {"addr": "2001:db8::8"}],
    },
    "down0": {},
}
UP = {"lo", "wlan0"}

Machine = Callable[[dict[int, tuple[str, str]]], None]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    flags = tmp_path / "if_inet6"
    flags.write_text(
        "20010db8000000000000000000000007 03 40 00 01    wlan0\n"
        "20010db8000000000000000000000008 03 40 00 20    wlan0\n"
        "fe800000000000000000000000000001 03 40 20 80    wlan0\n",
        encoding="ascii",
    )

    def with_gateways(default: dict[int, tuple[str, str]]) -> None:
        gateways: dict[str, Any] = {"default": default} if default else {}
        monkeypatch.setattr(netifaces, "interfaces", lambda: list(ADDRESSES))
        monkeypatch.setattr(netifaces, "ifaddresses", lambda name: ADDRESSES[name])
        monkeypatch.setattr(netifaces, "gateways", lambda: gateways)
        monkeypatch.setattr(scan, "_is_up", lambda name: name in UP)
        monkeypatch.setattr(scan, "_IPV6_ADDRESSES", flags)

    return with_gateways


def test_interfaces_of_the_default_routes_come_first(machine: Machine) -> None:
    machine({V4: ("192.0.2.1", "wlan0")})
    assert [one.name for one in local_interfaces()] == ["wlan0", "lo", "eth0", "down0"]
    machine({})
    assert [one.name for one in local_interfaces()] == ["lo", "eth0", "wlan0", "down0"]


def test_an_interface_has_its_addresses_without_scopes_and_what_the_kernel_says_of_them(
    machine: Machine,
) -> None:
    machine({V4: ("192.0.2.1", "wlan0")})
    wlan, loopback, ethernet, nothing = local_interfaces()
    assert [one.ip for one in wlan.addresses] == [
        ip_address(text) for text in ("192.0.2.7", "192.0.2.8", "fe80::1", "2001:db8::7", "2001:db8::8")
    ]
    assert [one.is_temporary for one in wlan.addresses] == [False, False, False, True, False]
    assert [one.is_usable for one in wlan.addresses] == [True, True, True, True, False]
    assert (wlan.is_up, loopback.is_up, ethernet.is_up, nothing.is_up) == (True, True, False, False)
    assert nothing.addresses == ()


def test_an_interface_that_goes_while_we_look_has_no_addresses(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(name: str) -> dict[int, list[dict[str, str]]]:
        raise ValueError("You must specify a valid interface name.")

    machine({})
    monkeypatch.setattr(netifaces, "ifaddresses", gone)
    assert all(one.addresses == () for one in local_interfaces())


def test_without_the_kernel_s_list_every_address_is_usable(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine({})
    monkeypatch.setattr(scan, "_IPV6_ADDRESSES", tmp_path / "nowhere")
    assert all(each.is_usable for one in local_interfaces() for each in one.addresses)


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel")
def test_the_kernel_says_that_loopback_is_up_and_that_there_is_no_such_interface() -> None:
    assert scan._is_up("lo")
    assert not scan._is_up("no-such-one")


def test_gateways_are_those_of_the_default_routes(machine: Machine) -> None:
    machine({V6: ("fe80::1%wlan0", "wlan0"), V4: ("192.0.2.1", "wlan0")})
    assert default_gateways() == [ip_address("192.0.2.1"), ip_address("fe80::1")]
    machine({})
    assert default_gateways() == []
