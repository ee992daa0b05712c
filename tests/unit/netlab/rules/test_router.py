"""All the scripts of a router, compared with what was measured."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from natcore.nat import EarlyInbound, FilteringBehavior, NatBehavior
from netlab.errors import UnsupportedBehavior
from netlab.profiles import COMBINATIONS, PROFILES, Boundary, NatProfile, profile
from netlab.rules import first_rules, forget_scripts, install_chains, router_rules
from tests.unit.netlab.rules.goldens import FACTS, compare_with_golden, text_of

DUAL_STACK = replace(FACTS, has_ipv6=True)
TWO_HOSTS = replace(FACTS, hosts=(*FACTS.hosts, IPv4Address("192.168.1.11")))


def carriers_router(one: NatProfile) -> NatProfile:
    assert one.carrier is not None
    return replace(one, name=f"{one.name}-carrier", behavior=one.carrier, carrier=None)


ROUTERS = {
    one.name: one
    for named in [*PROFILES.values(), *COMBINATIONS.values()]
    if named.boundary is not Boundary.NONE
    for one in [named, *([carriers_router(named)] if named.carrier else [])]
}


@pytest.mark.parametrize("name", ROUTERS)
def test_a_router_has_the_rules_that_were_measured(name: str) -> None:
    compare_with_golden(name, router_rules(ROUTERS[name], FACTS))


def test_the_chains_are_hooked_in_once() -> None:
    compare_with_golden("chains", install_chains(has_ipv6=True))


def test_a_dual_stack_router_filters_ipv6_and_translates_nothing_there() -> None:
    compare_with_golden("dual-stack", router_rules(profile("corporate"), DUAL_STACK))


@pytest.mark.parametrize("name", ROUTERS)
def test_only_chains_of_our_own_are_written(name: str) -> None:
    scripts = [*first_rules(ROUTERS[name], DUAL_STACK), *router_rules(ROUTERS[name], DUAL_STACK)]
    for script in scripts:
        if script.tool[0] not in ("iptables-restore", "ip6tables-restore"):
            continue
        for line in script.text.splitlines():
            is_hook = line.startswith("-A ") and line.split()[-2:-1] == ["-j"] and "NL_" in line.split()[-1]
            assert not line.startswith("-A ") or line.startswith("-A NL_") or is_hook, line
            assert not line.startswith(":") or line.startswith((":NL_", ":FORWARD DROP")), line


@pytest.mark.parametrize("name", ROUTERS)
def test_a_bare_router_gets_what_install_and_rules_would_give_it(name: str) -> None:
    def rules_of(text: str) -> list[str]:
        return [line for line in text.splitlines() if line.startswith(("-A NL_", "create", "  "))]

    at_once = text_of(first_rules(ROUTERS[name], DUAL_STACK))
    *_closing, _conntrack, _sets, _table, ipv4, ipv6 = router_rules(ROUTERS[name], DUAL_STACK)
    in_turn = text_of([_sets, _table, ipv4, ipv6])
    assert rules_of(at_once) == rules_of(in_turn)


@pytest.mark.parametrize("name", ROUTERS)
def test_every_nat_but_the_naive_one_drops_what_is_unsolicited(name: str) -> None:
    final = router_rules(ROUTERS[name], FACTS)[-1]
    remaps = ROUTERS[name].behavior.early_inbound is EarlyInbound.REMAPS
    assert ("-A NL_IN -i wan0 -j DROP" in final.text) is not remaps


@pytest.mark.parametrize("name", ROUTERS)
def test_nothing_passes_while_the_rules_change_and_mappings_are_forgotten(name: str) -> None:
    closing, forgetting, *_, last = router_rules(ROUTERS[name], FACTS)
    assert "-A NL_FWD" not in closing.text
    assert "-A NL_IN -i wan0 -j DROP" in closing.text
    assert forgetting.tool == ("conntrack", "-F")
    assert "-A NL_FWD" in last.text


def test_the_sets_are_there_before_the_rules_that_name_them() -> None:
    tools = [script.tool[0] for script in first_rules(profile("full-cone"), FACTS)]
    assert tools == ["ipset", "iptables-restore"]


def test_old_sets_are_destroyed_when_no_rule_names_them_any_more() -> None:
    tools = [script.tool[0] for script in router_rules(profile("port-restricted"), FACTS)]
    assert tools == ["iptables-restore", "conntrack", "ipset", "nft", "iptables-restore"]


@pytest.mark.parametrize(
    ("name", "memories"),
    [
        ("port-restricted", []),
        ("full-cone", ["flush nl-udp-192.168.1.10", "flush nl-tcp-192.168.1.10"]),
        ("non-preserving-cone", ["flush set ip netlab used", "flush map ip netlab mapping"]),
        ("stateful-firewall", []),
    ],
)
def test_forgetting_empties_every_memory_while_nothing_passes(name: str, memories: list[str]) -> None:
    closing, conntrack, *others, opening = forget_scripts(profile(name), FACTS)
    assert conntrack.tool == ("conntrack", "-F")
    assert [line for script in others for line in script.text.splitlines()] == memories
    assert "ACCEPT" not in closing.text
    assert "-A NL_FWD" in opening.text
    assert opening.text in router_rules(profile(name), FACTS)[-1].text


@pytest.mark.parametrize("name", ROUTERS)
def test_rules_are_the_same_for_the_same_seed(name: str) -> None:
    assert router_rules(ROUTERS[name], FACTS, seed=7) == router_rules(ROUTERS[name], FACTS, seed=7)


@pytest.mark.parametrize("name", ["symmetric-sequential", "symmetric-small-pool"])
def test_another_seed_gives_other_ports(name: str) -> None:
    assert router_rules(profile(name), FACTS, seed=1) != router_rules(profile(name), FACTS, seed=2)


def test_two_hosts_with_the_same_source_port_need_the_nft_table() -> None:
    assert [one.tool[0] for one in first_rules(profile("port-restricted"), FACTS)] == ["iptables-restore"]
    with_two = [one.tool[0] for one in first_rules(profile("port-restricted"), TWO_HOSTS)]
    assert with_two == ["nft", "iptables-restore"]


def firewall(behavior: NatBehavior) -> NatProfile:
    return replace(profile("stateful-firewall"), behavior=behavior)


RESTRICTED = profile("stateful-firewall").behavior


@pytest.mark.parametrize(
    "impossible",
    [
        profile("open"),
        firewall(replace(RESTRICTED, filtering=FilteringBehavior.ENDPOINT_INDEPENDENT)),
        firewall(replace(RESTRICTED, inbound_refresh=False)),
        firewall(replace(RESTRICTED, early_inbound=EarlyInbound.REMAPS)),
        replace(profile("symmetric"), behavior=replace(profile("symmetric").behavior, port_pool=0)),
        replace(
            profile("symmetric-sequential"),
            behavior=replace(profile("symmetric-sequential").behavior, port_step=0),
        ),
        replace(
            profile("apdm-eif-random"),
            behavior=replace(profile("apdm-eif-random").behavior, inbound_refresh=False),
        ),
    ],
)
def test_what_has_no_exact_rules_is_refused_rather_than_approximated(impossible: NatProfile) -> None:
    with pytest.raises(UnsupportedBehavior):
        router_rules(impossible, FACTS)


def test_a_firewall_translates_nothing() -> None:
    assert profile("stateful-firewall").boundary is Boundary.FIREWALL
    text = text_of(router_rules(profile("stateful-firewall"), FACTS))
    assert "NAT --to" not in text
    assert "snat to" not in text
