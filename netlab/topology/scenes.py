"""Topologies that are asked for by name: the scene of every traversal, from two profiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from netlab.profiles import Boundary, NatProfile
from netlab.topology.values import Host, Interface, IPAddress, Nat, Topology

SERVER = "server"
PEERS = ("elsa", "anna")

SERVER_ADDRESSES = (IPv4Address("198.51.100.10"), IPv4Address("198.51.100.20"))
_SERVER_ADDRESSES_IPV6 = (IPv6Address("2001:db8:5::10"), IPv6Address("2001:db8:5::20"))

_CARRIER_NETWORK = IPv4Network("100.64.0.0/24")
_SUBSCRIBER_ADDRESS = IPv4Address("100.64.0.2")
_HOME_NETWORK = IPv4Network("192.168.1.0/24")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Site:
    """Where a peer is. Its public address is the same behind every profile.

    Attributes:
        peer: its name.
        public_address: of its outermost NAT, or its own where nothing translates.
        home_address: its own behind a NAT.
        routed_network: the public addresses behind a firewall, with the peer's among them.
        firewall_address: of the firewall, outside.
        prefix: its IPv6 home network.
    """

    peer: str
    public_address: IPv4Address
    home_address: IPv4Address
    routed_network: IPv4Network
    firewall_address: IPv4Address
    prefix: IPv6Network


_SITES = (
    _Site(
        peer=PEERS[0],
        public_address=IPv4Address("203.0.113.7"),
        home_address=IPv4Address("192.168.1.10"),
        routed_network=IPv4Network("203.0.113.0/28"),
        firewall_address=IPv4Address("192.0.2.7"),
        prefix=IPv6Network("2001:db8:e::/64"),
    ),
    _Site(
        peer=PEERS[1],
        public_address=IPv4Address("203.0.113.33"),
        home_address=IPv4Address("192.168.1.20"),
        routed_network=IPv4Network("203.0.113.32/28"),
        firewall_address=IPv4Address("192.0.2.33"),
        prefix=IPv6Network("2001:db8:a::/64"),
    ),
)


def two_nats(
    profile_a: NatProfile,
    profile_b: NatProfile,
    *,
    rtt: float = 0.0,
    loss: float = 0.0,
    dual_stack: bool = False,
) -> Topology:
    """The scene of every traversal: a public server, and elsa and anna each behind a NAT of her own.

    Both homes are 192.168.1.0/24, as most are: a private address learned from the other side means nothing
    here, or worse, another host. Elsa is .10 and anna .20, so that a check to the other's host candidate
    finds nobody; were they equal, each would reach itself and could mistake that for a path.

    Whatever the profiles, the internet sees elsa at 203.0.113.7 and anna at 203.0.113.33.

    Args:
        profile_a: elsa's; ``open`` puts her on the core, a profile with a carrier gives her two routers,
            ``nat-elsa`` behind ``carrier-elsa``.
        profile_b: anna's.
        rtt: seconds for a round trip between any two nodes on the core.
        loss: the probability of losing a packet on the core.
        dual_stack: gives everybody IPv6 as well, which her router filters as a stateful firewall.
    """
    addresses: tuple[IPAddress, ...] = SERVER_ADDRESSES
    if dual_stack:
        addresses = (*SERVER_ADDRESSES, *_SERVER_ADDRESSES_IPV6)
    hosts = [Host(name=SERVER, interfaces=(Interface(addresses=addresses),))]
    nats: list[Nat] = []
    for site, profile in zip(_SITES, (profile_a, profile_b), strict=True):
        routers = tuple(_routers(site, profile, site.prefix if dual_stack else None))
        nats += routers
        hosts.append(_peer(site, profile, routers[0].name if routers else None, dual_stack=dual_stack))
    return Topology(nats=tuple(nats), hosts=tuple(hosts), rtt=rtt, loss=loss)


def _routers(site: _Site, profile: NatProfile, prefix: IPv6Network | None) -> Iterator[Nat]:
    """The peer's routers, the innermost first."""
    name = f"nat-{site.peer}"
    match profile.boundary, profile.carrier:
        case Boundary.NONE, _:
            return
        case Boundary.FIREWALL, _:
            yield Nat(
                name=name,
                profile=profile,
                wan_address=site.firewall_address,
                lan_network=site.routed_network,
                lan_address=site.routed_network[-2],
                lan6_network=prefix,
            )
        case _, None:
            yield Nat(
                name=name,
                profile=profile,
                wan_address=site.public_address,
                lan_network=_HOME_NETWORK,
                lan6_network=prefix,
            )
        case _, carrier:
            outer = f"carrier-{site.peer}"
            yield Nat(
                name=name,
                profile=replace(profile, name=f"{profile.name}/home", carrier=None),
                wan_address=_SUBSCRIBER_ADDRESS,
                lan_network=_HOME_NETWORK,
                behind=outer,
            )
            yield Nat(
                name=outer,
                profile=replace(profile, name=f"{profile.name}/carrier", behavior=carrier, carrier=None),
                wan_address=site.public_address,
                lan_network=_CARRIER_NETWORK,
            )


def _peer(site: _Site, profile: NatProfile, router: str | None, *, dual_stack: bool) -> Host:
    addresses: list[IPAddress] = [
        site.home_address if profile.boundary is Boundary.NAT else site.public_address
    ]
    if dual_stack and profile.carrier is None:
        addresses.append(site.prefix[0x10])
    return Host(name=site.peer, interfaces=(Interface(nat=router, addresses=tuple(addresses)),))
