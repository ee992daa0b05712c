"""The twin of a lab's routers: the same profiles as a NAT in memory, in virtual time.

A model takes the addresses of a packet and the instant, and says what becomes of it. It holds no payload,
reads no clock and has no randomness but its seed's: equal calls give equal answers. A lab test plays the
same packet scripts through the model and through the kernel (tests/lab/test_model_against_kernel.py).

How it works. A NAT is five tables, and every entry of each dies after ``mapping_lifetime`` without use:

- *mappings*: key -> external endpoint. The key is what the mapping behaviour says: the inside endpoint,
  alone or with the destination's address or with the whole destination. An outbound packet whose key is
  known uses that external endpoint again.
- *owners*: external endpoint -> inside endpoint. It says which ports are in use, for a new mapping only gets
  a port that nobody has, and whom a packet from the inside to an external endpoint is for (hairpinning).
- *permissions*: (external endpoint, filter key) -> inside endpoint. The filter key is what the filtering
  behaviour says: nothing, the remote address or the remote endpoint. Every packet from outside is judged by
  it.
- *flows*, by what the inside and by what the outside calls them. This is connection tracking. It is why an
  answer leaves by the mapping that the question came in by, whatever the mapping behaviour would have
  chosen, and why a packet that a careless router took for itself spoils a later flow: the router then owns
  that external endpoint towards that remote, and whoever inside wants it gets another. The mapping has then
  moved: later flows of that inside endpoint go by the new port too, as on a Linux router they do.

One thing follows that surprises. Two flows of an inside endpoint with one remote, by two external endpoints,
could not be told apart from inside; so the later one's remote is shown with another port, and what is sent
to that port goes back the way it came. Without it a NAT with dependent mapping and independent filtering
would answer strangers from the wrong port, and the law of natcore.nat would not hold for it.

What is always true: a live flow from inside has a live permission of the same owner; no table has more
entries than there are flows, and there are at most ``max_flows``. A new flow that finds the table full is
dropped, as the kernel does ("nf_conntrack: table full, dropping packet"), and old ones are not disturbed.

What it refuses to know: TCP, ICMP, fragments, and the order of packets on two processors. A sequential NAT
without a pool has all ports from 1,024 up; a router of the lab has 4,096 of them.

Routers in series are models in series: :func:`models_of` gives them innermost first, and each takes what the
one before it let out.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Generic, NamedTuple, TypeVar

from natcore.nat import EarlyInbound, FilteringBehavior, MappingBehavior, NatBehavior, PortAllocation
from netlab.profiles import Boundary, NatProfile

FIRST_PORT = 1024
"""The lowest port that a NAT chooses by itself; those below are reserved for the system (RFC 6335)."""

LAST_PORT = 65535

MAX_FLOWS = 16_384
"""Flows of one model; small home routers track 4,096 to 16,384."""

CARRIER_SIDE_ADDRESS = IPv4Address("100.64.0.2")
"""A home router's address in the carrier's network, the shared address space of RFC 6598."""


class Endpoint(NamedTuple):
    """An address and a UDP port, on whichever side."""

    address: IPv4Address | IPv6Address
    port: int


class Packet(NamedTuple):
    """What a router reads and writes of a packet."""

    source: Endpoint
    destination: Endpoint


class NatModel:
    """One router: each verb takes a packet as it comes and gives it as it goes on, or None if it is dropped.

    ``now`` is in seconds and never earlier than in the call before.

    Attributes:
        behavior: what it does.
        address: its external address.
    """

    def __init__(
        self,
        behavior: NatBehavior,
        address: IPv4Address | IPv6Address,
        *,
        seed: int = 1,
        boundary: Boundary = Boundary.NAT,
        max_flows: int = MAX_FLOWS,
    ) -> None:
        self.behavior = behavior
        self.address = address
        self._translates = boundary is Boundary.NAT
        self._max_flows = max_flows
        self._random = random.Random(seed)
        self._pool_size = behavior.port_pool or LAST_PORT - FIRST_PORT + 1
        self._taken_count = 0
        lifetime = behavior.mapping_lifetime
        self._first_death_at = float("-inf")
        self._mappings: _AgingTable[Hashable, Endpoint] = _AgingTable(lifetime)
        self._owners: _AgingTable[Endpoint, Endpoint] = _AgingTable(lifetime)
        self._permissions: _AgingTable[tuple[Endpoint, Hashable], Endpoint] = _AgingTable(lifetime)
        self._flows_from_inside: _AgingTable[tuple[Endpoint, Endpoint], _Flow] = _AgingTable(lifetime)
        self._flows_from_outside: _AgingTable[tuple[Endpoint, Endpoint], _Flow | None] = _AgingTable(lifetime)

    def outbound(self, packet: Packet, now: float) -> Packet | None:
        """A packet from inside to the outside."""
        if self.behavior.udp_blocked:
            return None
        self._expire(now)
        flow = self._flow_out(packet, now)
        return None if flow is None else Packet(flow.external, flow.remote)

    def inbound(self, packet: Packet, now: float) -> Packet | None:
        """A packet from outside to an external endpoint."""
        if self.behavior.udp_blocked:
            return None
        self._expire(now)
        remote, external = packet
        known = (external, remote) in self._flows_from_outside
        if known and self._flows_from_outside.get((external, remote)) is None:
            self._flows_from_outside.refresh((external, remote), now)  # the router's own
            return None
        if not known and self._is_full:
            return None
        inside = self._permissions.get((external, self._filter_key(remote)))
        if inside is None:
            if self.behavior.early_inbound is EarlyInbound.REMAPS:
                self._flows_from_outside.set((external, remote), None, now)
            return None
        flow = self._flow_in(inside, external, remote, now)
        if self.behavior.inbound_refresh:
            self._keep(flow, now)
        return Packet(flow.seen, flow.inside)

    def hairpin(self, packet: Packet, now: float) -> Packet | None:
        """A packet from inside to an external endpoint of this router.

        Its source is translated as if it had come around through the internet (RFC 4787 REQ-9), but no
        filter judges it, for it comes from a host that the router trusts.
        """
        if self.behavior.udp_blocked or not self.behavior.hairpinning:
            return None
        self._expire(now)
        known = self._flows_from_inside.get((packet.source, packet.destination))
        target = self._owners.get(packet.destination if known is None else known.remote)
        if target is None:
            return None
        there = self._flow_out(packet, now)
        if there is None or self._is_full:
            return None
        is_new = (there.remote, there.external) not in self._flows_from_outside
        if is_new and (target, there.external) in self._flows_from_inside:
            return None  # the target could not tell two flows apart, and the mapping leaves no other source
        arriving = self._flow_in(target, there.remote, there.external, now)
        self._keep(arriving, now)  # as if the target had sent: so the answer comes back as the answer
        return Packet(arriving.seen, target)

    def forget_mappings(self) -> None:
        """Every table is empty, as after ``conntrack -F``; the next port is what it would have been."""
        for table in self._tables:
            table.clear()

    def reboot(self) -> None:
        """Forgets everything, also how far a sequential allocation had come."""
        self.forget_mappings()
        self._taken_count = 0

    def change_address(self, address: IPv4Address | IPv6Address) -> None:
        """Takes another external address; no mapping survives that."""
        self.forget_mappings()
        self.address = address

    @property
    def flow_count(self) -> int:
        """How many flows it remembers, those that have died since the last packet included."""
        return len(self._flows_from_outside)

    @property
    def entry_count(self) -> int:
        """How many entries its tables have together."""
        return sum(map(len, self._tables))

    # --- what a packet leaves behind -----------------------------------------------------------------------

    def _flow_out(self, packet: Packet, now: float) -> _Flow | None:
        """The flow that a packet from inside belongs to, or begins."""
        inside, remote = packet
        flow = self._flows_from_inside.get((inside, remote))
        if flow is None or self._permissions.get((flow.external, self._filter_key(flow.remote))) != inside:
            external = None if self._is_full else self._choose_external(inside, remote)
            if external is None:
                return None
            flow = _Flow(inside=inside, seen=remote, external=external, remote=remote)
            self._mappings.set(self._mapping_key(inside, remote), external, now)  # it may have moved
        self._keep(flow, now)
        return flow

    def _flow_in(self, inside: Endpoint, external: Endpoint, remote: Endpoint, now: float) -> _Flow:
        """The flow that a packet from outside belongs to, or begins."""
        flow = self._flows_from_outside.get((external, remote))
        if flow is not None:
            return flow
        seen = remote
        while (inside, seen) in self._flows_from_inside:
            seen = Endpoint(remote.address, self._random.randint(FIRST_PORT, LAST_PORT))
        flow = _Flow(inside=inside, seen=seen, external=external, remote=remote)
        self._flows_from_outside.set((external, remote), flow, now)
        self._flows_from_inside.set((inside, seen), flow, now)
        return flow

    def _keep(self, flow: _Flow, now: float) -> None:
        """Makes everything that a flow stands on as young as its last packet."""
        key = self._mapping_key(flow.inside, flow.remote)
        known = self._mappings.get(key)
        # An answer to a stranger makes the mapping for it, too; one that turns around does not.
        if known == flow.external or (known is None and flow.remote.address != self.address):
            self._mappings.set(key, flow.external, now)
        self._owners.set(flow.external, flow.inside, now)
        self._permissions.set((flow.external, self._filter_key(flow.remote)), flow.inside, now)
        self._flows_from_inside.set((flow.inside, flow.seen), flow, now)
        self._flows_from_outside.set((flow.external, flow.remote), flow, now)

    # --- the three behaviours ------------------------------------------------------------------------------

    def _mapping_key(self, inside: Endpoint, destination: Endpoint) -> Hashable:
        match self.behavior.mapping:
            case MappingBehavior.ENDPOINT_INDEPENDENT:
                return inside
            case MappingBehavior.ADDRESS_DEPENDENT:
                return inside, destination.address
            case MappingBehavior.ADDRESS_AND_PORT_DEPENDENT:
                return inside, destination

    def _filter_key(self, remote: Endpoint) -> Hashable:
        match self.behavior.filtering:
            case FilteringBehavior.ENDPOINT_INDEPENDENT:
                return None
            case FilteringBehavior.ADDRESS_DEPENDENT:
                return remote.address
            case FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT:
                return remote

    def _proposed_ports(self, own: int) -> Iterator[int]:
        """The external ports to try for a host's ``own`` port, in order, each port of the pool once."""
        size, first = self._pool_size, FIRST_PORT
        if self.behavior.allocation is PortAllocation.SEQUENTIAL:
            for _ in range(size):
                number, self._taken_count = self._taken_count, (self._taken_count + 1) % size
                yield first + _place_in_sequence(number, size, self.behavior.port_step)
            return
        if self.behavior.allocation is PortAllocation.PRESERVING:
            yield own
        start = self._random.randrange(size)
        for offset in range(size):
            yield first + (start + offset) % size

    def _choose_external(self, inside: Endpoint, remote: Endpoint) -> Endpoint | None:
        """The external endpoint of a new flow: the mapping's, if it can be had, else a new one."""
        if not self._translates:
            return inside
        known = self._mappings.get(self._mapping_key(inside, remote))
        if known is not None and (known, remote) not in self._flows_from_outside:
            return known
        # An endpoint-independent mapping that has moved leaves an older port behind, which is its own still.
        holders = (None, inside) if self.behavior.mapping is MappingBehavior.ENDPOINT_INDEPENDENT else (None,)
        for port in self._proposed_ports(inside.port):
            external = Endpoint(self.address, port)
            if (external, remote) not in self._flows_from_outside and self._owners.get(external) in holders:
                return external
        return None

    # --- limits --------------------------------------------------------------------------------------------

    @property
    def _tables(self) -> tuple[_AgingTable[Any, Any], ...]:
        flows = self._flows_from_inside, self._flows_from_outside
        return self._mappings, self._owners, self._permissions, *flows

    @property
    def _is_full(self) -> bool:
        return len(self._flows_from_outside) >= self._max_flows

    def _expire(self, now: float) -> None:
        if now < self._first_death_at:
            return  # five looks at every packet would be a tenth of a simulation's time
        soonest = now + self.behavior.mapping_lifetime  # of whatever comes in from now on
        for table in self._tables:
            soonest = min(soonest, table.expire(now))
        self._first_death_at = soonest


def models_of(
    profile: NatProfile,
    address: IPv4Address | IPv6Address,
    *,
    seed: int = 1,
    carrier_side: IPv4Address = CARRIER_SIDE_ADDRESS,
) -> tuple[NatModel, ...]:
    """The routers of a profile, innermost first; none where nothing stands before the internet.

    Args:
        profile: what they do.
        address: the external address of the outermost.
        seed: of all that they choose at random.
        carrier_side: the external address of the home router where a carrier's router stands before it.
    """
    if profile.boundary is Boundary.NONE:
        return ()
    if profile.carrier is None:
        return (NatModel(profile.behavior, address, seed=seed, boundary=profile.boundary),)
    return (
        NatModel(profile.behavior, carrier_side, seed=seed),
        NatModel(profile.carrier, address, seed=seed + 1),
    )


def _place_in_sequence(number: int, size: int, step: int) -> int:
    """The place in a pool of ``size`` of the port that is number ``number`` when one goes up by ``step``.

    At its end one goes on with those that were stepped over, from the first, so that each has its turn.
    """
    longer_rounds, length = size % step, size // step
    if number < longer_rounds * (length + 1):
        start, turn = divmod(number, length + 1)
    else:
        start, turn = divmod(number - longer_rounds * (length + 1), length)
        start += longer_rounds
    return start + turn * step


class _Flow(NamedTuple):
    """A flow through the router; one that ends at the router itself is None in the tables.

    Attributes:
        inside: its inside endpoint.
        seen: what the inside takes the remote endpoint for.
        external: what the outside takes the inside endpoint for.
        remote: its remote endpoint.
    """

    inside: Endpoint
    seen: Endpoint
    external: Endpoint
    remote: Endpoint


KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


class _AgingTable(Generic[KeyT, ValueT]):
    """A table whose entries die after one lifetime without use.

    They are in the order of their last use, so the dead are always at the front and finding them costs
    nothing while there are none.
    """

    __slots__ = ("_entries", "_lifetime")

    def __init__(self, lifetime: float) -> None:
        self._lifetime = lifetime
        self._entries: OrderedDict[KeyT, tuple[ValueT, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: KeyT) -> bool:
        return key in self._entries

    def get(self, key: KeyT) -> ValueT | None:
        entry = self._entries.get(key)
        return None if entry is None else entry[0]

    def set(self, key: KeyT, value: ValueT, now: float) -> None:
        self._entries[key] = value, now + self._lifetime
        self._entries.move_to_end(key)

    def refresh(self, key: KeyT, now: float) -> None:
        if key in self._entries:
            self.set(key, self._entries[key][0], now)

    def expire(self, now: float) -> float:
        """Removes the dead; returns when the next one dies."""
        entries = self._entries
        while entries and (dies_at := next(iter(entries.values()))[1]) <= now:
            entries.popitem(last=False)
        return dies_at if entries else float("inf")

    def clear(self) -> None:
        self._entries.clear()
