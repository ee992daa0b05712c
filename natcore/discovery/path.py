"""From the routers that answered on the way to what stands between us and the internet. Pure.

What a router's address proves is little: many providers number their own routers from private ranges
without translating anything. The addresses of RFC 6598 are made for what is behind a carrier's NAT, and
192.168.0.0/16 is what home routers give out; those are told, anything else is left open. The surest witness
is the home router's own word for its outside address, where it speaks a port mapping protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from ipaddress import IPv4Address, IPv4Network

from natcore.address import IPAddress
from natcore.discovery.finding import Finding, Known, Unknown

SHARED_ADDRESS_SPACE = IPv4Network("100.64.0.0/10")
"""Between a carrier and its subscribers (RFC 6598)."""

_PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
"""RFC 1918. Not ``is_private`` of ipaddress, which takes the documentation ranges for private, too."""

_HOME = _PRIVATE[2]


class WanSide(Enum):
    """What kind of address our nearest NAT has on its outside."""

    PUBLIC = "public"
    """So it is the only one, or there is none at all."""
    PRIVATE = "private"
    """There is another NAT behind it, in the same house or company."""
    CARRIER = "carrier-grade"
    """There is a carrier's NAT behind it (RFC 6598)."""


def kind_of(ip: IPAddress) -> WanSide:
    """What an address on the outside of a NAT means."""
    if not isinstance(ip, IPv4Address):
        return WanSide.PUBLIC
    if ip in SHARED_ADDRESS_SPACE:
        return WanSide.CARRIER
    return WanSide.PRIVATE if any(ip in network for network in _PRIVATE) else WanSide.PUBLIC


def wan_side(
    *,
    is_translated: bool,
    reflexive: IPAddress,
    hops: Mapping[int, IPAddress],
    gateway_says: IPAddress | None = None,
) -> Finding[WanSide]:
    """What stands behind our nearest NAT.

    Args:
        is_translated: whether the internet sees us by another address than our own.
        reflexive: the address by which it sees us.
        hops: who answered from which distance, 1 for the nearest router.
        gateway_says: what the nearest router calls its outside address, if it was asked and answered.
    """
    if not is_translated:
        return Known(WanSide.PUBLIC, f"this host's own address, {reflexive}, is what the internet sees")
    if gateway_says is not None and gateway_says == reflexive:
        return Known(WanSide.PUBLIC, f"the gateway has {gateway_says} outside, which the internet sees too")
    if gateway_says is not None and kind_of(gateway_says) is not WanSide.PUBLIC:
        return Known(kind_of(gateway_says), f"the gateway has {gateway_says} outside")
    return _from_hops(hops)


def nat_distance(hops: Mapping[int, IPAddress]) -> int | None:
    """How many routers away our outermost NAT is, 1 for the nearest; None where the nearest said nothing.

    A NAT answers from its inside, so from an address that is not public. A provider that numbers its own
    routers so makes it seem farther away than it is, and yet on our own side of the internet.

    Args:
        hops: who answered from which distance, on the way out of a translated network.
    """
    distance = 0
    while (router := hops.get(distance + 1)) is not None and kind_of(router) is not WanSide.PUBLIC:
        distance += 1
    return distance or None


def _from_hops(hops: Mapping[int, IPAddress]) -> Finding[WanSide]:
    if 2 not in hops:
        return Unknown("no router behind the first one says who it is")
    second = hops[2]
    if second.is_link_local:  # a router without an address of its own on that side
        return Known(WanSide.PUBLIC, f"the second router on the way, {second}, is on no private network")
    kind = kind_of(second)
    if kind is WanSide.PRIVATE and second not in _HOME:
        return Unknown(f"the second router on the way is {second}, which providers use without a NAT as well")
    return Known(kind, f"the second router on the way is {second}")
