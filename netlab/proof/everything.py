"""Every profile proven at once: one lab with the router, or the two routers, of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from netlab.backend import Backend
from netlab.lab import Lab
from netlab.profiles import Boundary, NatProfile
from netlab.proof.compare import Proof
from netlab.proof.subject import Subject, open_subject, subjects_of
from netlab.topology import Host, Interface, Nat, Topology

_FIRST_ADDRESS = IPv4Address("203.0.113.1")
_FIRST_ROUTED_NETWORK = IPv4Network("198.51.100.0/29")
_CARRIER_NETWORK = IPv4Network("100.64.0.0/24")
_HOME_NETWORK = IPv4Network("192.168.1.0/24")
_HOME_ADDRESS = IPv4Address("192.168.1.10")

CARRIER_SUFFIX = "-carrier"


def one_of_each(profiles: Sequence[NatProfile]) -> Topology:
    """A topology with the routers of each profile and a host behind them.

    The home router, or the public host of a profile without routers, has the name of the profile.
    """
    sites = [_site(profile, number) for number, profile in enumerate(profiles)]
    return Topology(
        nats=tuple(nat for nats, _ in sites for nat in nats), hosts=tuple(host for _, host in sites)
    )


def prove_profiles(
    profiles: Sequence[NatProfile], backend: Backend, *, patience: float = 5.0, opinions: bool = True
) -> tuple[Proof, ...]:
    """Builds a lab with every profile and measures them all; nothing is raised for a difference.

    Args:
        profiles: in the order of the proofs.
        backend: what the nodes are.
        patience: seconds for which a mapping's lifetime is waited for; longer ones are read from the kernel.
        opinions: whether foreign tools are asked as well.

    Raises:
        LabError: the lab could not be built or measured.
    """
    with Lab(one_of_each(profiles), backend=backend, prove=False) as lab:
        behind = {subject.node: subject for subject in subjects_of(lab.topology)}
        subjects = [
            _named(behind[profile.name], profile)
            if profile.name in behind
            else open_subject(lab.topology, profile.name, profile)
            for profile in profiles
        ]
        return lab.measure(subjects, patience=patience, opinions=opinions)


def _named(subject: Subject, profile: NatProfile) -> Subject:
    """The subject with the claim of the whole profile, and not of the routers that were made from it."""
    return replace(subject, profile=profile)


def _site(profile: NatProfile, number: int) -> tuple[tuple[Nat, ...], Host]:
    public = _FIRST_ADDRESS + number
    routers = tuple(_routers(profile, public, number))
    address = {
        Boundary.NONE: public,
        Boundary.FIREWALL: _routed_network(number)[2],
        Boundary.NAT: _HOME_ADDRESS,
    }[profile.boundary]
    host = profile.name if not routers else f"{profile.name}-host"
    leg = Interface(nat=profile.name if routers else None, addresses=(address,))
    return routers, Host(name=host, interfaces=(leg,))


def _routers(profile: NatProfile, public: IPv4Address, number: int) -> Iterator[Nat]:
    if profile.boundary is Boundary.NONE:
        return
    if profile.boundary is Boundary.FIREWALL:
        network = _routed_network(number)
        yield Nat(name=profile.name, profile=profile, wan_address=public, lan_network=network)
        return
    home = Nat(name=profile.name, profile=profile, wan_address=public, lan_network=_HOME_NETWORK)
    if profile.carrier is None:
        yield home
        return
    outer = f"{profile.name}{CARRIER_SUFFIX}"
    carrier = replace(profile, name=outer, behavior=profile.carrier, carrier=None)
    inner = replace(profile, carrier=None)
    yield replace(home, profile=inner, wan_address=_CARRIER_NETWORK[2], behind=outer)
    yield Nat(name=outer, profile=carrier, wan_address=public, lan_network=_CARRIER_NETWORK)


def _routed_network(number: int) -> IPv4Network:
    """Eight public addresses for the home of a firewall."""
    first = _FIRST_ROUTED_NETWORK.network_address + 8 * (number % 32)
    return IPv4Network((first, _FIRST_ROUTED_NETWORK.prefixlen))
