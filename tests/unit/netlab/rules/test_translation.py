"""Which engine translates, what its memory holds, and for how long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from natcore.nat import FilteringBehavior, NatBehavior
from netlab.profiles import COMBINATIONS, profile
from netlab.rules import iptables, nft
from netlab.rules.memory import memories_of
from tests.unit.netlab.rules.goldens import FACTS

EXACT_IN_IPTABLES = {"eim-eif-preserving", "eim-adf-preserving", "eim-apdf-preserving", "apdm-apdf-random"}


@pytest.mark.parametrize("name", COMBINATIONS)
def test_iptables_translates_where_it_is_exact(name: str) -> None:
    assert iptables.is_exact_for(COMBINATIONS[name].behavior, FACTS) is (name in EXACT_IN_IPTABLES)


@pytest.mark.parametrize(
    "behavior",
    [
        replace(profile("port-restricted").behavior, hairpinning=True),
        profile("short-lifetime").behavior,
        profile("symmetric-small-pool").behavior,
    ],
)
def test_iptables_does_not_translate_what_needs_a_memory_of_ports(behavior: NatBehavior) -> None:
    assert not iptables.is_exact_for(behavior, FACTS)


def test_an_opened_port_is_forgotten_with_its_mapping() -> None:
    short = NatBehavior(filtering=FilteringBehavior.ENDPOINT_INDEPENDENT, mapping_lifetime=5.0)
    sets = iptables.translation(short, FACTS).sets
    assert sets
    assert all(line.endswith(" timeout 5") for line in sets)


def test_every_memory_of_the_table_ends_with_the_mapping() -> None:
    behavior = profile("short-lifetime").behavior
    text = nft.table(behavior, FACTS, seed=1)
    for memory in memories_of(behavior):
        assert memory.declaration(3) in text
    assert text.count("timeout 3s;") == len(memories_of(behavior))


@pytest.mark.parametrize("pool", [1, 15, 16, 17, 256, 257, 4096])
def test_a_pool_is_tried_to_its_last_port_and_then_the_packet_is_dropped(pool: int) -> None:
    behavior = replace(profile("symmetric-small-pool").behavior, port_pool=pool)
    text = nft.table(behavior, FACTS, seed=1)
    assert pool <= picks(text, "try_all") < pool + 256
    assert "    jump try_all\n    drop\n" in text


def picks(text: str, chain: str) -> int:
    """How often ``pick`` is reached from a chain."""
    if chain == "pick":
        return 1
    body = text.split(f"chain {chain} {{\n")[1].split("  }")[0]
    return sum(picks(text, line.split()[1]) for line in body.splitlines())
