"""The NATs that a lab can have, by the names that people use for them.

A name is only an alias. What counts is the behaviour beside it, and that the probe measures it on every
router before a lab is used.

There are two tables. :data:`PROFILES` holds what stands in the world, with the devices that each imitates.
:data:`COMBINATIONS` holds the 21 meaningful combinations of mapping, filtering and port allocation, named
after their parts: ``apdm-adf-random``. Ports can be preserved only where a mapping is endpoint-independent,
for an endpoint that has several mappings has one port to preserve.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import product
from types import MappingProxyType

from natcore.nat import EarlyInbound, FilteringBehavior, MappingBehavior, NatBehavior, PortAllocation
from netlab.errors import UnknownProfile


class Boundary(Enum):
    """What stands between a host and the internet."""

    NONE = "none"
    FIREWALL = "firewall"
    NAT = "nat"


@dataclass(frozen=True, slots=True, kw_only=True)
class NatProfile:
    """A named behaviour.

    Attributes:
        name: as on the command line.
        behavior: what the router does; the router at home where there is a carrier's as well.
        carrier: what a second NAT does that stands between the router and the internet, if there is one.
        boundary: whether the router translates, only filters, or is not there.
        tcp_ports: the ports to which TCP may go out; None for all.
        summary: one line for a table.
        devices: what in the world behaves like this.
    """

    name: str
    behavior: NatBehavior
    carrier: NatBehavior | None = None
    boundary: Boundary = Boundary.NAT
    tcp_ports: tuple[int, ...] | None = None
    summary: str
    devices: str

    @property
    def seen(self) -> NatBehavior:
        """What the internet sees: all routers together."""
        return self.behavior if self.carrier is None else self.behavior.behind(self.carrier)


_EIM, _ADM, _APDM = MappingBehavior
_EIF, _ADF, _APDF = FilteringBehavior
_PRESERVING, _RANDOM, _SEQUENTIAL = PortAllocation

_RESTRICTED = NatBehavior(filtering=_APDF)
_SYMMETRIC = NatBehavior(mapping=_APDM, filtering=_APDF, allocation=_RANDOM)
_BLOCKED = NatBehavior(filtering=_APDF, udp_blocked=True)

SMALL_POOL = 256
"""Ports of ``symmetric-small-pool``; carriers that log by port block give a subscriber 64 to 2,048."""

SHORT_LIFETIME = 3.0
"""Seconds of ``short-lifetime``: a tenth of the 30 s that it imitates, so that a test need not wait."""

_NAMED = (
    NatProfile(
        name="open",
        behavior=NatBehavior(),
        boundary=Boundary.NONE,
        summary="no NAT: a public address",
        devices="servers, hosts with a public address and no firewall",
    ),
    NatProfile(
        name="stateful-firewall",
        behavior=_RESTRICTED,
        boundary=Boundary.FIREWALL,
        summary="a public address, open to endpoints that it has sent to",
        devices="company networks with public addresses, home routers' IPv6 side, cloud security groups",
    ),
    NatProfile(
        name="full-cone",
        behavior=NatBehavior(filtering=_EIF),
        summary="one endpoint for all, open to all once it has sent",
        devices="routers with endpoint-independent filtering, gaming modes, many carrier-grade NATs",
    ),
    NatProfile(
        name="address-restricted",
        behavior=NatBehavior(filtering=_ADF),
        summary="one endpoint for all, open to addresses that it has sent to",
        devices="some older home routers",
    ),
    NatProfile(
        name="port-restricted",
        behavior=_RESTRICTED,
        summary="one endpoint for all, open to endpoints that it has sent to",
        devices="most home routers: Linux with a dropping WAN side, OpenWrt, FRITZ!Box",
    ),
    NatProfile(
        name="non-preserving-cone",
        behavior=NatBehavior(filtering=_APDF, allocation=_RANDOM),
        summary="port-restricted, with a random port instead of the host's own",
        devices="routers and firewalls that hide the inside port, some carriers",
    ),
    NatProfile(
        name="address-dependent",
        behavior=NatBehavior(mapping=_ADM, filtering=_APDF, allocation=_RANDOM),
        summary="a new random endpoint for every destination address",
        devices="some company firewalls with per-destination pools",
    ),
    NatProfile(
        name="symmetric",
        behavior=_SYMMETRIC,
        summary="a new random endpoint for every destination",
        devices="corporate firewalls, pfSense by default, some mobile carriers",
    ),
    NatProfile(
        name="symmetric-sequential",
        behavior=NatBehavior(mapping=_APDM, filtering=_APDF, allocation=_SEQUENTIAL),
        summary="a new endpoint for every destination, one port further each time",
        devices="older enterprise routers, some mobile carriers",
    ),
    NatProfile(
        name="symmetric-small-pool",
        behavior=NatBehavior(mapping=_APDM, filtering=_APDF, allocation=_RANDOM, port_pool=SMALL_POOL),
        summary=f"symmetric, with {SMALL_POOL} ports to choose from",
        devices="carriers that give each subscriber a block of ports",
    ),
    NatProfile(
        name="naive",
        behavior=NatBehavior(filtering=_APDF, early_inbound=EarlyInbound.REMAPS),
        summary="port-restricted, but an early unsolicited packet moves the mapping",
        devices="a Linux router set up with one MASQUERADE rule and an accepting INPUT chain",
    ),
    NatProfile(
        name="cgn-cone",
        behavior=_RESTRICTED,
        carrier=NatBehavior(filtering=_ADF, allocation=_RANDOM, hairpinning=True),
        summary="a home router behind a carrier's NAT that maps as RFC 6888 asks",
        devices="fibre and cable subscribers without an IPv4 address of their own (100.64/10)",
    ),
    NatProfile(
        name="cgn-symmetric",
        behavior=_RESTRICTED,
        carrier=_SYMMETRIC,
        summary="a home router behind a carrier's symmetric NAT",
        devices="mobile broadband routers in networks with strict carrier NATs (100.64/10)",
    ),
    NatProfile(
        name="short-lifetime",
        behavior=NatBehavior(filtering=_APDF, mapping_lifetime=SHORT_LIFETIME, inbound_refresh=False),
        summary=f"port-restricted, forgets in {SHORT_LIFETIME:g} s (30 s imitated) what sends nothing",
        devices="home routers and carriers with a 30 s UDP timer that only outbound packets reset",
    ),
    NatProfile(
        name="udp-blocked",
        behavior=_BLOCKED,
        summary="TCP passes, no UDP in either direction",
        devices="strict corporate networks, some guest networks",
    ),
    NatProfile(
        name="corporate",
        behavior=_BLOCKED,
        tcp_ports=(80, 443),
        summary="only TCP to ports 80 and 443 passes",
        devices="company and hotel networks that let out the web and nothing else",
    ),
)


def _combinations() -> Iterator[NatProfile]:
    mappings = {"eim": _EIM, "adm": _ADM, "apdm": _APDM}
    filterings = {"eif": _EIF, "adf": _ADF, "apdf": _APDF}
    for (m, mapping), (f, filtering), allocation in product(
        mappings.items(), filterings.items(), PortAllocation
    ):
        if allocation is _PRESERVING and mapping is not _EIM:
            continue
        yield NatProfile(
            name=f"{m}-{f}-{allocation.value}",
            behavior=NatBehavior(mapping=mapping, filtering=filtering, allocation=allocation),
            summary=f"{mapping.value} mapping, {filtering.value} filtering, {allocation.value} ports",
            devices="a combination of RFC 4787, for completeness",
        )


PROFILES: Mapping[str, NatProfile] = MappingProxyType({profile.name: profile for profile in _NAMED})
"""Every profile that imitates something, by its name, from the friendliest to the least."""

COMBINATIONS: Mapping[str, NatProfile] = MappingProxyType({one.name: one for one in _combinations()})
"""Every meaningful combination of mapping, filtering and port allocation, by its name."""


def profile(name: str) -> NatProfile:
    """The profile of that name, from either table.

    Raises:
        UnknownProfile: there is none; the error says the nearest name.
    """
    known = {**PROFILES, **COMBINATIONS}
    try:
        return known[name]
    except KeyError:
        raise UnknownProfile(name, known=known) from None
