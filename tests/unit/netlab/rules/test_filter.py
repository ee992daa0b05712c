from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from netlab.profiles import NatProfile, profile
from netlab.rules import RouterFacts
from netlab.rules.filter import ipv4_filter, ipv6_filter
from tests.unit.netlab.rules.goldens import FACTS

Family = Callable[[NatProfile, RouterFacts], list[str]]

OUTWARD = "-A NL_FWD -i lan0 -o wan0"


def let_out(rules: list[str]) -> list[str]:
    return [rule for rule in rules if rule.startswith(OUTWARD)]


@pytest.mark.parametrize("family", [ipv4_filter, ipv6_filter])
def test_a_company_lets_out_tcp_to_its_ports_and_nothing_else(family: Family) -> None:
    rules = family(profile("corporate"), FACTS)
    assert let_out(rules) == [
        f"{OUTWARD} -p tcp --dport 80 -j ACCEPT",
        f"{OUTWARD} -p tcp --dport 443 -j ACCEPT",
    ]
    and_udp = replace(
        profile("corporate"), behavior=replace(profile("corporate").behavior, udp_blocked=False)
    )
    assert let_out(family(and_udp, FACTS))[-1] == f"{OUTWARD} -p udp -j ACCEPT"


def test_every_other_profile_lets_everything_out() -> None:
    assert let_out(ipv4_filter(profile("port-restricted"), FACTS)) == [f"{OUTWARD} -j ACCEPT"]


def test_udp_is_blocked_before_answers_are_let_in() -> None:
    rules = [rule for rule in ipv4_filter(profile("udp-blocked"), FACTS) if rule.startswith("-A NL_FWD")]
    assert rules[0] == "-A NL_FWD -p udp -j DROP"


def test_only_where_inbound_packets_do_not_refresh_may_untracked_ones_come_in() -> None:
    untracked = "-A NL_FWD -i wan0 -o lan0 -m conntrack --ctstate UNTRACKED -j ACCEPT"
    one = profile("port-restricted")
    assert untracked in ipv4_filter(profile("short-lifetime"), FACTS)
    assert untracked not in ipv4_filter(one, FACTS)
    assert untracked not in ipv6_filter(profile("short-lifetime"), replace(FACTS, has_ipv6=True))
