"""What a report means, a case each."""

from __future__ import annotations

from dataclasses import replace

import pytest

from natcore.discovery import DiscoveryReport, Known, MappingLifetime, WanSide
from natcore.nat import FilteringBehavior, MappingBehavior, NatBehavior, Outcome, expected_outcome
from netlab.profiles import COMBINATIONS, PROFILES
from peer.check.verdict import (
    ALLOW_UDP,
    ASK_A_FULL_SERVER,
    ASK_THE_CARRIER,
    OPEN_A_PORT,
    SWITCH_OFF_SYMMETRIC,
    USE_IPV6,
    Verdict,
    judge,
)
from tests.unit.natcore.discovery.reports import UNSEEN, report_of, silent, symmetric

EIF, ADF, APDF = FilteringBehavior
EIM, ADM, APDM = MappingBehavior
HOME = NatBehavior(filtering=APDF)
EVERYTHING = {**PROFILES, **COMBINATIONS}


def judged(
    report: DiscoveryReport | None,
    *,
    has_mapped_port: bool = False,
    has_gateway: bool = False,
    has_ipv6: bool = False,
) -> Verdict:
    return judge(report, has_mapped_port=has_mapped_port, has_gateway=has_gateway, has_ipv6=has_ipv6)


# --- nothing to judge ---------------------------------------------------------------------------------------


def test_without_ipv4_ipv6_may_do() -> None:
    assert judged(None).sentence == "there is no IPv4 here"
    assert judged(None, has_ipv6=True).sentence == "there is no IPv4 here, IPv6 works"


def test_blocked_udp_is_said_and_what_to_do() -> None:
    verdict = judged(silent(is_blocked=True))
    assert verdict.sentence == "UDP is blocked: nobody can be met directly"
    assert verdict.advice == (ALLOW_UDP,)
    assert judged(silent(is_blocked=True), has_ipv6=True).advice == (ALLOW_UDP, USE_IPV6)


def test_of_a_server_that_may_be_gone_nothing_can_be_said() -> None:
    verdict = judged(silent(is_blocked=False), has_gateway=True)
    assert verdict.sentence.startswith("nothing can be said: ")
    assert "may be gone" in verdict.sentence
    assert verdict.advice == ()


@pytest.mark.parametrize("missing", ["mapping", "filtering"])
def test_what_is_half_known_asks_for_a_better_server(missing: str) -> None:
    verdict = judged(report_of(None, **{missing: UNSEEN}))
    assert verdict.advice == (ASK_A_FULL_SERVER,)
    expected = "the filter is unknown" if missing == "filtering" else "not enough is known"
    assert expected in verdict.sentence


# --- what a NAT can do --------------------------------------------------------------------------------------

ANYBODY = "direct with anybody whose UDP is not blocked"
NOT_SYMMETRIC = "direct with any NAT, with a symmetric one after some probing"
STRANGERS = "direct at once only with peers that let strangers in"


@pytest.mark.parametrize(
    ("mapping", "filtering", "expected"),
    [
        (EIM, EIF, ANYBODY),
        (ADM, EIF, ANYBODY),
        (APDM, EIF, ANYBODY),
        (EIM, ADF, ANYBODY),
        (ADM, ADF, STRANGERS),
        (APDM, ADF, STRANGERS),
        (EIM, APDF, NOT_SYMMETRIC),
        (ADM, APDF, STRANGERS),
        (APDM, APDF, STRANGERS),
    ],
)
def test_each_mapping_with_each_filter_has_its_sentence(
    mapping: MappingBehavior, filtering: FilteringBehavior, expected: str
) -> None:
    verdict = judged(report_of(NatBehavior(mapping=mapping, filtering=filtering)))
    assert verdict.sentence.startswith(expected)


@pytest.mark.parametrize("name", [name for name, one in EVERYTHING.items() if not one.seen.udp_blocked])
def test_the_sentence_is_what_the_law_says_about_the_kinds_of_peers(name: str) -> None:
    own = EVERYTHING[name].seen
    sentence = judged(report_of(own)).sentence

    def meets(peer: NatBehavior) -> bool:
        return expected_outcome(own, peer) is not Outcome.IMPOSSIBLE

    assert meets(NatBehavior()), "who lets strangers in is met by all"
    assert (sentence == ANYBODY) == meets(symmetric())
    assert sentence.startswith(STRANGERS) == (not meets(HOME))


# --- advice -------------------------------------------------------------------------------------------------


def test_who_meets_everybody_needs_no_advice() -> None:
    assert judged(report_of(NatBehavior())).advice == ()
    assert judged(report_of(NatBehavior(filtering=ADF))).advice == ()


@pytest.mark.parametrize(("has_gateway", "expected"), [(False, (OPEN_A_PORT,)), (True, ())])
def test_a_home_without_port_mapping_is_told_of_it(has_gateway: bool, expected: tuple[str, ...]) -> None:
    assert judged(report_of(HOME), has_gateway=has_gateway).advice == expected


def test_a_symmetric_nat_is_told_how_to_be_none() -> None:
    assert judged(report_of(symmetric())).advice == (OPEN_A_PORT, SWITCH_OFF_SYMMETRIC)
    assert judged(report_of(symmetric()), has_gateway=True).advice == (SWITCH_OFF_SYMMETRIC,)


def test_a_firewall_without_translation_has_no_port_to_open_by_upnp() -> None:
    assert judged(report_of(HOME, translated=Known(False, "seen as it is"))).advice == ()


def test_behind_a_carrier_only_the_carrier_can_help() -> None:
    carrier = Known(WanSide.CARRIER, "100.64.0.1")
    assert judged(report_of(symmetric(), wan_side=carrier)).advice == (ASK_THE_CARRIER,)
    assert judged(report_of(HOME, wan_side=carrier), has_ipv6=True).advice == (ASK_THE_CARRIER, USE_IPV6)


def test_a_mapped_port_makes_everything_good() -> None:
    verdict = judged(report_of(symmetric()), has_mapped_port=True, has_gateway=True)
    assert verdict.sentence == f"{ANYBODY}, by a port that the gateway opens"
    assert verdict.advice == ()


@pytest.mark.parametrize(("at_most", "is_told"), [(29.9, True), (30.0, False), (None, False)])
@pytest.mark.parametrize("has_mapped_port", [False, True])
def test_a_short_lifetime_is_told(at_most: float | None, is_told: bool, has_mapped_port: bool) -> None:
    life = Known(MappingLifetime(at_least=19.95, at_most=at_most), "seen")
    report = replace(report_of(HOME), mapping_lifetime=life)
    advice = judged(report, has_gateway=True, has_mapped_port=has_mapped_port).advice
    assert advice == (("mappings die after 19.9 s: programs must send more often than that",) * is_told)
