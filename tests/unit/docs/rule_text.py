"""The rules of a profile's routers, as a lab gives them to elsa's, in a length that can be read."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from itertools import groupby

from netlab.profiles import NatProfile
from netlab.rules import RouterFacts, RuleScript, first_rules
from netlab.rules.scripts import IPSET, NFT
from netlab.topology import Nat, Topology
from netlab.topology.scenes import two_nats
from netlab.wiring import LAN, WAN, lifetime_settings
from tests.unit.docs.page import section

_NAMES = {"nat-elsa": "Router at home", "carrier-elsa": "Carrier's NAT"}

_LONG_LIST = re.compile(r"(elements = \{(?: \d+ : \d+,){4})[^}]*,( \d+ : \d+ \})")
"""Hundreds or thousands of ports, of which the first four and the last are enough."""

_FEWEST_EQUAL_LINES = 3
"""From here on equal lines in a row are counted instead of repeated."""


def rules_section(profile: NatProfile) -> str:
    """All rules of all routers of a profile, folded away below the name of what reads them."""
    topology = two_nats(profile, profile)
    routers = [nat for nat in topology.nats if nat.name in _NAMES]
    if not routers:
        return section("Rules", "None: no router stands before the host.")
    texts = [_router(topology, nat) for nat in routers]
    command = f"`netlab up --profiles {profile.name} {profile.name}`"
    return section("Rules", f"What {command} gives to elsa's side. {_omissions(texts)}", *texts)


def engine(scripts: Sequence[RuleScript]) -> str:
    """What translates, and what helps it."""
    tools = {script.tool for script in scripts}
    if NFT in tools:
        return "nft"
    return "iptables and ipset" if IPSET in tools else "iptables"


def facts_of(topology: Topology, nat: Nat) -> RouterFacts:
    """Where a router of a lab stands, as the lab tells its rules."""
    return RouterFacts(
        wan=WAN,
        wan_address=nat.wan_address,
        lan=LAN,
        lan_network=nat.lan_network,
        hosts=topology.home_addresses(nat),
        has_ipv6=topology.has_ipv6,
    )


def shortened(text: str) -> str:
    """A script without what only repeats itself."""
    return "".join(f"{line}\n" for line in _counted(_LONG_LIST.sub(r"\1 ...\2", text).splitlines()))


def _omissions(texts: Sequence[str]) -> str:
    """What a reader must know of what is not there."""
    known = {
        " ... ": "`...` stands for the rest of a list.",
        " times\n": "`# 16 times` is said of equal lines.",
    }
    return " ".join(words for sign, words in known.items() if any(sign in text for text in texts))


def _router(topology: Topology, nat: Nat) -> str:
    scripts = first_rules(nat.profile, facts_of(topology, nat), seed=zlib.crc32(nat.name.encode()))
    settings = "".join(f"{name} = {value}\n" for name, value in lifetime_settings(nat).items())
    texts = [f"# sysctl\n{settings}", *(f"# {' '.join(one.tool)}\n{shortened(one.text)}" for one in scripts)]
    with_filter = {"nft": "one nft table, and iptables for the filter"}
    made_of = engine(scripts)
    return (
        f"<details>\n<summary>{_NAMES[nat.name]}, by {with_filter.get(made_of, made_of)}</summary>\n\n"
        "```\n" + "\n".join(texts) + "```\n\n</details>\n"
    )


def _counted(lines: Sequence[str]) -> Iterator[str]:
    for line, group in groupby(lines):
        count = len(list(group))
        if count < _FEWEST_EQUAL_LINES:
            yield from [line] * count
        else:
            yield f"{line}  # {count} times"
