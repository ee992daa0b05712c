"""What an nft table remembers of its flows, and how it learns it.

Every memory is a set or map whose elements end with the mapping. They are written in POSTROUTING *after* the
source was translated (priority 150, SNAT is at 100): so they hold what the NAT really did, whoever chose the
port. iptables has no such place, which is why nft is needed at all.

A flow that started inside has its inside endpoint in the original direction of connection tracking, and its
external port in the reply; one that was let in has them the other way round. Both hold for packets of either
direction, so the same rules serve packets on the way in, where those keep a mapping alive.

An update of an element that is there keeps its value and renews its life. So at the end of a mapping's life,
when its elements end within one tick of the clock, their order matters: what names the owner of a port must
end before the port is free. :data:`MEMORIES` is in that order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from natcore.nat import EarlyInbound, FilteringBehavior, MappingBehavior, NatBehavior

PORTED = "meta l4proto { tcp, udp }"
"""nft wants this in every rule that uses a port of connection tracking, or sets one."""

MAX_ELEMENTS = 65535
"""Of each memory: one for each port. A flow that finds it full is translated but not remembered."""


class Part(Enum):
    """A part of a flow, seen from the NAT."""

    INSIDE_ADDRESS = auto()
    INSIDE_PORT = auto()
    EXTERNAL_PORT = auto()
    REMOTE_ADDRESS = auto()
    REMOTE_PORT = auto()


Flow = Mapping[Part, str]
"""Where to find the parts of a flow."""

STARTED_INSIDE: Flow = {
    Part.INSIDE_ADDRESS: "ct original ip saddr",
    Part.INSIDE_PORT: "ct original proto-src",
    Part.EXTERNAL_PORT: "ct reply proto-dst",
    Part.REMOTE_ADDRESS: "ct original ip daddr",
    Part.REMOTE_PORT: "ct original proto-dst",
}
LET_IN: Flow = {
    Part.INSIDE_ADDRESS: "ct reply ip saddr",
    Part.INSIDE_PORT: "ct reply proto-src",
    Part.EXTERNAL_PORT: "ct original proto-dst",
    Part.REMOTE_ADDRESS: "ct original ip saddr",
    Part.REMOTE_PORT: "ct original proto-src",
}
PROPOSED: Flow = {
    Part.INSIDE_ADDRESS: "ct original ip saddr",
    Part.INSIDE_PORT: "ct original proto-src",
    Part.EXTERNAL_PORT: "th sport",
    Part.REMOTE_ADDRESS: "ct original ip daddr",
    Part.REMOTE_PORT: "ct original proto-dst",
}
"""The first packet of a flow on its way out, with the external port that it is to have as its source."""

TURNED: Flow = {
    Part.INSIDE_ADDRESS: "ct reply ip saddr",
    Part.INSIDE_PORT: "ct reply proto-src",
    Part.EXTERNAL_PORT: "ct original proto-dst",
    Part.REMOTE_ADDRESS: "ct reply ip daddr",
    Part.REMOTE_PORT: "ct reply proto-dst",
}
"""A flow between two hosts inside, as the one sees it that did not start it: its remote is the NAT itself."""

ARRIVING: Flow = {
    Part.EXTERNAL_PORT: "th dport",
    Part.REMOTE_ADDRESS: "ip saddr",
    Part.REMOTE_PORT: "th sport",
}
"""A packet from outside before anything has looked at it."""

_ADDRESS, _PORT = "ipv4_addr", "inet_service"
_TYPES: Mapping[Part, str] = {
    Part.INSIDE_ADDRESS: _ADDRESS,
    Part.INSIDE_PORT: _PORT,
    Part.EXTERNAL_PORT: _PORT,
    Part.REMOTE_ADDRESS: _ADDRESS,
    Part.REMOTE_PORT: _PORT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """A set, or a map if it has a value, of the table; the protocol is always the first part of the key."""

    name: str
    parts: tuple[Part, ...]
    value: Part | None = None

    @property
    def kind(self) -> str:
        """``map`` or ``set``."""
        return "set" if self.value is None else "map"

    def declaration(self, lifetime: int) -> str:
        """The line that declares it, for mappings that live so many seconds."""
        key = " . ".join(["inet_proto", *(_TYPES[part] for part in self.parts)])
        value = "" if self.value is None else f" : {_TYPES[self.value]}"
        options = f"flags dynamic, timeout; timeout {lifetime}s; size {MAX_ELEMENTS};"
        return f"{self.kind} {self.name} {{ type {key}{value}; {options} }}"

    def key(self, flow: Flow) -> str:
        """How a rule names the element of a flow."""
        return " . ".join(["meta l4proto", *(flow[part] for part in self.parts)])

    def element(self, flow: Flow) -> str:
        """How a rule that writes it names the element of a flow, with its value if it has one."""
        return self.key(flow) if self.value is None else f"{self.key(flow)} : {flow[self.value]}"

    def update(self, flow: Flow) -> str:
        """The rule that writes or renews the element of a flow."""
        return f"{PORTED} update @{self.name} {{ {self.element(flow)} }}"

    def lookup(self, flow: Flow) -> str:
        """The value of a flow's element; a rule whose lookup finds nothing does not match."""
        return f"{self.key(flow)} map @{self.name}"


INSIDE_ADDRESS = Memory(name="inside_address", parts=(Part.EXTERNAL_PORT,), value=Part.INSIDE_ADDRESS)
INSIDE_PORT = Memory(name="inside_port", parts=(Part.EXTERNAL_PORT,), value=Part.INSIDE_PORT)
PERMITTED_ADDRESS = Memory(name="permitted_address", parts=(Part.EXTERNAL_PORT, Part.REMOTE_ADDRESS))
PERMITTED_ENDPOINT = Memory(
    name="permitted_endpoint", parts=(Part.EXTERNAL_PORT, Part.REMOTE_ADDRESS, Part.REMOTE_PORT)
)
USED = Memory(name="used", parts=(Part.EXTERNAL_PORT,))
MAPPING = Memory(name="mapping", parts=(Part.INSIDE_ADDRESS, Part.INSIDE_PORT), value=Part.EXTERNAL_PORT)
MAPPING_BY_ADDRESS = Memory(
    name="mapping_by_address",
    parts=(Part.INSIDE_ADDRESS, Part.INSIDE_PORT, Part.REMOTE_ADDRESS),
    value=Part.EXTERNAL_PORT,
)
OWNED = Memory(name="owned", parts=(Part.INSIDE_ADDRESS, Part.INSIDE_PORT, Part.EXTERNAL_PORT))
"""Only where a mapping may name a port that its endpoint has given up (:func:`mapping_may_be_stale`)."""

EARLY = Memory(name="early", parts=(Part.EXTERNAL_PORT, Part.REMOTE_ADDRESS, Part.REMOTE_PORT))
"""Not learned from flows but from packets that nobody asked for, by a NAT that remaps."""


def needs_owners(behavior: NatBehavior) -> bool:
    """Whether packets come in that connection tracking does not know: then a port must say whose it is."""
    restricted = behavior.filtering is FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT
    return not restricted or behavior.hairpinning or not behavior.inbound_refresh


def mapping_may_be_stale(behavior: NatBehavior) -> bool:
    """Whether one key of the mapping can have flows by two external ports.

    Each of them renews the mapping, which names one of the two. When the flows of that one have ended, its
    port is free for others, and the mapping must not be believed any more.
    """
    remaps = behavior.early_inbound is EarlyInbound.REMAPS
    is_open = behavior.filtering is FilteringBehavior.ENDPOINT_INDEPENDENT
    match behavior.mapping:
        case MappingBehavior.ENDPOINT_INDEPENDENT:
            return remaps
        case MappingBehavior.ADDRESS_DEPENDENT:
            return remaps or is_open  # a remote that has a mapping may come in by another one's port
        case MappingBehavior.ADDRESS_AND_PORT_DEPENDENT:
            return False


def permission(behavior: NatBehavior) -> Memory:
    """The memory that says who may send to an external port."""
    return {
        FilteringBehavior.ENDPOINT_INDEPENDENT: USED,
        FilteringBehavior.ADDRESS_DEPENDENT: PERMITTED_ADDRESS,
        FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT: PERMITTED_ENDPOINT,
    }[behavior.filtering]


def _needs_endpoints(behavior: NatBehavior) -> bool:
    """Connection tracking filters by endpoint on its own, unless inbound packets are kept from it."""
    return permission(behavior) is PERMITTED_ENDPOINT and not behavior.inbound_refresh


MEMORIES: Mapping[Memory, Callable[[NatBehavior], bool]] = {
    INSIDE_ADDRESS: needs_owners,
    INSIDE_PORT: needs_owners,
    PERMITTED_ADDRESS: lambda behavior: permission(behavior) is PERMITTED_ADDRESS,
    PERMITTED_ENDPOINT: _needs_endpoints,
    OWNED: mapping_may_be_stale,
    USED: lambda behavior: True,
    MAPPING: lambda behavior: behavior.mapping is MappingBehavior.ENDPOINT_INDEPENDENT,
    MAPPING_BY_ADDRESS: lambda behavior: behavior.mapping is MappingBehavior.ADDRESS_DEPENDENT,
    EARLY: lambda behavior: behavior.early_inbound is EarlyInbound.REMAPS,
}
"""Which behaviours need each memory, in the order in which a packet updates them."""


def memories_of(behavior: NatBehavior) -> tuple[Memory, ...]:
    """The memories that a NAT of this behaviour has."""
    return tuple(memory for memory, is_needed in MEMORIES.items() if is_needed(behavior))
