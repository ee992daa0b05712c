"""The NAT behaviours that the simulated conversations are held behind, by the nicknames of docs/lab.md."""

from __future__ import annotations

from natcore.nat import FilteringBehavior, MappingBehavior, NatBehavior, PortAllocation

_M, _F = MappingBehavior, FilteringBehavior


def _make(mapping: MappingBehavior, filtering: FilteringBehavior, allocation: PortAllocation) -> NatBehavior:
    return NatBehavior(mapping=mapping, filtering=filtering, allocation=allocation)


PORT_RESTRICTED = _make(_M.ENDPOINT_INDEPENDENT, _F.ADDRESS_AND_PORT_DEPENDENT, PortAllocation.PRESERVING)
SYMMETRIC = _make(_M.ADDRESS_AND_PORT_DEPENDENT, _F.ADDRESS_AND_PORT_DEPENDENT, PortAllocation.RANDOM)
ADDRESS_RESTRICTED = _make(_M.ENDPOINT_INDEPENDENT, _F.ADDRESS_DEPENDENT, PortAllocation.PRESERVING)
FULL_CONE = _make(_M.ENDPOINT_INDEPENDENT, _F.ENDPOINT_INDEPENDENT, PortAllocation.PRESERVING)

BEHAVIORS: dict[str, NatBehavior | None] = {
    "open": None,
    "full-cone": FULL_CONE,
    "address-restricted": ADDRESS_RESTRICTED,
    "port-restricted": PORT_RESTRICTED,
    "eim-random": _make(_M.ENDPOINT_INDEPENDENT, _F.ADDRESS_AND_PORT_DEPENDENT, PortAllocation.RANDOM),
    "adm": _make(_M.ADDRESS_DEPENDENT, _F.ADDRESS_AND_PORT_DEPENDENT, PortAllocation.RANDOM),
    "symmetric": SYMMETRIC,
    "symmetric-sequential": _make(
        _M.ADDRESS_AND_PORT_DEPENDENT, _F.ADDRESS_AND_PORT_DEPENDENT, PortAllocation.SEQUENTIAL
    ),
    "symmetric-eif": _make(_M.ADDRESS_AND_PORT_DEPENDENT, _F.ENDPOINT_INDEPENDENT, PortAllocation.RANDOM),
    "symmetric-adf": _make(_M.ADDRESS_AND_PORT_DEPENDENT, _F.ADDRESS_DEPENDENT, PortAllocation.RANDOM),
    "udp-blocked": NatBehavior(udp_blocked=True),
}
