from __future__ import annotations

import pytest

from natcore.hardnat import SideSummary
from natcore.hardnat.ports import FIRST_PORT, LAST_PORT, PORT_COUNT, PortPool, shuffled
from natcore.nat import PortAllocation
from tests.sim.pair import seeded
from tests.unit.natcore.hardnat.sides import HARD, side


def test_random_ports_are_every_port_once_in_an_order_of_its_own() -> None:
    first, second = list(shuffled(5, 99, seeded(1))), list(shuffled(5, 99, seeded(2)))
    assert sorted(first) == sorted(second) == list(range(5, 100))
    assert first != second
    assert list(shuffled(7, 7, seeded(1))) == [7]


def test_random_ports_are_evenly_spread() -> None:
    firsts = [next(shuffled(0, 9, seeded(seed))) for seed in range(2000)]
    assert all(130 <= firsts.count(port) <= 270 for port in range(10))


def test_a_pool_is_what_was_seen_and_a_margin() -> None:
    assert PortPool.of(side(lowest=20_000, highest=20_170)) == PortPool(19_979, 20_191)


@pytest.mark.parametrize(
    "summary",
    [
        HARD,
        SideSummary(),
        SideSummary(lowest=2000, highest=2100, seen=7),
        SideSummary(lowest=2000, highest=2100, seen=17, allocation=PortAllocation.SEQUENTIAL),
        SideSummary(lowest=2100, highest=60000, seen=17),
    ],
    ids=["all ports", "nothing", "too few", "sequential", "most ports"],
)
def test_no_pool_was_seen(summary: SideSummary) -> None:
    assert PortPool.of(summary).size == PORT_COUNT


def test_a_pool_from_a_liar_has_ports() -> None:
    assert PortPool.of(SideSummary(lowest=60000, highest=2, seen=9)).size > 0
    assert PortPool.of(SideSummary(lowest=1, highest=2, seen=9)).size == PORT_COUNT


def test_ports_of_the_pool_come_first_and_every_port_once() -> None:
    pool = PortPool(5000, 5099)
    ports = list(pool.likely_first(seeded(1)))
    assert sorted(ports[:100]) == list(range(5000, 5100))
    assert sorted(ports) == list(range(FIRST_PORT, LAST_PORT + 1))
