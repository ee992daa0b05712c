"""Every profile proven at once: one lab with the router, or the two routers, of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from netlab.backend import Backend
from netlab.lab import Lab
from netlab.profiles import Boundary, NatProfile
from netlab.proof.compare import Proof
from netlab.proof.subject import Subject, open_subject, subjects_of
from netlab.topology import Topology
from netlab.topology.sites import Site, occupy

_FIRST_ADDRESS = IPv4Address("203.0.113.1")
_FIRST_ROUTED_NETWORK = IPv4Network("198.51.100.0/29")
_HOME_ADDRESS = IPv4Address("192.168.1.10")


def one_of_each(profiles: Sequence[NatProfile]) -> Topology:
    """A topology with the routers of each profile and a host behind them.

    The home router, or the public host of a profile without routers, has the name of the profile.
    """
    sites = [occupy(_site(profile, number), profile) for number, profile in enumerate(profiles)]
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


def _site(profile: NatProfile, number: int) -> Site:
    outer, routed = _FIRST_ADDRESS + number, _routed_network(number)
    return Site(
        host=profile.name if profile.boundary is Boundary.NONE else f"{profile.name}-host",
        router=profile.name,
        carrier=f"{profile.name}-carrier",
        public_address=routed[2] if profile.boundary is Boundary.FIREWALL else outer,
        home_address=_HOME_ADDRESS,
        routed_network=routed,
        firewall_address=outer,
    )


def _routed_network(number: int) -> IPv4Network:
    """Eight public addresses for the home of a firewall."""
    first = _FIRST_ROUTED_NETWORK.network_address + 8 * (number % 32)
    return IPv4Network((first, _FIRST_ROUTED_NETWORK.prefixlen))
