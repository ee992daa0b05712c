from __future__ import annotations

import pytest

from natcore.nat import (
    EarlyInbound,
    FilteringBehavior,
    MappingBehavior,
    NatBehavior,
    Outcome,
    PortAllocation,
    expected_outcome,
)

EIM, ADM, APDM = MappingBehavior
EIF, ADF, APDF = FilteringBehavior

PORT_RESTRICTED = NatBehavior(filtering=APDF)
RANDOM_CONE = NatBehavior(filtering=APDF, allocation=PortAllocation.RANDOM)
FULL_CONE = NatBehavior(filtering=EIF)
SYMMETRIC = NatBehavior(mapping=APDM, filtering=APDF, allocation=PortAllocation.RANDOM)
NAIVE = NatBehavior(filtering=APDF, early_inbound=EarlyInbound.REMAPS)

KINDS = {
    "open": NatBehavior(),
    "firewall": NatBehavior(filtering=APDF),
    "full cone": FULL_CONE,
    "address-restricted": NatBehavior(filtering=ADF),
    "port-restricted": PORT_RESTRICTED,
    "random cone": RANDOM_CONE,
    "address-dependent": NatBehavior(mapping=ADM, filtering=APDF, allocation=PortAllocation.RANDOM),
    "symmetric": SYMMETRIC,
    "sequential": NatBehavior(mapping=APDM, filtering=APDF, allocation=PortAllocation.SEQUENTIAL),
    "symmetric, open filter": NatBehavior(mapping=APDM, filtering=EIF),
    "symmetric, address filter": NatBehavior(mapping=APDM, filtering=ADF),
    "carrier, both restricted": PORT_RESTRICTED.behind(RANDOM_CONE),
    "carrier, symmetric": FULL_CONE.behind(SYMMETRIC),
    "naive": NAIVE,
    "udp blocked": NatBehavior(udp_blocked=True),
}

# Measured with real kernels, three start skews a pair: Y always, - never, * only when nothing arrives early.
MEASURED = """
    Y Y Y Y Y Y Y Y Y Y Y Y Y Y -
    Y Y Y Y Y Y - - - Y - Y - * -
    Y Y Y Y Y Y Y Y Y Y Y Y Y Y -
    Y Y Y Y Y Y Y Y Y Y Y Y Y Y -
    Y Y Y Y Y Y - - - Y - Y - * -
    Y Y Y Y Y Y - - - Y - Y - * -
    Y - Y Y - - - - - Y - - - - -
    Y - Y Y - - - - - Y - - - - -
    Y - Y Y - - - - - Y - - - - -
    Y Y Y Y Y Y Y Y Y Y Y Y Y Y -
    Y - Y Y - - - - - Y - - - - -
    Y Y Y Y Y Y - - - Y - Y - * -
    Y - Y Y - - - - - Y - - - - -
    Y * Y Y * * - - - Y - * - * -
    - - - - - - - - - - - - - - -
"""
MEANING = {"Y": Outcome.DIRECT, "-": Outcome.IMPOSSIBLE, "*": Outcome.TIMING}


def measured_pairs() -> list[tuple[str, str, Outcome]]:
    rows = [line.split() for line in MEASURED.strip().splitlines()]
    return [
        (a, b, MEANING[mark])
        for a, row in zip(KINDS, rows, strict=True)
        for b, mark in zip(KINDS, row, strict=True)
    ]


@pytest.mark.parametrize(("a", "b", "measured"), measured_pairs())
def test_the_law_says_what_was_measured(a: str, b: str, measured: Outcome) -> None:
    assert expected_outcome(KINDS[a], KINDS[b]) is measured


def test_the_law_does_not_care_who_is_first() -> None:
    for a in KINDS.values():
        for b in KINDS.values():
            assert expected_outcome(a, b) is expected_outcome(b, a)


@pytest.mark.parametrize("mapping", MappingBehavior)
@pytest.mark.parametrize("filtering", FilteringBehavior)
def test_no_nat_in_front_changes_nothing(mapping: MappingBehavior, filtering: FilteringBehavior) -> None:
    inner = NatBehavior(mapping=mapping, filtering=filtering, allocation=PortAllocation.RANDOM)
    assert inner.behind(NatBehavior()) == inner


def test_a_chain_maps_as_its_less_independent_nat_whichever_comes_first() -> None:
    assert FULL_CONE.behind(SYMMETRIC).mapping is APDM
    assert SYMMETRIC.behind(FULL_CONE).mapping is APDM


def test_a_chain_filters_as_its_stricter_nat_whichever_comes_first() -> None:
    address_restricted = NatBehavior(filtering=ADF)
    assert FULL_CONE.behind(address_restricted).filtering is ADF
    assert address_restricted.behind(PORT_RESTRICTED).filtering is APDF


def test_the_outermost_nat_that_translates_ports_chooses_them() -> None:
    sequential = NatBehavior(allocation=PortAllocation.SEQUENTIAL)
    assert RANDOM_CONE.behind(sequential).allocation is PortAllocation.SEQUENTIAL
    assert sequential.behind(PORT_RESTRICTED).allocation is PortAllocation.SEQUENTIAL


def test_a_chain_forgets_as_fast_as_its_most_forgetful_nat() -> None:
    short = NatBehavior(mapping_lifetime=30.0)
    assert short.behind(FULL_CONE).mapping_lifetime == 30.0
    assert FULL_CONE.behind(short).mapping_lifetime == 30.0


def test_two_homes_behind_a_carrier_meet_where_the_carrier_hairpins() -> None:
    assert PORT_RESTRICTED.behind(NatBehavior(hairpinning=True)).hairpinning
    assert not NatBehavior(hairpinning=True).behind(PORT_RESTRICTED).hairpinning


def test_one_nat_that_blocks_udp_blocks_the_chain() -> None:
    blocked = NatBehavior(udp_blocked=True)
    assert blocked.behind(FULL_CONE).udp_blocked
    assert FULL_CONE.behind(blocked).udp_blocked


@pytest.mark.parametrize(
    ("outer", "expected"),
    [(FULL_CONE, EarlyInbound.REMAPS), (PORT_RESTRICTED, EarlyInbound.DROPS), (NAIVE, EarlyInbound.REMAPS)],
    ids=["open filter", "strict filter", "naive itself"],
)
def test_a_naive_nat_is_protected_only_by_a_strict_filter_in_front(
    outer: NatBehavior, expected: EarlyInbound
) -> None:
    assert NAIVE.behind(outer).early_inbound is expected
