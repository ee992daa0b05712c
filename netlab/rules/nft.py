"""Translation by one nft table with a memory: exact for every mapping, filter and allocation.

The table ``ip netlab`` stands beside what iptables has written. On the way out, a flow's first packet gets
the external port of its mapping, where one is remembered, and else a port that nobody has::

    srcnat ---> allocate: the mapping's port, or the host's own if it is free, or
                          `tries_16` -> `pick`, `pick`, `pick`, ...: the next port, taken if it is free
    learn:      what was done is written down (netlab/rules/memory.py)

On the way in, a packet that connection tracking does not know is turned to the owner of its port, if the
filter permits it: by DNAT, or without any tracking (netlab/rules/stateless.py). The same turn, for a packet
from the home network, is hairpinning; the source is then allocated as on the way out. Hairpinned packets
pass whatever the filter is: RFC 4787 says of them only what source they show (REQ-9).

Four tricks, all measured:

- A port is *proposed* by writing it into the packet. There it can be compared with the ports in use before
  ``snat to ... : th sport`` makes it true; NAT alone would say yes or lose the packet.
- ``numgen ... offset`` is in the byte order of the host, so ports of a sequence would be 256 apart. A number
  is looked up in a list of ports instead. A port drawn at random is the upper or the lower half of a random
  number of 32 bits, which is a random number in any byte order; so the range needs no list.
- Writing into a UDP packet that has no checksum gives it a wrong one. So the flow is marked, and its first
  packet has none again in the end.
- A pool that is used up gives no mapping: every port has been tried once, and the packet is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

from natcore.nat import EarlyInbound, FilteringBehavior, NatBehavior, PortAllocation
from netlab.rules import memory, stateless
from netlab.rules.lifetime import whole_seconds
from netlab.rules.memory import ARRIVING, LET_IN, PORTED, PROPOSED, STARTED_INSIDE, TURNED, Memory, Part
from netlab.rules.ports import port_list, port_range
from netlab.rules.scripts import PROTOCOLS, RouterFacts, text_of

TABLE = "ip netlab"

_FAN_OUT = 16
"""Tries per chain; chains of chains reach 4,096 tries within the kernel's 16 nested jumps."""

_ALL_NUMBERS = 2**32 - 1

_WITHOUT_CHECKSUM = 1
"""The mark, for its first packet, of a flow that came without a UDP checksum; nothing else marks flows."""

REMOVAL = f"add table {TABLE}\ndelete table {TABLE}\n"
"""Removes the table, whether it is there or not."""


def table(behavior: NatBehavior, facts: RouterFacts, *, seed: int) -> str:
    """The text of the table.

    Raises:
        UnsupportedBehavior: ports or lifetime are out of bounds, or there are no exact rules.
    """
    has_owners = memory.needs_owners(behavior)
    memories = memory.memories_of(behavior)
    chains = [
        *_port_chains(behavior, facts, seed=seed),
        *_moving(behavior, facts),
        _chain("allocate", _allocation(behavior, facts)),
        *_remapping(behavior, facts),
        _chain("srcnat", _source_hook(behavior, facts)),
        *_learning(behavior, facts, memories),
        *([_chain("dstnat", _destination_hook(behavior, facts))] if has_owners else []),
        *(_chain(name, rules) for name, rules in stateless.chains(behavior, facts).items()),
    ]
    declarations = [one.declaration(whole_seconds(behavior)) for one in memories]
    return text_of([f"table {TABLE} {{", *(f"  {line}" for line in declarations), *chains, "}"])


def forgetting(behavior: NatBehavior) -> str:
    """The text that empties every memory of the table."""
    return text_of(f"flush {one.kind} {TABLE} {one.name}" for one in memory.memories_of(behavior))


def _chain(name: str, rules: Iterable[str]) -> str:
    return text_of([f"  chain {name} {{", *(f"    {rule}" for rule in rules), "  }"]).rstrip("\n")


def _take(facts: RouterFacts, behavior: NatBehavior, *conditions: str) -> str:
    """The rule that makes the proposed port true, if nobody who came early has it towards this remote."""
    remaps = behavior.early_inbound is EarlyInbound.REMAPS
    early = [f"{memory.EARLY.key(PROPOSED)} != @{memory.EARLY.name}"] if remaps else []
    return " ".join([PORTED, *conditions, *early, f"snat to {facts.wan_address} : th sport"])


def _is_free() -> str:
    return f"{memory.USED.key(PROPOSED)} != @{memory.USED.name}"


def _is_own() -> str:
    return f"{memory.OWNED.key(PROPOSED)} @{memory.OWNED.name}"


def _port_chains(behavior: NatBehavior, facts: RouterFacts, *, seed: int) -> list[str]:
    """The chain that tries one port, and those that try as many as it takes to be sure."""
    listed = port_list(behavior, seed=seed)
    if listed is not None:
        pick = [*_proposing_in_turn(len(listed)), _take(facts, behavior, _is_free())]
        return [_pool(listed), _chain("pick", pick), *_tries(len(listed))]
    ports = port_range(behavior, seed=seed)
    is_in_range = f"th sport {ports.start}-{ports.stop - 1}"
    propose = [f"{protocol} sport set numgen random mod {_ALL_NUMBERS}" for protocol in PROTOCOLS]
    pick = [*propose, _take(facts, behavior, is_in_range, _is_free())]
    tries = ceil(16 * 65536 / len(ports))  # all of them miss the range once in ten million times
    return [_chain("pick", pick), *_tries(tries)]


def _pool(ports: tuple[int, ...]) -> str:
    elements = ", ".join(f"{number} : {port}" for number, port in enumerate(ports))
    return f"  map pool {{ type mark : inet_service; elements = {{ {elements} }} }}"


def _proposing_in_turn(count: int) -> list[str]:
    """Each protocol counts on its own: TCP in between leaves no gap in the ports of UDP."""
    return [
        rule
        for protocol in PROTOCOLS
        for rule in (
            f"meta l4proto {protocol} meta mark set numgen inc mod {count}",
            f"{protocol} sport set meta mark map @pool",
        )
    ]


def _tries(count: int) -> list[str]:
    """Chains that end in ``try_all``, which jumps to ``pick`` at least ``count`` times."""
    chains, inner, size = [], "pick", 1
    while count > size * _FAN_OUT:
        size *= _FAN_OUT
        chains.append(_chain(f"tries_{size}", [f"jump {inner}"] * _FAN_OUT))
        inner = f"tries_{size}"
    return [*chains, _chain("try_all", [f"jump {inner}"] * ceil(count / size))]


def _allocation(behavior: NatBehavior, facts: RouterFacts) -> list[str]:
    return [
        f"udp checksum 0 ct mark set {_WITHOUT_CHECKSUM}",
        *_mapped(behavior, facts),
        *_new_port(behavior, facts),
    ]


def _new_port(behavior: NatBehavior, facts: RouterFacts) -> list[str]:
    """The rules for a flow that has no mapping, from which no packet returns."""
    is_ours = [_is_own()] if memory.mapping_may_be_stale(behavior) else []  # one that it moved away from
    preserves = behavior.allocation is PortAllocation.PRESERVING
    own_ports = [_is_free(), *is_ours] if preserves else []
    return [*(_take(facts, behavior, condition) for condition in own_ports), "jump try_all", "drop"]


def _mapping_memory(behavior: NatBehavior) -> Memory | None:
    mappings = (memory.MAPPING, memory.MAPPING_BY_ADDRESS)
    return next((one for one in memory.memories_of(behavior) if one in mappings), None)


def _mapped(behavior: NatBehavior, facts: RouterFacts) -> list[str]:
    """The rules for a flow that has a mapping."""
    mapping = _mapping_memory(behavior)
    if mapping is None:
        return []
    port = mapping.lookup(PROPOSED)
    if memory.mapping_may_be_stale(behavior):
        return [f"{protocol} sport set {port} goto mapped" for protocol in PROTOCOLS]
    return [f"{PORTED} snat to {facts.wan_address} : {port}"]


def _moving(behavior: NatBehavior, facts: RouterFacts) -> list[str]:
    """A mapping holds while its port is its endpoint's and nobody came early there; else there is a new one.

    An update would keep the port that the old one names, so the old one has to go.
    """
    mapping = _mapping_memory(behavior)
    if mapping is None or not memory.mapping_may_be_stale(behavior):
        return []
    return [
        _chain(
            "mapped",
            [
                _take(facts, behavior, _is_own()),
                f"{PORTED} delete @{mapping.name} {{ {mapping.element(PROPOSED)} }}",
                *(f"{protocol} sport set {PROPOSED[Part.INSIDE_PORT]}" for protocol in PROTOCOLS),
                *_new_port(behavior, facts),
            ],
        )
    ]


def _remapping(behavior: NatBehavior, facts: RouterFacts) -> list[str]:
    """A NAT that remaps remembers who came early: towards them a port is worth nothing."""
    if behavior.early_inbound is not EarlyInbound.REMAPS:
        return []
    remember = f"update @{memory.EARLY.name} {{ {memory.EARLY.key(ARRIVING)} }}"
    return [
        _chain(
            "arrived",
            [
                "type filter hook input priority 10; policy accept;",
                f'iifname "{facts.wan}" ip daddr {facts.wan_address} {PORTED} {remember}',
            ],
        ),
    ]


def _source_hook(behavior: NatBehavior, facts: RouterFacts) -> list[str]:
    return [
        "type nat hook postrouting priority srcnat; policy accept;",
        f'iifname "{facts.lan}" oifname "{facts.wan}" {PORTED} goto allocate',
        *([f"{_hairpinned(facts)} {PORTED} goto allocate"] if behavior.hairpinning else []),
        f'oifname "{facts.wan}" snat to {facts.wan_address}',
    ]


def _hairpinned(facts: RouterFacts) -> str:
    return f'iifname "{facts.lan}" oifname "{facts.lan}" ct status dnat'


def _learning(behavior: NatBehavior, facts: RouterFacts, memories: tuple[Memory, ...]) -> list[str]:
    learned = [one for one in memories if one is not memory.EARLY]
    outward = f'iifname "{facts.lan}" oifname "{facts.wan}"'
    inward = f'iifname "{facts.wan}" oifname "{facts.lan}"'
    hook = [
        "type filter hook postrouting priority 150; policy accept;",
        f"ct mark {_WITHOUT_CHECKSUM} udp checksum set 0 ct mark set 0",
        f"{outward} ct direction original goto started_inside",
        f"{outward} ct direction reply goto let_in",
    ]
    if behavior.inbound_refresh:
        hook += [
            f"{inward} ct direction reply goto started_inside",
            f"{inward} ct direction original goto let_in",
        ]
    chains = [
        _chain("started_inside", [one.update(STARTED_INSIDE) for one in learned]),
        _chain("let_in", [one.update(LET_IN) for one in learned]),
    ]
    if behavior.hairpinning:
        hook += _learning_from_hairpins(behavior, facts)
        kept = [one for one in learned if Part.REMOTE_ADDRESS not in one.parts]
        chains.append(_chain("turned", [one.update(TURNED) for one in kept]))
    return [*chains, _chain("learn", hook)]


def _learning_from_hairpins(behavior: NatBehavior, facts: RouterFacts) -> list[str]:
    """Each side's packets keep its own mapping alive (RFC 4787 REQ-6), and may keep the other side's.

    The side that did not start has a mapping already, for whatever destination: it learns no new one.
    """
    if behavior.inbound_refresh:
        return [f"{_hairpinned(facts)} jump started_inside", f"{_hairpinned(facts)} goto turned"]
    return [
        f"{_hairpinned(facts)} ct direction original goto started_inside",
        f"{_hairpinned(facts)} ct direction reply goto turned",
    ]


def _destination_hook(behavior: NatBehavior, facts: RouterFacts) -> list[str]:
    address, port = memory.INSIDE_ADDRESS.lookup(ARRIVING), memory.INSIDE_PORT.lookup(ARRIVING)
    to_owner = f"{PORTED} dnat ip to {address} : {port}"
    permission = memory.permission(behavior)
    permitted = f"{permission.key(ARRIVING)} @{permission.name}"
    is_open = behavior.filtering is not FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT
    return [
        "type nat hook prerouting priority dstnat; policy accept;",
        *(
            [f'iifname "{facts.wan}" ip daddr {facts.wan_address} {PORTED} {permitted} {to_owner}']
            if is_open
            else []
        ),
        *([f'iifname "{facts.lan}" ip daddr {facts.wan_address} {to_owner}'] if behavior.hairpinning else []),
    ]
