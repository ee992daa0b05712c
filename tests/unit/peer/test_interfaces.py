from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import netifaces
import pytest

from peer import interfaces

V4, V6 = netifaces.AF_INET, netifaces.AF_INET6

ADDRESSES: dict[str, dict[int, list[dict[str, str]]]] = {
    "lo": {V4: [{"addr": "127.0.0.1"}], V6: [{"addr": "::1"}]},
    "docker0": {V4: [{"addr": "172.17.0.1"}]},
    "wlan0": {
        V4: [{"addr": "192.0.2.7"}, {"addr": "192.0.2.8"}],
        V6: [{"addr": "fe80::1%wlan0"}, {"addr": "2001:db8::7%wlan0"}],
    },
    "down0": {},
    "alias0": {V4: [{"addr": "192.0.2.7"}, {"addr": "169.254.1.1"}]},
}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[int, tuple[str, str]]], None]:
    def with_gateways(default: dict[int, tuple[str, str]]) -> None:
        gateways: dict[str, Any] = {"default": default} if default else {}
        monkeypatch.setattr(netifaces, "interfaces", lambda: list(ADDRESSES))
        monkeypatch.setattr(netifaces, "ifaddresses", lambda name: ADDRESSES[name])
        monkeypatch.setattr(netifaces, "gateways", lambda: gateways)

    return with_gateways


def test_addresses_of_the_default_route_come_first_each_once_and_no_link_local_ones(
    machine: Callable[[dict[int, tuple[str, str]]], None],
) -> None:
    machine({V4: ("192.0.2.1", "wlan0")})
    expected = ["192.0.2.7", "192.0.2.8", "2001:db8::7", "127.0.0.1", "::1", "172.17.0.1"]
    assert interfaces.local_addresses() == [ip_address(text) for text in expected]


def test_without_a_default_route_addresses_come_in_the_machine_s_order(
    machine: Callable[[dict[int, tuple[str, str]]], None],
) -> None:
    machine({})
    assert interfaces.local_addresses()[:3] == [
        ip_address(text) for text in ("127.0.0.1", "::1", "172.17.0.1")
    ]
    assert interfaces.default_gateways() == []


def test_gateways_are_those_of_the_default_routes(
    machine: Callable[[dict[int, tuple[str, str]]], None],
) -> None:
    machine({V6: ("fe80::1%wlan0", "wlan0"), V4: ("192.0.2.1", "wlan0")})
    assert interfaces.default_gateways() == [ip_address("192.0.2.1"), ip_address("fe80::1")]
