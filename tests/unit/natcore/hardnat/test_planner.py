from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import inf

import pytest

from natcore.hardnat import GiveUpReason, HardNatLimits, Plan, Role, SideSummary, Technique, plan
from natcore.hardnat.means import PREDICTION_SOCKETS
from natcore.hardnat.planner import _TABLE, _Kind
from tests.unit.natcore.hardnat.sides import (
    ADF,
    ADM,
    APDF,
    APDM,
    EASY,
    EIF,
    EIM,
    HARD,
    HARD_OPEN,
    NEXT,
    NEXT_OPEN,
    PRESERVING,
    RANDOM,
    SEQUENTIAL_PORTS,
    sequential,
    side,
)

LIMITS = HardNatLimits()
BLOCKED = SideSummary(udp_blocked=True)
OPEN_TO_ALL = side(APDM, EIF, RANDOM)
FORWARDED = replace(HARD, has_mapped_port=True)


def planned(own: SideSummary, peer: SideSummary) -> Plan:
    return plan(own, peer, LIMITS)


@pytest.mark.parametrize(
    ("own", "peer", "technique", "role", "peer_role"),
    [
        (BLOCKED, EASY, Technique.GIVE_UP, Role.REST, Role.REST),
        (EASY, EASY, Technique.PLAIN, Role.CHECK, Role.CHECK),
        (HARD, OPEN_TO_ALL, Technique.PLAIN, Role.CHECK, Role.CHECK),
        (HARD, side(EIM, ADF, PRESERVING), Technique.PLAIN, Role.CHECK, Role.CHECK),
        (SideSummary(), SideSummary(), Technique.PLAIN, Role.CHECK, Role.CHECK),
        (FORWARDED, FORWARDED, Technique.MAPPED_PORT, Role.CALL, Role.CALL),
        (FORWARDED, HARD, Technique.MAPPED_PORT, Role.WAIT, Role.CALL),
        (EASY, NEXT, Technique.PREDICTION, Role.SPRAY, Role.HOLD),
        (EASY, NEXT_OPEN, Technique.PREDICTION, Role.SPRAY, Role.HOLD),
        (EASY, HARD, Technique.BIRTHDAY, Role.SPRAY, Role.HOLD),
        (EASY, HARD_OPEN, Technique.BIRTHDAY, Role.SPRAY, Role.HOLD),
        (SideSummary(sockets=256, packets=2000), HARD, Technique.BIRTHDAY, Role.SPRAY, Role.HOLD),
        (EASY, side(ADM, APDF, RANDOM), Technique.BIRTHDAY, Role.SPRAY, Role.HOLD),
        (EASY, side(APDM, APDF, SEQUENTIAL_PORTS, step=1), Technique.BIRTHDAY, Role.SPRAY, Role.HOLD),
        (NEXT, NEXT, Technique.PREDICTION, Role.SWEEP, Role.SWEEP),
        (NEXT, NEXT_OPEN, Technique.PREDICTION, Role.SWEEP, Role.SWEEP),
        (NEXT_OPEN, HARD, Technique.PREDICTION, Role.HOLD, Role.SPRAY),
        (NEXT_OPEN, HARD_OPEN, Technique.PREDICTION, Role.HOLD, Role.SPRAY),
        (HARD_OPEN, NEXT, Technique.BIRTHDAY, Role.HOLD, Role.SPRAY),
        (HARD_OPEN, HARD, Technique.BIRTHDAY, Role.HOLD, Role.SPRAY),
        (HARD_OPEN, HARD_OPEN, Technique.BIRTHDAY, Role.SCATTER, Role.SCATTER),
        (HARD, HARD, Technique.GIVE_UP, Role.REST, Role.REST),
        (HARD, NEXT, Technique.GIVE_UP, Role.REST, Role.REST),
    ],
)
def test_the_rows_of_the_table(
    own: SideSummary, peer: SideSummary, technique: Technique, role: Role, peer_role: Role
) -> None:
    ours, theirs = planned(own, peer), planned(peer, own)
    assert (ours.technique, ours.role) == (technique, role), ours.evidence
    assert (theirs.technique, theirs.role) == (technique, peer_role), theirs.evidence


def test_the_table_has_every_pair_that_plain_checks_leave_once() -> None:
    for ours, theirs in product(_Kind, _Kind):
        if ours is theirs is _Kind.EASY:
            continue
        rows = {(ours, theirs), (theirs, ours)} & set(_TABLE)
        assert len(rows) == 1, f"{ours.value} x {theirs.value}: {len(rows)} rows"


def test_birthday_probing_has_its_numbers() -> None:
    easy, hard = planned(EASY, HARD), planned(HARD, EASY)
    assert (hard.sockets, hard.packets, hard.opener_ttl) == (256, 768, 5)
    assert (easy.sockets, easy.packets, easy.opener_ttl) == (0, 1850, None)
    assert easy.probability == hard.probability > 0.999
    assert easy.median_seconds == hard.median_seconds == pytest.approx(0.95, abs=0.05)
    assert easy.duration == hard.duration == pytest.approx(8 + 1.024 + 1.0)
    assert easy.rate == 250


def test_few_sockets_hold_where_the_port_is_predicted() -> None:
    assert planned(NEXT, EASY).sockets == PREDICTION_SOCKETS


def test_our_own_limits_bind_our_packets() -> None:
    strict = HardNatLimits(max_sockets=10, max_packets=20)
    assert plan(HARD, EASY, strict).sockets == 10
    assert plan(EASY, HARD, strict).packets == 20
    sweeping = plan(NEXT, NEXT, strict)
    assert sweeping.target is not None
    assert sweeping.sockets == len(sweeping.target.aims) == 10


def test_a_peer_that_says_it_is_slow_does_not_keep_us() -> None:
    assert planned(HARD, replace(EASY, packet_rate=1)).duration == LIMITS.max_duration


def test_the_slower_side_sets_the_pace() -> None:
    slow = replace(EASY, packet_rate=50)
    assert planned(HARD, slow).rate == planned(slow, HARD).rate == 50


@pytest.mark.parametrize(
    ("own", "peer"),
    [(replace(EASY, packets=50), HARD), (EASY, replace(HARD, sockets=4)), (EASY, replace(NEXT, sockets=0))],
    ids=["few packets", "few sockets", "no sockets"],
)
def test_what_would_hardly_meet_is_given_up(own: SideSummary, peer: SideSummary) -> None:
    for given_up in (planned(own, peer), planned(peer, own)):
        assert given_up.technique is Technique.GIVE_UP
        assert given_up.reason is GiveUpReason.TOO_EXPENSIVE
        assert "% of attempts" in given_up.evidence
        assert given_up.probability < 0.5
        assert given_up.packets == 0


def test_giving_up_says_why() -> None:
    blocked, unpredictable = planned(EASY, BLOCKED), planned(HARD, NEXT)
    assert blocked.reason is GiveUpReason.UDP_BLOCKED
    assert blocked.evidence == "no UDP passes the peer's network"
    assert unpredictable.reason is GiveUpReason.BOTH_UNPREDICTABLE
    assert unpredictable.evidence == (
        "our NAT gives each destination a random port and lets in endpoints that it has sent to, the peer's"
        " gives each destination a port +1 from the last, others taking about 2 a second and lets in"
        " endpoints that it has sent to: neither can aim at the other"
    )
    assert unpredictable.median_seconds == inf
    assert unpredictable.duration < 3.0


def test_a_small_pool_is_named_and_spared() -> None:
    small = side(lowest=20_000, highest=20_220)
    holding = planned(small, EASY)
    assert "a random port of 19973 to 20247" in holding.evidence
    assert holding.sockets == 275 // 4
    assert planned(small, HARD_OPEN).reason is GiveUpReason.TOO_EXPENSIVE, "each of its probes takes a port"


def test_odds_of_two_sequential_nats_fall_with_what_others_take() -> None:
    quiet = planned(NEXT, NEXT)
    busy_side = sequential(40000, 40100, 40200, every=0.5)
    busy = planned(busy_side, busy_side)
    assert quiet.probability > 0.999
    assert 0.5 < busy.probability < quiet.probability
    assert quiet.sockets == 256
    assert quiet.packets == 768


def test_unknown_behaviour_is_said() -> None:
    assert "could not be measured" in planned(SideSummary(sockets=9), HARD).evidence


def test_openers_die_behind_our_nat_where_its_distance_is_known() -> None:
    assert plan(HARD, EASY, HardNatLimits()).opener_ttl == 5
    assert plan(HARD, EASY, HardNatLimits(), opener_ttl=2).opener_ttl == 2
    assert plan(HARD, EASY, HardNatLimits(opener_ttl=None), opener_ttl=2).opener_ttl is None
    assert plan(EASY, HARD, HardNatLimits(), opener_ttl=2).opener_ttl is None, "who sprays means to arrive"
