"""Topologies that are asked for by name: the scene of every traversal, from two profiles."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from netlab.profiles import NatProfile
from netlab.topology.sites import Site, occupy
from netlab.topology.values import Host, Interface, IPAddress, Nat, Topology

SERVER = "server"
PEERS = ("elsa", "anna")

SERVER_ADDRESSES = (IPv4Address("198.51.100.10"), IPv4Address("198.51.100.20"))
_SERVER_ADDRESSES_IPV6 = (IPv6Address("2001:db8:5::10"), IPv6Address("2001:db8:5::20"))

_SITES = (
    Site(
        host=PEERS[0],
        router=f"nat-{PEERS[0]}",
        carrier=f"carrier-{PEERS[0]}",
        public_address=IPv4Address("203.0.113.7"),
        home_address=IPv4Address("192.168.1.10"),
        routed_network=IPv4Network("203.0.113.0/28"),
        firewall_address=IPv4Address("192.0.2.7"),
        prefix=IPv6Network("2001:db8:e::/64"),
    ),
    Site(
        host=PEERS[1],
        router=f"nat-{PEERS[1]}",
        carrier=f"carrier-{PEERS[1]}",
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
        routers, host = occupy(site if dual_stack else replace(site, prefix=None), profile)
        nats += routers
        hosts.append(host)
    return Topology(nats=tuple(nats), hosts=tuple(hosts), rtt=rtt, loss=loss)
