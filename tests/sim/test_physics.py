"""Every pair of NAT behaviours connects, or fails with a reason, as the law in natcore.nat says."""

from __future__ import annotations

from itertools import combinations_with_replacement

import pytest

from natcore.channel import SessionConfirmed, SessionEnded
from natcore.ice import FailureReason, IceConfig
from natcore.nat import NatBehavior, Outcome, expected_outcome
from tests.sim.nats import BEHAVIORS, FULL_CONE, PORT_RESTRICTED, SYMMETRIC
from tests.sim.pair import SessionPair, make_sites, payloads

GIVE_UP_AFTER = IceConfig().give_up_after
PAIRS = list(combinations_with_replacement(BEHAVIORS, 2))


@pytest.mark.parametrize("skew", [0.0, 0.02, 0.3, 2.0], ids=lambda skew: f"skew {skew} s")
@pytest.mark.parametrize(("first", "second"), PAIRS, ids=lambda name: str(name))
def test_a_pair_comes_to_what_the_law_expects(first: str, second: str, skew: float) -> None:
    sides = BEHAVIORS[first], BEHAVIORS[second]
    pair = SessionPair(make_sites(*sides))
    expected = expected_outcome(*(side or NatBehavior() for side in sides))

    pair.start(skew=skew)
    pair.advance(GIVE_UP_AFTER + 0.001)

    for side in (pair.elsa, pair.anna):
        has_path = bool(side.events(SessionConfirmed))
        assert has_path is (expected is Outcome.DIRECT), f"{side.name} {side.log}"
        assert bool(side.events(SessionEnded)) is not has_path


@pytest.mark.parametrize("blocked_side", [0, 1])
def test_a_side_whose_udp_is_blocked_is_told_that_nothing_came(blocked_side: int) -> None:
    blocked = NatBehavior(udp_blocked=True)
    pair = SessionPair(make_sites(*((blocked, FULL_CONE) if blocked_side == 0 else (FULL_CONE, blocked))))
    pair.start()
    pair.advance(GIVE_UP_AFTER)
    ends = pair.elsa.events(SessionEnded) + pair.anna.events(SessionEnded)
    assert [end.reason for end in ends] == [FailureReason.SILENCE] * 2


def test_port_restricted_against_symmetric_gives_up_in_time_and_says_what_it_saw() -> None:
    pair = SessionPair(make_sites(PORT_RESTRICTED, SYMMETRIC))
    pair.start(early_data=b"never")
    pair.drive_until(SessionEnded, pair.elsa, pair.anna)
    assert pair.now == GIVE_UP_AFTER
    for side in (pair.elsa, pair.anna):
        (end,) = side.events(SessionEnded)
        assert end.reason is FailureReason.SILENCE
        assert "checks to 2 addresses in 10 s, 0 received" in end.detail
    assert payloads(pair.anna) == []


def test_giving_up_costs_a_bounded_number_of_datagrams() -> None:
    pair = SessionPair(make_sites(SYMMETRIC, SYMMETRIC))
    pair.start()
    pair.advance(60.0)
    assert pair.elsas.packets_sent == 2 * IceConfig().check_schedule.max_requests
    assert not pair.step(), "something is still due after both gave up"
