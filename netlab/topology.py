"""What a lab shall look like, as plain values: public hosts, NATs, hosts behind them, and the distance.

A topology is checked when it is made, so whatever builds a lab from one can trust it. It names no interface
and no namespace: that is the wiring's business.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from netlab.errors import BadTopology
from netlab.profiles import OPEN, NatProfile

CORE = "inet"
"""The node that is the internet: a router that every public address hangs off."""

INSTRUMENT_ADDRESSES = (IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2"))
"""The core's own two addresses, from which the lab measures its NATs (RFC 5780 needs two)."""

SERVER = "server"
PEERS = ("elsa", "anna")

_NODE_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")

_SERVER_ADDRESSES = (IPv4Address("198.51.100.10"), IPv4Address("198.51.100.20"))
_PUBLIC_ADDRESSES = (IPv4Address("203.0.113.7"), IPv4Address("203.0.113.33"))
_HOME_NETWORK = IPv4Network("192.168.1.0/24")
_HOME_ADDRESSES = (IPv4Address("192.168.1.10"), IPv4Address("192.168.1.20"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicHost:
    """A host with public addresses and no NAT; its first address is the one that it sends from."""

    name: str
    addresses: tuple[IPv4Address, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nat:
    """A router between the core and a home network, whose first host address it takes as the gateway."""

    name: str
    profile: NatProfile
    wan_address: IPv4Address
    lan_network: IPv4Network

    @property
    def lan_address(self) -> IPv4Address:
        """The gateway of the home network."""
        return self.lan_network[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host in the home network of the NAT that it names."""

    name: str
    nat: str
    address: IPv4Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """A whole lab.

    Attributes:
        public_hosts: hosts on the core.
        nats: routers on the core; home networks of different NATs may overlap, as they do in the world.
        hosts: hosts behind NATs, at least one behind each.
        rtt: seconds that a round trip over the core takes, whatever the two ends.
        loss: the probability that the core loses a packet, 0 or more and less than 1.

    Raises:
        BadTopology: two parts contradict each other.
    """

    public_hosts: tuple[PublicHost, ...] = ()
    nats: tuple[Nat, ...] = ()
    hosts: tuple[Host, ...] = ()
    rtt: float = 0.0
    loss: float = 0.0

    def __post_init__(self) -> None:
        self._check_names()
        self._check_public_addresses()
        self._check_homes()
        if not 0 <= self.rtt <= 60:
            raise BadTopology(f"round-trip time: got {self.rtt:g} s, expected 0 to 60 s")
        if not 0 <= self.loss < 1:
            raise BadTopology(f"loss: got {self.loss:g}, expected 0 or more and less than 1")

    @property
    def node_names(self) -> tuple[str, ...]:
        """Every node but the core, in the order of the description."""
        nodes: tuple[PublicHost | Nat | Host, ...] = (*self.public_hosts, *self.nats, *self.hosts)
        return tuple(node.name for node in nodes)

    def hosts_behind(self, nat: Nat) -> tuple[Host, ...]:
        """The hosts in a NAT's home network."""
        return tuple(host for host in self.hosts if host.nat == nat.name)

    def _check_names(self) -> None:
        for name in self.node_names:
            if not _NODE_NAME.fullmatch(name) or name == CORE:
                expected = f"a letter, then letters, digits and hyphens, at most 32 and not {CORE!r}"
                raise BadTopology(f"node name: got {name!r}, expected {expected}")
        if twice := _repeated(self.node_names):
            raise BadTopology(f"node name {twice!r} is used twice")

    def _check_public_addresses(self) -> None:
        for host in self.public_hosts:
            if not host.addresses:
                raise BadTopology(f"public host {host.name!r} has no address")
        addresses = [address for host in self.public_hosts for address in host.addresses]
        addresses += [nat.wan_address for nat in self.nats]
        if twice := _repeated([*addresses, *INSTRUMENT_ADDRESSES]):
            raise BadTopology(f"public address {twice} is used twice")
        for nat in self.nats:
            if inside := [address for address in addresses if address in nat.lan_network]:
                raise BadTopology(f"public address {inside[0]} lies inside the home network of {nat.name!r}")

    def _check_homes(self) -> None:
        nats = {nat.name: nat for nat in self.nats}
        for host in self.hosts:
            if host.nat not in nats:
                raise BadTopology(f"host {host.name!r} is behind {host.nat!r}, which is no NAT of this lab")
        for nat in self.nats:
            if nat.profile.name == OPEN:
                raise BadTopology(f"{nat.name!r} cannot be {OPEN!r}: make its host a public one")
            self._check_home(nat, [host.address for host in self.hosts_behind(nat)])

    def _check_home(self, nat: Nat, addresses: list[IPv4Address]) -> None:
        if nat.lan_network.prefixlen > 30:
            raise BadTopology(f"home network of {nat.name!r}: got {nat.lan_network}, expected /30 or wider")
        if not addresses:
            raise BadTopology(f"nothing stands behind {nat.name!r}, so nothing can prove it")
        outside = [address for address in addresses if address not in nat.lan_network]
        if outside:
            home = f"{nat.lan_network}, the home network of {nat.name!r}"
            raise BadTopology(f"{outside[0]} lies outside {home}")
        if twice := _repeated([nat.lan_address, *addresses]):
            raise BadTopology(f"home address {twice} behind {nat.name!r} is used twice")


def two_nats(
    profile_a: NatProfile, profile_b: NatProfile, *, rtt: float = 0.0, loss: float = 0.0
) -> Topology:
    """The scene of every traversal: a public server, and elsa and anna each behind a NAT of her own.

    Both homes are 192.168.1.0/24, as most are: a private address learned from the other side means nothing
    here, or worse, another host. Elsa is .10 and anna .20, so that a check to the other's host candidate
    finds nobody; were they equal, each would reach itself and could mistake that for a path.

    Args:
        profile_a: elsa's NAT; the profile ``open`` gives elsa the public address itself.
        profile_b: anna's.
        rtt: seconds for a round trip between any two nodes on the core.
        loss: the probability of losing a packet on the core.
    """
    public = [PublicHost(name=SERVER, addresses=_SERVER_ADDRESSES)]
    nats: list[Nat] = []
    hosts: list[Host] = []
    for index, profile in enumerate((profile_a, profile_b)):
        peer, address = PEERS[index], _PUBLIC_ADDRESSES[index]
        if profile.name == OPEN:
            public.append(PublicHost(name=peer, addresses=(address,)))
            continue
        router = f"nat-{peer}"
        nats.append(Nat(name=router, profile=profile, wan_address=address, lan_network=_HOME_NETWORK))
        hosts.append(Host(name=peer, nat=router, address=_HOME_ADDRESSES[index]))
    return Topology(public_hosts=tuple(public), nats=tuple(nats), hosts=tuple(hosts), rtt=rtt, loss=loss)


def _repeated(values: Iterable[str | IPv4Address]) -> str | IPv4Address | None:
    return next((value for value, count in Counter(values).items() if count > 1), None)
