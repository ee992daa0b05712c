"""The NATs that a lab can have, by the names that people use for them.

A name is only an alias. What counts is the behaviour beside it, and that the probe measures it on every
router before a lab is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from natcore.nat import EarlyInbound, FilteringBehavior, MappingBehavior, NatBehavior, PortAllocation
from netlab.errors import UnknownProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class NatProfile:
    """A named behaviour.

    Attributes:
        name: as on the command line.
        behavior: what it must measure as.
        devices: what in the world behaves like this.
        summary: one line for a table.
    """

    name: str
    behavior: NatBehavior
    devices: str
    summary: str


OPEN = "open"
"""The profile that is no NAT: its host stands in the core with a public address."""

_PORT_RESTRICTED = NatBehavior(filtering=FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT)

_ALL = (
    NatProfile(
        name=OPEN,
        behavior=NatBehavior(),
        devices="servers, hosts with a public address and no firewall",
        summary="no NAT: a public address",
    ),
    NatProfile(
        name="full-cone",
        behavior=NatBehavior(filtering=FilteringBehavior.ENDPOINT_INDEPENDENT),
        devices="routers with endpoint-independent filtering, gaming modes, many carrier-grade NATs",
        summary="one endpoint for all, open to all once it has sent",
    ),
    NatProfile(
        name="address-restricted",
        behavior=NatBehavior(filtering=FilteringBehavior.ADDRESS_DEPENDENT),
        devices="some older home routers",
        summary="one endpoint for all, open to addresses that it has sent to",
    ),
    NatProfile(
        name="port-restricted",
        behavior=_PORT_RESTRICTED,
        devices="most home routers: Linux with a dropping WAN side, OpenWrt, FRITZ!Box",
        summary="one endpoint for all, open to endpoints that it has sent to",
    ),
    NatProfile(
        name="symmetric",
        behavior=NatBehavior(
            mapping=MappingBehavior.ADDRESS_AND_PORT_DEPENDENT,
            filtering=FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT,
            allocation=PortAllocation.RANDOM,
        ),
        devices="corporate firewalls, pfSense by default, some mobile carriers",
        summary="a new random endpoint for every destination",
    ),
    NatProfile(
        name="naive",
        behavior=NatBehavior(
            filtering=FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT, early_inbound=EarlyInbound.REMAPS
        ),
        devices="a Linux router set up with one MASQUERADE rule and an accepting INPUT chain",
        summary="port-restricted, but an early unsolicited packet moves the mapping",
    ),
    NatProfile(
        name="udp-blocked",
        behavior=NatBehavior(filtering=FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT, udp_blocked=True),
        devices="strict corporate networks, some guest networks",
        summary="TCP passes, no UDP in either direction",
    ),
)

PROFILES: Mapping[str, NatProfile] = MappingProxyType({profile.name: profile for profile in _ALL})
"""Every profile by its name, from the friendliest to the least."""


def profile(name: str) -> NatProfile:
    """The profile of that name.

    Raises:
        UnknownProfile: there is none; the error says the nearest name.
    """
    try:
        return PROFILES[name]
    except KeyError:
        raise UnknownProfile(name, known=PROFILES) from None
