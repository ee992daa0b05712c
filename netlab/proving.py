"""Every profile proven at once: one lab with one NAT of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network

from netlab.backend import Backend
from netlab.lab import Lab
from netlab.profiles import OPEN, NatProfile
from netlab.proof import Proof, Subject
from netlab.topology import Host, Interface, Nat, Topology

_FIRST_ADDRESS = IPv4Address("203.0.113.1")
_HOME_NETWORK = IPv4Network("192.168.1.0/24")
_HOME_ADDRESS = IPv4Address("192.168.1.10")


def one_of_each(profiles: Sequence[NatProfile]) -> Topology:
    """A topology with one NAT of each profile and a host behind it; ``open`` is a host with no NAT.

    The NAT, or the public host, has the name of the profile.
    """
    addresses = {profile.name: _FIRST_ADDRESS + number for number, profile in enumerate(profiles)}
    nats = [
        Nat(
            name=profile.name,
            profile=profile,
            wan_address=addresses[profile.name],
            lan_network=_HOME_NETWORK,
        )
        for profile in profiles
        if profile.name != OPEN
    ]
    hosts = [
        Host(name=_host_of(nat.name), interfaces=(Interface(nat=nat.name, addresses=(_HOME_ADDRESS,)),))
        for nat in nats
    ]
    if OPEN in addresses:
        hosts.append(Host(name=OPEN, interfaces=(Interface(addresses=(addresses[OPEN],)),)))
    return Topology(nats=tuple(nats), hosts=tuple(hosts))


def prove_profiles(profiles: Sequence[NatProfile], backend: Backend) -> tuple[Proof, ...]:
    """Builds a lab with one NAT of each profile and measures them all; nothing is raised for a difference.

    Raises:
        LabError: the lab could not be built or measured.
    """
    with Lab(one_of_each(profiles), backend=backend, prove=False) as lab:
        return lab.measure(
            [Subject(node=profile.name, profile=profile, host=_host_of(profile.name)) for profile in profiles]
        )


def _host_of(profile_name: str) -> str:
    return OPEN if profile_name == OPEN else f"{profile_name}-host"
