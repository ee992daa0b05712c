"""The machine's own addresses, through netifaces: the one module that knows which package tells them.

netifaces 0.11.0 has no wheels for Python 3.11 and later; ``netifaces-plus`` installs the same module name.
"""

from __future__ import annotations

from ipaddress import ip_address

import netifaces

from natcore.address import IPAddress

_FAMILIES = (netifaces.AF_INET, netifaces.AF_INET6)


def local_addresses() -> list[IPAddress]:
    """The addresses of all interfaces, those of default-route interfaces first, each once.

    Link-local addresses are left out: without their scope they mean nothing to a peer.
    """
    default = _default_interfaces()
    names = sorted(netifaces.interfaces(), key=lambda name: name not in default)
    found: dict[IPAddress, None] = {}
    for name in names:
        by_family = netifaces.ifaddresses(name)
        for family in _FAMILIES:
            for entry in by_family.get(family, ()):
                ip = ip_address(entry["addr"].partition("%")[0])
                if not ip.is_link_local:
                    found[ip] = None
    return list(found)


def default_gateways() -> list[IPAddress]:
    """The gateways of the default routes, IPv4 first."""
    gateways = netifaces.gateways().get("default", {})
    return [ip_address(gateways[family][0].partition("%")[0]) for family in _FAMILIES if family in gateways]


def _default_interfaces() -> set[str]:
    gateways = netifaces.gateways().get("default", {})
    return {gateways[family][1] for family in _FAMILIES if family in gateways}
