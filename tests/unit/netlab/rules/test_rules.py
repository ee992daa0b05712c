"""The rules of each profile, compared with what was measured.

The golden files are the rules as the lab's proof measured them. After a wanted change, write them again with
``NETLAB_WRITE_GOLDEN=1 pytest tests/unit/netlab/test_rules.py`` and run the lab tests.
"""

from __future__ import annotations

import os
from ipaddress import IPv4Address, IPv4Network
from itertools import product
from pathlib import Path

import pytest

from natcore.nat import (
    EarlyInbound,
    FilteringBehavior,
    MappingBehavior,
    NatBehavior,
    PortAllocation,
)
from netlab.errors import UnsupportedBehavior
from netlab.profiles import OPEN, PROFILES
from netlab.rules import RouterFacts, RuleScript, core_rules, install_chains, router_rules
from netlab.rules.iptables import _nat_rules

GOLDEN = Path(__file__).parent / "golden"
FACTS = RouterFacts(
    wan="wan0",
    wan_address=IPv4Address("203.0.113.7"),
    lan="lan0",
    lan_network=IPv4Network("192.168.1.0/24"),
    hosts=(IPv4Address("192.168.1.10"), IPv4Address("192.168.1.11")),
)
NATS = [name for name in PROFILES if name != OPEN]


def text_of(scripts: tuple[RuleScript, ...]) -> str:
    return "\n".join(f"# {' '.join(script.tool)}\n{script.text}" for script in scripts)


def compare_with_golden(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.rules"
    if os.environ.get("NETLAB_WRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NATS)
def test_a_profile_has_the_rules_that_were_measured(name: str) -> None:
    compare_with_golden(name, text_of(router_rules(PROFILES[name], FACTS)))


def test_the_chains_are_hooked_in_once() -> None:
    compare_with_golden("chains", text_of(install_chains()))


def test_the_core_loses_first_and_delays_the_rest() -> None:
    compare_with_golden("core", text_of((core_rules(delayed=True, loss=0.05),)))


@pytest.mark.parametrize("name", NATS)
def test_only_chains_of_our_own_are_written(name: str) -> None:
    for script in router_rules(PROFILES[name], FACTS):
        for line in script.text.splitlines():
            assert not line.startswith("-A") or line.startswith("-A NL_"), line
            assert not line.startswith(":") or line.startswith((":NL_", ":FORWARD DROP")), line


@pytest.mark.parametrize("name", NATS)
def test_every_nat_but_the_naive_one_drops_what_is_unsolicited(name: str) -> None:
    text = text_of(router_rules(PROFILES[name], FACTS))
    remaps = PROFILES[name].behavior.early_inbound is EarlyInbound.REMAPS
    assert ("-A NL_IN -i wan0 -j DROP" in text) is not remaps


def test_the_sets_are_there_before_the_rules_that_name_them() -> None:
    tools = [script.tool[0] for script in router_rules(PROFILES["full-cone"], FACTS)]
    assert tools == ["ipset", "iptables-restore"]


def test_an_opened_port_is_forgotten_with_its_mapping() -> None:
    short = NatBehavior(filtering=FilteringBehavior.ENDPOINT_INDEPENDENT, mapping_lifetime=5.0)
    sets = _nat_rules(short, FACTS)[0].text.splitlines()
    assert sets
    assert all(line.endswith(" timeout 5") for line in sets)


SUPPORTED = {
    (PROFILES[name].behavior.mapping, PROFILES[name].behavior.filtering, PROFILES[name].behavior.allocation)
    for name in NATS
}


@pytest.mark.parametrize(
    ("mapping", "filtering", "allocation"),
    [case for case in product(MappingBehavior, FilteringBehavior, PortAllocation) if case not in SUPPORTED],
)
def test_a_behaviour_without_exact_rules_is_refused_rather_than_approximated(
    mapping: MappingBehavior, filtering: FilteringBehavior, allocation: PortAllocation
) -> None:
    with pytest.raises(UnsupportedBehavior):
        _nat_rules(NatBehavior(mapping=mapping, filtering=filtering, allocation=allocation), FACTS)


def test_hairpinning_is_refused_until_there_are_rules_for_it() -> None:
    with pytest.raises(UnsupportedBehavior):
        _nat_rules(NatBehavior(hairpinning=True), FACTS)
