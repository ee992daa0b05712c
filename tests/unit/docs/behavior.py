"""What a profile does, property by property, as a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from natcore.nat import EarlyInbound, NatBehavior, PortAllocation
from netlab.profiles import Boundary, NatProfile
from netlab.rules.ports import port_list, port_range
from tests.unit.docs.page import table

NOTHING = "–"


def behavior_table(profile: NatProfile) -> str:
    """One column for each router, and one for both together."""
    views = {"value": profile}
    if profile.carrier is not None:
        views = {
            "router at home": replace(profile, carrier=None),
            "carrier's NAT": replace(profile, behavior=profile.carrier, carrier=None),
            "together": profile,
        }
    rows = ([name, *(read(view) for view in views.values())] for name, read in _PROPERTIES.items())
    return table(["property", *views], rows)


def ports_of(behavior: NatBehavior) -> str:
    """How a NAT chooses an external port."""
    if behavior.allocation is PortAllocation.PRESERVING:
        return "preserved"
    if behavior.allocation is PortAllocation.SEQUENTIAL:
        return f"sequential, step {behavior.port_step}"
    return str(behavior.allocation.value)


def _pool(behavior: NatBehavior) -> str:
    if behavior.allocation is PortAllocation.PRESERVING:
        return NOTHING
    listed = port_list(behavior, seed=1)
    if listed is not None:
        return f"{len(listed):,} ports in a row"
    ports = port_range(behavior, seed=1)
    return f"{ports.start:,} to {ports[-1]:,}"


def _hairpinning(profile: NatProfile) -> str:
    if profile.boundary is not Boundary.NAT:
        return NOTHING  # inside addresses are outside addresses
    return "yes" if profile.seen.hairpinning else "no"


def _of_mappings(read: Callable[[NatBehavior], str]) -> Callable[[NatProfile], str]:
    """What only something that remembers flows of UDP can have."""

    def shown(profile: NatProfile) -> str:
        has_memory = profile.boundary is not Boundary.NONE and not profile.seen.udp_blocked
        return read(profile.seen) if has_memory else NOTHING

    return shown


def _refreshed(behavior: NatBehavior) -> str:
    return "packets out and in" if behavior.inbound_refresh else "packets out only"


def _early(profile: NatProfile) -> str:
    if profile.boundary is Boundary.NONE:
        return "arrives"
    remaps = profile.seen.early_inbound is EarlyInbound.REMAPS
    return "moves the mapping, if it is first" if remaps else "is dropped, leaves nothing"


def _tcp(profile: NatProfile) -> str:
    if profile.tcp_ports is None:
        return "to all ports"
    return f"to ports {' and '.join(map(str, profile.tcp_ports))} only"


_PROPERTIES: Mapping[str, Callable[[NatProfile], str]] = {
    "translates": lambda profile: "yes" if profile.boundary is Boundary.NAT else "no",
    "mapping": lambda profile: profile.seen.mapping.value,
    "filtering": lambda profile: profile.seen.filtering.value,
    "ports": lambda profile: ports_of(profile.seen),
    "chosen from": lambda profile: _pool(profile.seen),
    "hairpinning": _hairpinning,
    "idle mapping lives": _of_mappings(lambda behavior: f"{behavior.mapping_lifetime:g} s"),
    "kept alive by": _of_mappings(_refreshed),
    "unasked packet": _early,
    "UDP": lambda profile: "blocked both ways" if profile.seen.udp_blocked else "passes",
    "TCP": _tcp,
}
"""In the order of the table."""
