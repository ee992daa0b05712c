"""What interfaces there are, through netifaces: the one module that knows which package tells them.

netifaces 0.11.0 has no wheels for Python 3.11 and later; ``netifaces-plus`` installs the same module name.

netifaces knows addresses and no more. On Linux the kernel is asked whether an interface can carry anything,
and which IPv6 addresses are temporary or not to be used; elsewhere all are taken for usable.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path

import netifaces

from natcore.address import IPAddress

_FAMILIES = (netifaces.AF_INET, netifaces.AF_INET6)

_SIOCGIFFLAGS = 0x8913  # Linux's numbers; netdevice(7)
_UP, _RUNNING = 0x1, 0x40
_IPV6_ADDRESSES = Path("/proc/self/net/if_inet6")
_TEMPORARY, _FAILED, _DEPRECATED, _TENTATIVE = 0x01, 0x08, 0x20, 0x40  # of linux/if_addr.h


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAddress:
    """An address of an interface.

    Attributes:
        ip: without a scope.
        is_temporary: whether it was made up for privacy (RFC 8981) and changes every day or so.
        is_usable: whether new flows may begin from it: not deprecated, and known to be nobody else's
            (RFC 4862 section 5.5.4 and 5.4).
    """

    ip: IPAddress
    is_temporary: bool = False
    is_usable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalInterface:
    """A network interface.

    Attributes:
        name: as the system calls it.
        is_up: whether it is switched on and has a carrier.
        addresses: of both families, in the system's order.
    """

    name: str
    is_up: bool
    addresses: tuple[LocalAddress, ...]


def local_interfaces() -> tuple[LocalInterface, ...]:
    """All interfaces, those of the default routes first."""
    default = _default_interfaces()
    flags = _ipv6_flags()
    return tuple(
        LocalInterface(name=name, is_up=_is_up(name), addresses=_addresses_of(name, flags))
        for name in sorted(netifaces.interfaces(), key=lambda name: name not in default)
    )


def default_gateways() -> list[IPAddress]:
    """The gateways of the default routes, IPv4 first."""
    gateways = netifaces.gateways().get("default", {})
    return [ip_address(gateways[family][0].partition("%")[0]) for family in _FAMILIES if family in gateways]


def _default_interfaces() -> set[str]:
    gateways = netifaces.gateways().get("default", {})
    return {gateways[family][1] for family in _FAMILIES if family in gateways}


def _addresses_of(name: str, flags: Mapping[IPAddress, int]) -> tuple[LocalAddress, ...]:
    try:
        by_family = netifaces.ifaddresses(name)
    except ValueError:  # it has gone since it was listed
        return ()
    found: list[LocalAddress] = []
    for family in _FAMILIES:
        for entry in by_family.get(family, ()):
            ip = ip_address(entry["addr"].partition("%")[0])
            own = flags.get(ip, 0)
            is_usable = not own & (_FAILED | _DEPRECATED | _TENTATIVE)
            found.append(LocalAddress(ip=ip, is_temporary=bool(own & _TEMPORARY), is_usable=is_usable))
    return tuple(found)


def _is_up(name: str) -> bool:
    if sys.platform != "linux":
        return True
    import fcntl  # not everywhere

    request = struct.pack("16sH14x", name.encode()[:15], 0)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            answer = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request)
    except OSError:
        return False  # it has gone since it was listed
    (flags,) = struct.unpack_from("16xH", answer)
    return bool(flags & _UP) and bool(flags & _RUNNING)


def _ipv6_flags() -> dict[IPAddress, int]:
    """Of each IPv6 address; a line is address, index, prefix length, scope, flags, name, in hexadecimal."""
    try:
        lines = _IPV6_ADDRESSES.read_text().splitlines()
    except OSError:
        return {}
    fields = (line.split() for line in lines)
    return {IPv6Address(bytes.fromhex(one[0])): int(one[4], 16) for one in fields if len(one) == 6}
