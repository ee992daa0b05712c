"""What is to be measured, and from where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from natcore.nat import FilteringBehavior, NatBehavior
from netlab.profiles import Boundary, NatProfile
from netlab.topology import Interface, IPAddress, Nat, Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A host with all that stands between it and the core.

    Attributes:
        node: the router whose proof it is: the one in whose home network the host is, or the host itself.
        profile: what is claimed of all the routers together, with their names.
        host: the node to measure it from.
        routers: the routers between host and core, from the inside out; empty where none is known, and then
            their own countdowns are not read.
        address: the host's address to measure from, which also says the address family; None for the IPv4
            address that the host sends from.
    """

    node: str
    profile: NatProfile
    host: str
    routers: tuple[str, ...] = ()
    address: IPAddress | None = None

    @property
    def is_ipv6(self) -> bool:
        """Whether it is measured over IPv6."""
        return self.address is not None and self.address.version == 6

    @property
    def is_chain(self) -> bool:
        """Whether several routers stand in a row."""
        return len(self.routers) > 1 or self.profile.carrier is not None


def subjects_of(topology: Topology) -> tuple[Subject, ...]:
    """Everything that has to be proven in a lab: each router with a host of its own, for each family.

    A carrier's NAT that has only other routers behind it is measured with each of those.
    """
    return tuple(subject for nat in topology.nats for subject in _subjects_behind(topology, nat))


def open_subject(topology: Topology, host: str, profile: NatProfile) -> Subject:
    """A host on the core, of which is claimed that nothing stands before it."""
    node = next(node for node in topology.hosts if node.name == host)
    return Subject(node=host, profile=profile, host=host, address=node.interfaces[0].addresses[0])


def _subjects_behind(topology: Topology, nat: Nat) -> Iterable[Subject]:
    legs = [
        (host.name, leg)
        for host in topology.hosts_behind(nat)
        for leg in host.interfaces
        if leg.nat == nat.name
    ]
    chain = topology.chain(nat.name)
    routers = tuple(router.name for router in chain)
    for version, profile in ((4, together(chain)), (6, ipv6_firewall(nat.profile))):
        found = [(host, address) for host, leg in legs for address in _of_version(leg, version)]
        for host, address in found[:1]:
            yield Subject(node=nat.name, profile=profile, host=host, routers=routers, address=address)


def _of_version(leg: Interface, version: int) -> list[IPAddress]:
    return [address for address in leg.addresses if address.version == version]


def together(chain: Sequence[Nat]) -> NatProfile:
    """What the internet sees of routers in a row, from the inside out, as one profile."""
    profiles = [nat.profile for nat in chain]
    if len(profiles) == 1:
        return profiles[0]
    translates = any(profile.boundary is Boundary.NAT for profile in profiles)
    allowed = [set(profile.tcp_ports) for profile in profiles if profile.tcp_ports is not None]
    return replace(
        profiles[0],
        name=" behind ".join(profile.name for profile in profiles),
        behavior=reduce(NatBehavior.behind, (profile.behavior for profile in profiles)),
        carrier=None,
        boundary=Boundary.NAT if translates else Boundary.FIREWALL,
        tcp_ports=tuple(sorted(set.intersection(*allowed))) if allowed else None,
    )


def ipv6_firewall(profile: NatProfile) -> NatProfile:
    """What a router of this profile does to IPv6: it filters by endpoint, and never translates."""
    return replace(
        profile,
        name=f"{profile.name}, IPv6",
        behavior=NatBehavior(
            filtering=FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT,
            mapping_lifetime=profile.behavior.mapping_lifetime,
            udp_blocked=profile.behavior.udp_blocked,
        ),
        carrier=None,
        boundary=Boundary.FIREWALL,
    )
