"""What stands at one end of a path: the routers of a profile and a host behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Network

from netlab.profiles import Boundary, NatProfile
from netlab.topology.values import Host, Interface, IPAddress, Nat

HOME_NETWORK = IPv4Network("192.168.1.0/24")
"""As most homes have it."""

_CARRIER_NETWORK = IPv4Network("100.64.0.0/24")
"""Of the addresses that RFC 6598 sets aside for what is between a carrier and its subscribers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Names and addresses, of which each profile uses those that it needs.

    Attributes:
        host: the name of the host.
        router: the name of the router at home.
        carrier: the name of the carrier's router.
        public_address: of the outermost NAT, or the host's own where nothing translates.
        home_address: the host's own behind a NAT.
        routed_network: the public addresses behind a firewall, with the public address among them.
        firewall_address: of the firewall, outside.
        prefix: the IPv6 home network; None for none.
    """

    host: str
    router: str
    carrier: str
    public_address: IPv4Address
    home_address: IPv4Address
    routed_network: IPv4Network
    firewall_address: IPv4Address
    prefix: IPv6Network | None = None


def occupy(site: Site, profile: NatProfile) -> tuple[tuple[Nat, ...], Host]:
    """The routers of a profile at a site, the innermost first, and the host behind them.

    A profile without a boundary has no router and its host is public; one with a carrier has two in a row.
    """
    routers = tuple(_routers(site, profile))
    is_translated = profile.boundary is Boundary.NAT
    addresses: list[IPAddress] = [site.home_address if is_translated else site.public_address]
    if site.prefix is not None and profile.carrier is None:  # the lab has IPv6 behind one router at most
        addresses.append(site.prefix[0x10])
    leg = Interface(nat=routers[0].name if routers else None, addresses=tuple(addresses))
    return routers, Host(name=site.host, interfaces=(leg,))


def _routers(site: Site, profile: NatProfile) -> Iterator[Nat]:
    home = Nat(
        name=site.router,
        profile=profile,
        wan_address=site.public_address,
        lan_network=HOME_NETWORK,
        lan6_network=site.prefix,
    )
    match profile.boundary, profile.carrier:
        case Boundary.NONE, _:
            return
        case Boundary.FIREWALL, _:
            yield replace(
                home,
                wan_address=site.firewall_address,
                lan_network=site.routed_network,
                lan_address=site.routed_network[-2],
            )
        case _, None:
            yield home
        case _, carrier:
            yield replace(
                home,
                profile=replace(profile, name=f"{profile.name}/home", carrier=None),
                wan_address=_CARRIER_NETWORK[2],
                lan6_network=None,
                behind=site.carrier,
            )
            yield Nat(
                name=site.carrier,
                profile=replace(profile, name=f"{profile.name}/carrier", behavior=carrier, carrier=None),
                wan_address=site.public_address,
                lan_network=_CARRIER_NETWORK,
            )
