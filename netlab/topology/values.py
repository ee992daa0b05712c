"""What a lab shall look like, as plain values: routers, the hosts behind them, and the links between.

A topology is checked when it is made, so whatever builds a lab from one can trust it. It names no interface
of a router and no namespace: that is the wiring's business.

Nodes form trees. The root of each is the core, which is the internet; a router hangs off the core or off
another router's home network, and a host has one interface or more, each in a home network or on the core.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from itertools import combinations
from typing import TypeVar

from natcore.nat import NatBehavior
from netlab.errors import BadTopology
from netlab.profiles import Boundary, NatProfile
from netlab.topology.link import PERFECT, Link

IPAddress = IPv4Address | IPv6Address
NetworkT = TypeVar("NetworkT", IPv4Network, IPv6Network)

CORE = "inet"
"""The node that is the internet: a router that every public address hangs off."""

INSTRUMENT_ADDRESSES = (IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2"))
"""The core's own two addresses, from which the lab measures its NATs (RFC 5780 needs two)."""

INSTRUMENT_ADDRESSES_IPV6 = (IPv6Address("2001:db8:ffff::1"), IPv6Address("2001:db8:ffff::2"))
"""The same for IPv6, in labs that have it."""

SINK_ADDRESS = IPv4Address("192.0.2.3")
"""Where background traffic goes: the core swallows it. Were it answered with ICMP errors, these would use up
the few that a kernel sends to one host a second, and traceroute would see no core any more."""

_CORE_ADDRESSES = (*INSTRUMENT_ADDRESSES, SINK_ADDRESS, *INSTRUMENT_ADDRESSES_IPV6)

MAX_NODES = 250
"""Nodes of one lab; a bound against a slip in a loop, far above what one machine is asked for."""

MAX_INTERFACES = 8
"""Interfaces of one host."""

MAX_ADDRESSES = 64
"""Addresses of one interface."""

_SPECIAL = tuple(
    map(
        ip_network,
        ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/8", "fe80::/10", "ff00::/8"),
    )
)
"""Where no host has an address: this network, loopback, a single link, multicast, and what is reserved."""

_NODE_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One leg of a host.

    Attributes:
        nat: the router in whose home network it is; None where it is on the core itself.
        addresses: of either family; the first of each is the one that the host sends from.
        link: to the home network or to the core.
    """

    nat: str | None = None
    addresses: tuple[IPAddress, ...]
    link: Link = PERFECT


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host; its interfaces are ``eth0``, ``eth1`` and so on, and the first has the default route."""

    name: str
    interfaces: tuple[Interface, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.interfaces) <= MAX_INTERFACES:
            got = len(self.interfaces)
            raise BadTopology(f"interfaces of {self.name!r}: got {got}, expected 1 to {MAX_INTERFACES}")

    @property
    def addresses(self) -> tuple[IPAddress, ...]:
        """All its addresses."""
        return tuple(address for interface in self.interfaces for address in interface.addresses)

    @property
    def is_public(self) -> bool:
        """Whether its first interface is on the core."""
        return self.interfaces[0].nat is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Nat:
    """A router between the core, or another router's home network, and a home network of its own.

    Attributes:
        name: of its node.
        profile: what it does; a profile with a carrier's NAT describes two routers and is not for one.
        wan_address: its address on the side of the internet.
        lan_network: the home network; of public addresses where the profile's router only filters.
        lan_address: its address in there, the first one by default.
        behind: the router whose home network it is in; None where it is on the core.
        lan6_network: the home network's IPv6 addresses, which are public; they are filtered, not translated.
        link: to the core or to the outer router.
    """

    name: str
    profile: NatProfile
    wan_address: IPv4Address
    lan_network: IPv4Network
    lan_address: IPv4Address | None = None
    behind: str | None = None
    lan6_network: IPv6Network | None = None
    link: Link = PERFECT

    @property
    def gateway(self) -> IPv4Address:
        """Its address in the home network."""
        return self.lan_address or self.lan_network[1]

    @property
    def gateway6(self) -> IPv6Address | None:
        """Its IPv6 address in the home network, the first one."""
        return None if self.lan6_network is None else self.lan6_network[1]

    @property
    def translates(self) -> bool:
        """Whether it is a NAT and not only a firewall."""
        return self.profile.boundary is Boundary.NAT


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """A whole lab.

    Attributes:
        nats: the routers; home networks of different routers may overlap, as they do in the world.
        hosts: at least one behind each router, or behind one that is behind it.
        rtt: seconds that a round trip over the core takes, whatever the two ends.
        loss: the probability that the core loses a packet, 0 or more and less than 1.

    Raises:
        BadTopology: two parts contradict each other.
    """

    nats: tuple[Nat, ...] = ()
    hosts: tuple[Host, ...] = ()
    rtt: float = 0.0
    loss: float = 0.0

    def __post_init__(self) -> None:
        _check_names(self)
        _check_profiles(self)
        _check_addresses(self)
        _check_routers(self)
        _check_hosts(self)
        _check_public_addresses(self)
        if not 0 <= self.rtt <= 60:
            raise BadTopology(f"round-trip time: got {self.rtt:g} s, expected 0 to 60 s")
        if not 0 <= self.loss < 1:
            raise BadTopology(f"loss: got {self.loss:g}, expected 0 or more and less than 1")
        if not self.hosts:
            raise BadTopology("there is no host, expected one at least")

    @property
    def node_names(self) -> tuple[str, ...]:
        """Every node but the core: public hosts, then routers, then the other hosts."""
        public = [host.name for host in self.hosts if host.is_public]
        others = [host.name for host in self.hosts if not host.is_public]
        return (*public, *(nat.name for nat in self.nats), *others)

    @property
    def public_hosts(self) -> tuple[Host, ...]:
        """The hosts whose first interface is on the core."""
        return tuple(host for host in self.hosts if host.is_public)

    @property
    def has_ipv6(self) -> bool:
        """Whether any node has an IPv6 address."""
        addresses = (address for host in self.hosts for address in host.addresses)
        return any(address.version == 6 for address in addresses)

    def nat(self, name: str) -> Nat:
        """The router of that name; there must be one."""
        return next(nat for nat in self.nats if nat.name == name)

    def hosts_behind(self, nat: Nat) -> tuple[Host, ...]:
        """The hosts with an interface in a router's own home network."""
        return tuple(host for host in self.hosts if any(leg.nat == nat.name for leg in host.interfaces))

    def routers_behind(self, nat: Nat) -> tuple[Nat, ...]:
        """The routers in a router's own home network."""
        return tuple(inner for inner in self.nats if inner.behind == nat.name)

    def home_addresses(self, nat: Nat) -> tuple[IPv4Address, ...]:
        """The IPv4 addresses in use in a home network, without the router's own."""
        hosts = [
            address
            for host in self.hosts
            for leg in host.interfaces
            if leg.nat == nat.name
            for address in leg.addresses
            if isinstance(address, IPv4Address)
        ]
        return (*hosts, *(inner.wan_address for inner in self.routers_behind(nat)))

    def chain(self, nat: str | None) -> tuple[Nat, ...]:
        """A router and those between it and the core, from the inside out; empty for None."""
        routers: list[Nat] = []
        while nat is not None:
            routers.append(self.nat(nat))
            nat = routers[-1].behind
        return tuple(routers)

    def behavior_of(self, interface: Interface) -> NatBehavior:
        """What the internet sees of an interface: all the routers on its way together."""
        behaviors = [router.profile.behavior for router in self.chain(interface.nat)]
        return reduce(NatBehavior.behind, behaviors) if behaviors else NatBehavior()

    def public_address_of(self, host: Host) -> IPv4Address | None:
        """The IPv4 address at which the internet sees a host's first interface, if it has one."""
        leg = host.interfaces[0]
        translating = [router for router in self.chain(leg.nat) if router.translates]
        if translating:
            return translating[-1].wan_address
        return next((address for address in leg.addresses if isinstance(address, IPv4Address)), None)


def _check_names(topology: Topology) -> None:
    names = topology.node_names
    for name in names:
        if not _NODE_NAME.fullmatch(name) or name == CORE:
            expected = f"a letter, then letters, digits and hyphens, at most 32 and not {CORE!r}"
            raise BadTopology(f"node name: got {name!r}, expected {expected}")
    if twice := _repeated(names):
        raise BadTopology(f"node name {twice!r} is used twice")
    if len(names) > MAX_NODES:
        raise BadTopology(f"nodes: got {len(names)}, expected at most {MAX_NODES}")


def _check_profiles(topology: Topology) -> None:
    by_name = {nat.profile.name: nat.profile for nat in topology.nats}
    for nat in topology.nats:
        if by_name[nat.profile.name] != nat.profile:
            raise BadTopology(f"two different profiles are named {nat.profile.name!r}")


def _check_addresses(topology: Topology) -> None:
    """Every address is one that a host can have; texts for ``ip`` are made of them, and of nothing else."""
    for host in topology.hosts:
        for leg in host.interfaces:
            if not 1 <= len(leg.addresses) <= MAX_ADDRESSES:
                got = len(leg.addresses)
                raise BadTopology(
                    f"addresses of an interface of {host.name!r}: got {got}, expected 1 to {MAX_ADDRESSES}"
                )
            for address in leg.addresses:
                _check_ordinary(address, f"address of {host.name!r}")
    for nat in topology.nats:
        _check_ordinary(nat.wan_address, f"address of {nat.name!r}")
        _check_ordinary(nat.lan_network, f"home network of {nat.name!r}")
        if nat.lan6_network is not None:
            _check_ordinary(nat.lan6_network, f"IPv6 home network of {nat.name!r}")


def _check_ordinary(value: IPAddress | IPv4Network | IPv6Network, what: str) -> None:
    ends = (value[0], value[-1]) if isinstance(value, IPv4Network | IPv6Network) else (value, value)
    if isinstance(ends[0], IPv6Address) and ends[0].scope_id is not None:
        raise BadTopology(f"{what}: got {str(value)!r}, expected no zone behind it")
    first, last = map(int, ends)
    for special in _SPECIAL:
        if special.version == value.version and first <= int(special[-1]) and last >= int(special[0]):
            raise BadTopology(f"{what}: got {value}, expected one outside {special}, where no host can be")


def _check_routers(topology: Topology) -> None:
    by_name = {nat.name: nat for nat in topology.nats}
    for nat in topology.nats:
        _check_profile(nat)
        if nat.lan_network.prefixlen > 30:
            raise BadTopology(f"home network of {nat.name!r}: got {nat.lan_network}, expected /30 or wider")
        if nat.lan6_network is not None and nat.lan6_network.prefixlen > 126:
            got = nat.lan6_network
            raise BadTopology(f"IPv6 home network of {nat.name!r}: got {got}, expected /126 or wider")
        if nat.behind is not None and nat.behind not in by_name:
            raise BadTopology(f"{nat.name!r} is behind {nat.behind!r}, which is no NAT of this lab")
        if nat.behind is not None and nat.lan6_network is not None:
            raise BadTopology(
                f"{nat.name!r} is behind {nat.behind!r}: expected no IPv6 network behind two routers"
            )
    for nat in topology.nats:
        _check_nesting(nat, by_name)


def _check_profile(nat: Nat) -> None:
    if nat.profile.boundary is Boundary.NONE:
        raise BadTopology(f"{nat.name!r} cannot be {nat.profile.name!r}: put its host on the core")
    if nat.profile.carrier is not None:
        advice = "which is two routers: make it two NATs, one behind the other"
        raise BadTopology(f"{nat.name!r} cannot be {nat.profile.name!r}, {advice}")


def _check_nesting(nat: Nat, by_name: dict[str, Nat]) -> None:
    seen = {nat.name}
    inner = nat
    while inner.behind is not None:
        outer = by_name[inner.behind]
        if outer.name in seen:
            raise BadTopology(f"{nat.name!r} is behind itself")
        seen.add(outer.name)
        if inner.wan_address not in outer.lan_network:
            home = f"{outer.lan_network}, the home network of {outer.name!r}"
            raise BadTopology(f"{inner.wan_address}, the address of {inner.name!r}, lies outside {home}")
        if nat.lan_network.overlaps(outer.lan_network):
            inside = f"the home network of {nat.name!r}, {nat.lan_network}"
            raise BadTopology(f"{inside}, overlaps that of {outer.name!r}, {outer.lan_network}")
        inner = outer


def _check_hosts(topology: Topology) -> None:
    nats = {nat.name: nat for nat in topology.nats}
    for host in topology.hosts:
        for leg in host.interfaces:
            if leg.nat is not None and leg.nat not in nats:
                raise BadTopology(f"host {host.name!r} is behind {leg.nat!r}, which is no NAT of this lab")
        homes = [nats[leg.nat] for leg in host.interfaces if leg.nat is not None]
        for one, other in combinations(homes, 2):
            if one.lan_network.overlaps(other.lan_network):
                both = f"{one.lan_network} and {other.lan_network}"
                raise BadTopology(f"host {host.name!r} is in two home networks that overlap: {both}")
    for nat in topology.nats:
        _check_home(topology, nat)


def _check_home(topology: Topology, nat: Nat) -> None:
    addresses = topology.home_addresses(nat)
    if not addresses:
        raise BadTopology(f"nothing stands behind {nat.name!r}, so nothing can prove it")
    for address in (nat.gateway, *addresses):
        if address not in nat.lan_network:
            raise BadTopology(f"{address} lies outside {nat.lan_network}, the home network of {nat.name!r}")
        if address in (nat.lan_network[0], nat.lan_network[-1]):
            raise BadTopology(
                f"{address} is not a host's but all of {nat.lan_network}, the home of {nat.name!r}"
            )
    if twice := _repeated([nat.gateway, *addresses]):
        raise BadTopology(f"home address {twice} behind {nat.name!r} is used twice")
    legs = [leg for host in topology.hosts_behind(nat) for leg in host.interfaces if leg.nat == nat.name]
    addresses6 = [address for leg in legs for address in leg.addresses if isinstance(address, IPv6Address)]
    for address6 in addresses6:
        if nat.lan6_network is None or address6 not in nat.lan6_network:
            home = (
                f"{nat.lan6_network}, the IPv6 home network" if nat.lan6_network else "an IPv6 home network"
            )
            raise BadTopology(f"{address6} lies outside {home} of {nat.name!r}")
    if twice := _repeated([nat.gateway6, *addresses6]):
        raise BadTopology(f"home address {twice} behind {nat.name!r} is used twice")


def _check_public_addresses(topology: Topology) -> None:
    addresses = list(_public_addresses(topology))
    if twice := _repeated([*addresses, *_CORE_ADDRESSES]):
        raise BadTopology(f"public address {twice} is used twice")
    _check_routed([(nat.name, nat.lan_network) for nat in topology.nats if not nat.translates])
    _check_routed([(nat.name, nat.lan6_network) for nat in topology.nats if nat.lan6_network is not None])
    homes = [(nat.name, network) for nat in topology.nats for network in (nat.lan_network, nat.lan6_network)]
    for address in (*addresses, *_CORE_ADDRESSES):
        for name, home in homes:
            if home is not None and address in home:
                raise BadTopology(f"public address {address} lies inside the home network of {name!r}")


def _check_routed(routed: Sequence[tuple[str, NetworkT]]) -> None:
    """Networks of public addresses behind routers, one family at a time."""
    for (one, network), (other, second) in combinations(routed, 2):
        if network.overlaps(second):
            raise BadTopology(f"the public networks of {one!r} and {other!r} overlap: {network} and {second}")


def _public_addresses(topology: Topology) -> Iterator[IPAddress]:
    """What hangs off the core directly."""
    for host in topology.hosts:
        for leg in host.interfaces:
            if leg.nat is None:
                yield from leg.addresses
    yield from (nat.wan_address for nat in topology.nats if nat.behind is None)


def _repeated(values: Iterable[str | IPAddress | None]) -> str | IPAddress | None:
    return next((value for value, count in Counter(values).items() if value is not None and count > 1), None)
