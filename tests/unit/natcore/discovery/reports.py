"""Reports as a discovery would make them, for tests of what is made of them."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from natcore.address import TransportAddress
from natcore.discovery import Allocation, DiscoveryReport, Known, StunServer, Unknown, WanSide
from natcore.discovery.report import everything_unknown
from natcore.nat import FilteringBehavior, MappingBehavior, NatBehavior, PortAllocation

LOCAL = TransportAddress.parse("192.168.7.10:40000")
REFLEXIVE = ip_address("203.0.113.7")
SERVER = StunServer(
    primary=TransportAddress.parse("198.51.100.10:10080"),
    other=TransportAddress.parse("198.51.100.20:10081"),
    alternate_port=10081,
)
UNSEEN = Unknown("nobody looked")

PORTS = Allocation(
    kind=PortAllocation.PRESERVING, step=None, confidence=0.9, samples=20, lowest=40000, highest=40019
)


def report_of(nat: NatBehavior | None = None, **changes: Any) -> DiscoveryReport:
    """What a discovery behind such a NAT reports, but for the ``changes``."""
    own = nat or NatBehavior(filtering=FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT)
    whole = DiscoveryReport(
        local_address=LOCAL.ip,
        reflexive_addresses=(REFLEXIVE,),
        rtt=0.04,
        udp_blocked=Known(False, "it answers"),
        tcp_passes=Known(True, "it connects"),
        translated=Known(True, "seen as another"),
        mapping=Known(own.mapping, "seen"),
        filtering=Known(own.filtering, "seen"),
        allocation=Known(replace(PORTS, kind=own.allocation), "seen"),
        several_addresses=Known(False, "seen"),
        hairpinning=Known(own.hairpinning, "seen"),
        wan_side=Known(WanSide.PUBLIC, "seen"),
        servers=(SERVER,),
        hops={1: ip_address("192.168.7.1"), 2: ip_address("198.51.100.1")},
        packets_sent=50,
        elapsed=0.2,
    )
    return replace(whole, **changes)


def silent(*, is_blocked: bool) -> DiscoveryReport:
    """What is reported where nobody answered by UDP."""
    return everything_unknown(
        LOCAL,
        "nobody answered",
        udp_blocked=Known(True, "TCP connects") if is_blocked else Unknown("198.51.100.10:10080 may be gone"),
        tcp_passes=Known(True, "it connects") if is_blocked else Unknown("no server is reached"),
    )


def symmetric() -> NatBehavior:
    return NatBehavior(
        mapping=MappingBehavior.ADDRESS_AND_PORT_DEPENDENT,
        filtering=FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT,
        allocation=PortAllocation.RANDOM,
    )
