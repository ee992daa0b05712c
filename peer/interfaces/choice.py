"""Which of the machine's addresses a node uses: the default is a table, and a person may choose otherwise.

Each address that is used becomes a socket and a host candidate (RFC 8445 section 5.1.1.1). What is always
true of the default: the address of the route to the server is used, and comes first; loopback is used where
the server is on loopback, and then alone; link-local addresses are not used, as they mean nothing without a
scope, which a peer does not know.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv6Address, ip_network

from natcore.address import IPAddress
from peer.errors import UnknownInterface
from peer.interfaces.scan import LocalAddress, LocalInterface

MAX_ADDRESSES = 8
"""Addresses that get a socket and become host candidates, the best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """Interfaces that are not used, unless the route to the server goes through one or a person names it.

    Attributes:
        names: patterns as of a shell.
        why: a clause for people.
    """

    names: tuple[str, ...]
    why: str


_DOCKER_NETWORK = "br-" + "[0-9a-f]" * 12
"""As Docker names a network's bridge; ``br-lan`` is the home network of many a router."""

IGNORED = (
    Ignored(
        names=("docker*", _DOCKER_NETWORK, "podman*", "nerdctl*", "cni*", "flannel*", "cali*", "cilium*"),
        why="it leads to the containers on this machine, and other machines have the same addresses there",
    ),
    Ignored(
        names=("virbr*", "vnet*", "lxc*", "lxdbr*", "incusbr*", "vmnet*", "vboxnet*", "bridge1[0-9][0-9]"),
        why="it leads to the virtual machines on this machine",
    ),
    Ignored(
        names=("veth*", "ifb*", "dummy*", "macvtap*"),
        why="it is one end of something inside this machine",
    ),
    Ignored(
        names=("awdl*", "llw*", "anpi*"),
        why="it is the system's own link to devices nearby",
    ),
    Ignored(
        names=("tun*", "tap*", "utun*", "wg*", "tailscale*", "zt*", "nordlynx*", "proton*", "ipsec*", "ppp*"),
        why="it is a tunnel: a path through it would be longer than one around it, and end with it",
    ),
    Ignored(
        names=("gre*", "gretap*", "sit*", "ip6tnl*", "ip6gre*", "tunl*", "vxlan*", "geneve*", "nebula*"),
        why="it is a tunnel that somebody else manages",
    ),
)


def why_ignored(name: str) -> str | None:
    """Why an interface of this name is not used by default; None where it is."""
    rows = (row for row in IGNORED if any(fnmatchcase(name, pattern) for pattern in row.names))
    return next((row.why for row in rows), None)


def require_known(interfaces: Iterable[LocalInterface], only: Collection[str]) -> None:
    """Checks what a person has typed.

    Raises:
        UnknownInterface: there is no interface of one of the names.
    """
    known = [one.name for one in interfaces]
    for name in only:
        if name not in known:
            raise UnknownInterface(name=name, known=known)


def choose_addresses(
    interfaces: Sequence[LocalInterface],
    *,
    routed: IPAddress | None,
    on_loopback: bool,
    only: Collection[str] = (),
) -> list[IPAddress]:
    """The addresses to use, at most ``MAX_ADDRESSES``, the best first, each once.

    Args:
        interfaces: what there is, in the order of preference.
        routed: from which the system would send to the server, or None.
        on_loopback: whether the server is on this machine's loopback interface.
        only: the names of the interfaces to use, if a person has chosen; they are then used whatever they
            are, as long as they are up.
    """
    ranked = sorted(interfaces, key=lambda one: routed not in [each.ip for each in one.addresses])
    chosen = [ip for one in ranked if _is_wanted(one, routed, only) for ip in _candidates_of(one)]
    if routed is not None and (routed in chosen or not only):
        chosen.insert(0, routed)
    suitable = (ip for ip in chosen if ip.is_loopback is on_loopback)
    return list(dict.fromkeys(suitable))[:MAX_ADDRESSES]


def _is_wanted(interface: LocalInterface, routed: IPAddress | None, only: Collection[str]) -> bool:
    if only:
        return interface.is_up and interface.name in only
    leads_to_server = any(one.ip == routed for one in interface.addresses)
    return interface.is_up and (leads_to_server or why_ignored(interface.name) is None)


def _candidates_of(interface: LocalInterface) -> list[IPAddress]:
    """Its addresses that a peer may be told.

    Where a prefix has a temporary address, the others of that prefix stay private: they would let whoever
    is told follow this machine around (RFC 8445 section 5.1.1.1).
    """
    usable = [one for one in interface.addresses if one.is_usable and not one.ip.is_link_local]
    private = {_prefix_of(one) for one in usable if one.is_temporary}
    return [one.ip for one in usable if one.is_temporary or _prefix_of(one) not in private]


def _prefix_of(address: LocalAddress) -> str:
    """The /64 that an IPv6 address was made in; an IPv4 address is alone."""
    ip = address.ip
    return str(ip_network((ip, 64), strict=False)) if isinstance(ip, IPv6Address) else str(ip)
