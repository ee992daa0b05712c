from __future__ import annotations

from itertools import pairwise

import pytest

from natcore.nat import NatBehavior, PortAllocation
from netlab.errors import UnsupportedBehavior
from netlab.rules.ports import ALL_PORTS, MAX_LISTED_PORTS, port_list, port_range

SEQUENTIAL, RANDOM = PortAllocation.SEQUENTIAL, PortAllocation.RANDOM


def listed(allocation: PortAllocation, *, step: int = 1, pool: int | None = None, seed: int = 1) -> list[int]:
    ports = port_list(NatBehavior(allocation=allocation, port_step=step, port_pool=pool), seed=seed)
    assert ports is not None
    return list(ports)


def test_sequential_ports_go_up_by_the_step() -> None:
    ports = listed(SEQUENTIAL, step=3)
    assert {later - earlier for earlier, later in pairwise(ports)} == {3}
    assert len(ports) == MAX_LISTED_PORTS


@pytest.mark.parametrize("step", [1, 2, 16, 5000, len(ALL_PORTS) - 1])
def test_every_step_stays_within_the_ports_that_there_are(step: int) -> None:
    ports = listed(SEQUENTIAL, step=step)
    assert all(port in ALL_PORTS for port in ports)
    assert len(set(ports)) == len(ports) == min(MAX_LISTED_PORTS, len(ALL_PORTS) // step)


def test_at_the_end_of_a_pool_come_the_ports_that_were_stepped_over() -> None:
    ports = listed(SEQUENTIAL, step=2, pool=5)
    first = ports[0]
    assert ports == [first, first + 2, first + 4, first + 1, first + 3]


@pytest.mark.parametrize("pool", [1, 256, MAX_LISTED_PORTS])
def test_a_random_pool_is_a_permutation_of_contiguous_ports(pool: int) -> None:
    ports = listed(RANDOM, pool=pool)
    assert sorted(ports) == list(range(min(ports), min(ports) + pool))
    assert pool == 1 or ports != sorted(ports)


def test_the_seed_decides_where_the_pool_lies() -> None:
    assert listed(RANDOM, pool=256, seed=1) == listed(RANDOM, pool=256, seed=1)
    assert set(listed(RANDOM, pool=256, seed=1)) != set(listed(RANDOM, pool=256, seed=2))
    assert listed(SEQUENTIAL, seed=1)[0] != listed(SEQUENTIAL, seed=2)[0]


def test_random_ports_are_drawn_from_all_ports_by_default() -> None:
    behavior = NatBehavior(allocation=RANDOM)
    assert port_list(behavior, seed=1) is None
    assert port_range(behavior, seed=1) == range(1024, 65536)


def test_a_pool_too_large_to_be_listed_is_a_range_to_draw_from() -> None:
    behavior = NatBehavior(allocation=RANDOM, port_pool=MAX_LISTED_PORTS + 1)
    assert port_list(behavior, seed=1) is None
    ports = port_range(behavior, seed=1)
    assert len(ports) == MAX_LISTED_PORTS + 1
    assert ports.start in ALL_PORTS
    assert ports[-1] in ALL_PORTS


def test_a_nat_that_preserves_ports_may_fall_back_on_all_of_them() -> None:
    behavior = NatBehavior(port_pool=16)
    assert port_list(behavior, seed=1) is None
    assert port_range(behavior, seed=1) == ALL_PORTS


@pytest.mark.parametrize(
    "behavior",
    [
        NatBehavior(allocation=SEQUENTIAL, port_step=0),
        NatBehavior(allocation=SEQUENTIAL, port_step=-1),
        NatBehavior(allocation=SEQUENTIAL, port_step=len(ALL_PORTS)),
        NatBehavior(allocation=SEQUENTIAL, port_pool=MAX_LISTED_PORTS + 1),
        NatBehavior(allocation=RANDOM, port_pool=0),
        NatBehavior(allocation=RANDOM, port_pool=len(ALL_PORTS) + 1),
    ],
)
def test_ports_out_of_bounds_are_refused(behavior: NatBehavior) -> None:
    with pytest.raises(UnsupportedBehavior, match=r"port (step|pool): got"):
        port_list(behavior, seed=1)
