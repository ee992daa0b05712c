from __future__ import annotations

from itertools import groupby, islice

import pytest

from natcore.hardnat import SideSummary
from natcore.hardnat.ports import (
    FIRST_PORT,
    LAST_PORT,
    PORT_COUNT,
    Drift,
    PortPool,
    predicted,
    shuffled,
    sweep,
)
from natcore.nat import PortAllocation
from tests.sim.pair import seeded
from tests.unit.natcore.hardnat.sides import HARD, NEXT, sequential, side


def drift_of(summary: SideSummary) -> Drift:
    drift = Drift.of(summary)
    assert drift is not None
    return drift


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


def test_a_drift_counts_what_others_took() -> None:
    drift = drift_of(sequential(40000, 40001, 40005, 40006, every=0.5, age=0.25))
    assert (drift.port, drift.step, drift.age) == (40006, 1, 0.25)
    assert (drift.taken, drift.watched) == (3, 1.5)
    assert drift.rate == pytest.approx(3.5 / 1.55)


def test_a_drift_goes_by_the_step_and_downwards() -> None:
    up, down = sequential(40000, 40004, 40012, step=4), sequential(40012, 40008, 40000, step=-4)
    assert drift_of(up).taken == drift_of(down).taken == 1
    assert list(islice(predicted(drift_of(down), 1, 250.0), 1)) == [39996]


def test_samples_that_changed_places_do_no_harm() -> None:
    drift = drift_of(sequential(40000, 40002, 40001))
    assert (drift.port, drift.taken) == (40002, 0)


def test_a_nat_that_began_again_is_followed() -> None:
    drift = drift_of(sequential(65534, 65535, 1024))
    assert (drift.port, drift.taken, drift.watched) == (1024, 0, 0.0)
    again = drift_of(sequential(64000, 1024, 1025, 1026))
    assert (again.port, again.taken) == (1026, 0)


@pytest.mark.parametrize(
    "summary", [HARD, sequential(step=1), sequential(4000, step=0)], ids=["random", "no samples", "no step"]
)
def test_nothing_can_be_predicted(summary: SideSummary) -> None:
    assert Drift.of(summary) is None


def test_predictions_go_on_at_the_first_port() -> None:
    ports = list(islice(predicted(drift_of(sequential(65533, 65534)), 2, 250.0), 4))
    assert sorted(ports) == [1024, 1025, 1026, 65535]


def test_probabilities_are_poisson_with_an_unsure_rate() -> None:
    drift = Drift(port=40000, step=1, age=0.5, taken=20, watched=1.0)
    masses = list(islice(drift.probabilities(0.5), 500))
    mean = sum(count * mass for count, mass in enumerate(masses))
    variance = sum((count - mean) ** 2 * mass for count, mass in enumerate(masses))
    assert sum(masses) == pytest.approx(1.0)
    assert mean == pytest.approx(drift.expected(0.5))
    assert variance**0.5 == pytest.approx(drift.deviation(0.5))
    assert variance > mean, "wider than Poisson's"


def test_a_quiet_nat_is_tried_from_its_next_port_on() -> None:
    quiet = Drift(port=40000, step=1, age=0.01, taken=0, watched=100.0)
    assert list(islice(predicted(quiet, 4, 250.0), 8)) == [40000 + offset for offset in range(1, 9)]


def test_a_busy_nat_is_tried_where_it_will_be() -> None:
    busy = Drift(port=40000, step=1, age=1.0, taken=5000, watched=50.0)
    first = list(islice(predicted(busy, 16, 250.0), 8))
    assert all(40085 <= port <= 40125 for port in first)


def test_every_pass_begins_with_the_best_ports() -> None:
    ports = list(islice(predicted(drift_of(NEXT), 2, 250.0), 4 + 8 + 16))
    assert ports[:4] == ports[4:8] == ports[12:16]
    assert ports[4:12] == ports[12:20]


def test_no_sockets_are_predicted_without_end_and_without_a_hang() -> None:
    assert len(list(islice(predicted(drift_of(NEXT), 0, 250.0), 5000))) == 5000


def test_each_side_aims_where_the_other_will_be() -> None:
    """Without others: what one sends to, the other sends from in the middle of the same burst."""
    ours, theirs = (
        Drift(port=40000, step=1, age=0.0, watched=1e6),
        Drift(port=5000, step=2, age=0.0, watched=1e6),
    )
    our_aims = sweep(ours, theirs, sockets=256, rate=250)
    their_aims = sweep(theirs, ours, sockets=256, rate=250)
    our_packets = {(40001 + index, port) for index, port in enumerate(our_aims)}
    their_packets = {(port, 5002 + 2 * index) for index, port in enumerate(their_aims)}
    bursts = len(list(groupby(our_aims)))
    assert len(our_aims) == len(their_aims) == 256
    assert bursts >= 8
    assert len(our_packets & their_packets) >= bursts - 1, "in every burst, but for one that was cut off"


def test_an_unsure_side_makes_longer_bursts() -> None:
    sure, unsure = drift_of(NEXT), Drift(port=40000, step=1, age=1.0, taken=0, watched=0.0)
    lengths = [
        [len(list(burst)) for _, burst in groupby(sweep(sure, other, sockets=256, rate=250))]
        for other in (sure, unsure)
    ]
    assert lengths[0][0] < lengths[1][0]
