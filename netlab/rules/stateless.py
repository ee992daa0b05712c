"""Letting packets in that do not keep their mapping alive (RFC 4787 REQ-6: "NAT Inbound refresh behavior").

Every packet that connection tracking sees renews the flow's life. So it does not see UDP from outside: what
the filter permits is turned to the inside host before tracking, with plain writes into the packet, and is
``notrack``; what it does not permit is dropped there too, lest it renew a flow in the last moment before that
flow ends. Packets on the way out are tracked as ever, so a mapping lives for as long as *they* come.

Exact as long as one external port has one inside endpoint, and as long as the answer to a packet leaves from
the port that the packet came to. That is not so for a sender whom the filter permits and the mapping does not
know: its answer would get a mapping of its own.
"""

from __future__ import annotations

from natcore.nat import EarlyInbound, FilteringBehavior, MappingBehavior, NatBehavior
from netlab.errors import UnsupportedBehavior
from netlab.rules import memory
from netlab.rules.memory import ARRIVING
from netlab.rules.scripts import RouterFacts

_WITHOUT_CHECKSUM = 1
"""The mark of a UDP packet that came without a checksum; nothing else marks packets on their way in."""


def chains(behavior: NatBehavior, facts: RouterFacts) -> dict[str, list[str]]:
    """The rules of each chain by its name; none where packets from outside do keep mappings alive.

    Raises:
        UnsupportedBehavior: the filter permits whom the mapping does not know.
    """
    if behavior.inbound_refresh:
        return {}
    if not _mapping_knows_whom_filter_permits(behavior):
        pair = f"{behavior.mapping.value} mapping with {behavior.filtering.value} filtering"
        raise UnsupportedBehavior(f"no rules for {pair} where inbound packets do not refresh")
    permission = memory.permission(behavior)
    from_outside = f'iifname "{facts.wan}" ip daddr {facts.wan_address} meta l4proto udp'
    drops = behavior.early_inbound is EarlyInbound.DROPS
    return {
        "turn": [
            "notrack",
            f"udp checksum 0 meta mark set {_WITHOUT_CHECKSUM}",
            f"ip daddr set {memory.INSIDE_ADDRESS.lookup(ARRIVING)}",
            f"udp dport set {memory.INSIDE_PORT.lookup(ARRIVING)}",
            f"meta mark {_WITHOUT_CHECKSUM} udp checksum set 0",  # writing has made it a wrong one
        ],
        "arrive": [
            "type filter hook prerouting priority raw; policy accept;",
            f"{from_outside} {permission.key(ARRIVING)} @{permission.name} goto turn",
            *([f"{from_outside} drop"] if drops else []),
        ],
    }


def _mapping_knows_whom_filter_permits(behavior: NatBehavior) -> bool:
    """Both enums go from the most to the least independent."""
    strictness = list(FilteringBehavior).index(behavior.filtering)
    return strictness >= list(MappingBehavior).index(behavior.mapping)
