"""A NAT in memory, just enough for a conversation of two peers: mapping, filtering, allocation, hairpinning.

Mappings do not age here, and an early packet never remaps one. The full model, which is held against the
kernel, is ``netlab/model.py``.
"""

from __future__ import annotations

import random
from collections.abc import Hashable
from dataclasses import dataclass, field

from natcore.address import IPAddress, TransportAddress
from natcore.nat import EarlyInbound, FilteringBehavior, MappingBehavior, NatBehavior, PortAllocation

PORTS = (1024, 65535)


@dataclass(slots=True)
class _Mapping:
    inside: TransportAddress
    external: TransportAddress
    permitted: set[Hashable] = field(default_factory=set)


class SimulatedNat:
    """One NAT with one public address.

    Attributes:
        public_ip: its address on the internet.
        behavior: what it does.
    """

    def __init__(self, behavior: NatBehavior, public_ip: IPAddress, *, seed: int) -> None:
        if behavior.early_inbound is EarlyInbound.REMAPS:
            raise NotImplementedError("the small NAT model does not remap")
        self.behavior = behavior
        self.public_ip = public_ip
        self._random = random.Random(seed)
        self._next_port = PORTS[0]
        self._by_key: dict[Hashable, _Mapping] = {}
        self._by_port: dict[int, _Mapping] = {}

    def translate_outbound(
        self, inside: TransportAddress, destination: TransportAddress
    ) -> TransportAddress | None:
        """The source that the world sees, and a permission for the answer; None where nothing gets out."""
        if self.behavior.udp_blocked:
            return None
        key = self._mapping_key(inside, destination)
        if key not in self._by_key:
            external = TransportAddress(self.public_ip, self._allocate(inside.port))
            self._by_key[key] = self._by_port[external.port] = _Mapping(inside, external)
        mapping = self._by_key[key]
        mapping.permitted.add(self._filter_key(destination))
        return mapping.external

    def translate_inbound(self, port: int, source: TransportAddress) -> TransportAddress | None:
        """Who inside gets a packet from ``source`` to our ``port``; None where the filter drops it."""
        mapping = self._by_port.get(port)
        if mapping is None or self.behavior.udp_blocked or self._filter_key(source) not in mapping.permitted:
            return None
        # As connection tracking does: the answer to a packet leaves by the mapping that it came in by.
        self._by_key[self._mapping_key(mapping.inside, source)] = mapping
        return mapping.inside

    def _mapping_key(self, inside: TransportAddress, destination: TransportAddress) -> Hashable:
        match self.behavior.mapping:
            case MappingBehavior.ENDPOINT_INDEPENDENT:
                return inside
            case MappingBehavior.ADDRESS_DEPENDENT:
                return inside, destination.ip
            case MappingBehavior.ADDRESS_AND_PORT_DEPENDENT:
                return inside, destination

    def _filter_key(self, remote: TransportAddress) -> Hashable:
        match self.behavior.filtering:
            case FilteringBehavior.ENDPOINT_INDEPENDENT:
                return "anybody"
            case FilteringBehavior.ADDRESS_DEPENDENT:
                return remote.ip
            case FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT:
                return remote

    def _allocate(self, wanted: int) -> int:
        for _ in range(1000):
            port = self._propose(wanted)
            if port not in self._by_port:
                return port
        raise AssertionError("the simulated NAT has no port left")

    def _propose(self, wanted: int) -> int:
        match self.behavior.allocation:
            case PortAllocation.PRESERVING if wanted not in self._by_port:
                return wanted
            case PortAllocation.SEQUENTIAL:
                self._next_port += 1
                return self._next_port
            case _:
                return self._random.randint(*PORTS)
