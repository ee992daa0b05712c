from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, islice, product

import pytest

from natcore.hardnat import PortSample, SideSummary
from natcore.hardnat.drift import CHECKS_BEFORE, MAX_GAP, Drift, predicted, sweep
from tests.unit.natcore.hardnat.sides import HARD, NEXT, SEQUENTIAL_PORTS, sequential, side


def drift_of(summary: SideSummary) -> Drift:
    drift = Drift.of(summary)
    assert drift is not None
    return drift


def test_a_drift_counts_what_others_took() -> None:
    drift = drift_of(sequential(40000, 40001, 40005, 40006, every=0.5, age=0.25))
    assert (drift.port, drift.step, drift.age) == (40006, 1, 0.25)
    assert (drift.taken, drift.watched) == (3, 1.5)
    assert drift.rate == pytest.approx(3.5 / 1.55)


def test_a_drift_goes_by_the_step_and_downwards() -> None:
    up, down = sequential(40000, 40004, 40012, step=4), sequential(40012, 40008, 40000, step=-4)
    assert drift_of(up).taken == drift_of(down).taken == 1
    quiet = Drift(port=40000, step=-4, age=0.0, watched=100.0)
    assert list(islice(predicted(quiet, 2, 250.0), 3)) == [39992, 39988, 39984]


def bursts(*ports: Sequence[int], step: int = 1, every: float = 0.15, age: float = 0.1) -> SideSummary:
    """A sequential side that took these ports in bursts, the newest of that age."""
    samples = [
        PortSample(port=port, age=age + every * (len(ports) - 1 - index))
        for index, burst in enumerate(ports)
        for port in burst
    ]
    return side(allocation=SEQUENTIAL_PORTS, samples=tuple(samples), step=step)


def test_samples_that_changed_places_do_no_harm() -> None:
    drift = drift_of(bursts((40001, 40000, 40003, 40002), (40007, 40004, 40006, 40005)))
    assert (drift.port, drift.taken, drift.age, drift.watched) == (40007, 0, 0.1, 0.15)


def test_what_others_take_is_seen_from_burst_to_burst() -> None:
    drift = drift_of(bursts((40000, 40001), (40005, 40006), (40010, 40012), every=0.5))
    assert (drift.port, drift.taken, drift.watched) == (40012, 7, 1.0)
    assert drift.rate == pytest.approx(7.5 / 1.05)


def test_an_old_mapping_in_a_burst_counts_for_nothing() -> None:
    """A socket may have got the number of an earlier one, whose mapping the NAT still knows.

    It is behind, or ahead where the NAT has begun anew since.
    """
    for place, old in product(range(4), (40091, 44090)):
        newest = [40300, 40301, 40302]
        newest.insert(place, old)
        drift = drift_of(bursts(newest))
        assert (drift.port, drift.taken) == (40302, 0)
        drift = drift_of(bursts((40296, 40297, 40298, 40299), newest))
        assert (drift.port, drift.taken, drift.watched) == (40302, 0, 0.15)
        first = [40297, 40298, 40299]
        first.insert(place, old)
        drift = drift_of(bursts(first, (40300, 40301, 40302, 40303)))
        assert (drift.port, drift.taken, drift.watched) == (40303, 0, 0.15)


def test_a_lost_answer_looks_like_one_mapping_of_others() -> None:
    assert drift_of(bursts((40000, 40001, 40002, 40003), (40004, 40006, 40007))).taken == 1
    assert drift_of(bursts((40000, 40001, 40002), (40004, 40005, 40006, 40007))).taken == 1


def test_a_sample_alone_says_where_the_nat_is() -> None:
    drift = drift_of(bursts((40000,)))
    assert (drift.port, drift.taken, drift.watched) == (40000, 0, 0.0)


def test_a_nat_that_went_round_is_followed() -> None:
    drift = drift_of(bursts((65533, 65532), (65534, 1024, 65535)))
    assert (drift.port, drift.taken, drift.watched) == (1024, 0, 0.15)
    down = drift_of(bursts((1025, 1026), (65535, 1024), step=-1))
    assert (down.port, down.taken, down.watched) == (65535, 0, 0.15)


def test_a_nat_that_began_anew_has_not_been_watched() -> None:
    drift = drift_of(bursts((44000, 44001), (44002, 44003), (40000, 40001)))
    assert (drift.port, drift.taken, drift.watched) == (40001, 0, 0.0)
    within = drift_of(bursts((44094, 44095, 40000, 40001)))
    assert within.port == 40001, "as many before as after: what came last counts"


def test_more_than_others_can_take_is_a_nat_that_began_anew() -> None:
    assert drift_of(bursts((40000,), (40151,))).taken == 150
    assert drift_of(bursts((40000,), (40400,))).watched == 0.0


def test_a_group_ends_where_a_gap_is_too_wide() -> None:
    assert drift_of(bursts((40000 + MAX_GAP, 40000, 40000))).port == 40000 + MAX_GAP
    assert drift_of(bursts((40001 + MAX_GAP, 40000, 40000))).port == 40000


@pytest.mark.parametrize("sign", [1, -1])
def test_a_step_that_fresh_ports_contradict_is_divided(sign: int) -> None:
    ports = [tuple(40000 + sign * each for each in burst) for burst in ((0, 3, 6), (9, 12))]
    assert drift_of(bursts(*ports, step=6 * sign)).step == 3 * sign
    assert drift_of(bursts(*ports, step=3 * sign)).step == 3 * sign
    assert drift_of(bursts((40000, 40003), step=6)).step == 6, "one distance is no proof"


def test_one_odd_port_does_not_change_the_step() -> None:
    assert drift_of(bursts((40000, 40004, 40006, 40012), (40016, 40020), step=4)).step == 4


def test_the_numbers_of_a_very_busy_nat_are_numbers() -> None:
    busy = Drift(port=40000, step=1, age=5.0, taken=9000, watched=10.0)
    assert sum(islice(busy.probabilities(0.0), 9000)) == pytest.approx(1.0, abs=1e-6)


def test_no_time_has_passed_and_nobody_has_taken_any() -> None:
    assert next(Drift(port=40000, step=1, age=0.0).probabilities(0.0)) == pytest.approx(1.0)


def test_who_was_watched_for_long_is_aimed_at_more_narrowly() -> None:
    short = drift_of(bursts((40000, 40001), (40005, 40006), every=0.15, age=3.0))
    long = drift_of(bursts((40000, 40001), (40202, 40203), every=10.0, age=3.0))
    assert short.rate == pytest.approx(long.rate, rel=0.2)
    assert short.half_width(0, 230.0) > 2 * long.half_width(0, 230.0)


@pytest.mark.parametrize(
    "summary", [HARD, sequential(step=1), sequential(4000, step=0)], ids=["random", "no samples", "no step"]
)
def test_nothing_can_be_predicted(summary: SideSummary) -> None:
    assert Drift.of(summary) is None


def test_predictions_go_on_at_the_first_port() -> None:
    quiet = Drift(port=65532, step=1, age=0.0, watched=100.0)
    assert list(islice(predicted(quiet, 4, 250.0), 5)) == [65534, 65535, 1024, 1025, 1026]


def test_probabilities_are_poisson_with_an_unsure_rate() -> None:
    drift = Drift(port=40000, step=1, age=0.5, taken=20, watched=1.0)
    masses = list(islice(drift.probabilities(0.5), 500))
    mean = sum(count * mass for count, mass in enumerate(masses))
    variance = sum((count - mean) ** 2 * mass for count, mass in enumerate(masses))
    assert sum(masses) == pytest.approx(1.0)
    assert mean == pytest.approx(drift.expected(0.5))
    assert variance**0.5 == pytest.approx(drift.deviation(0.5))
    assert variance > mean, "wider than Poisson's"


def test_a_quiet_nat_is_tried_from_where_plain_checks_left_a_hole() -> None:
    """The next port is of the check to the host candidate, which leads nowhere; it comes last."""
    quiet = Drift(port=40000, step=1, age=0.01, taken=0, watched=100.0)
    assert list(islice(predicted(quiet, 4, 250.0), 5)) == [40000 + offset for offset in range(2, 7)]


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
    our_packets = {(40001 + CHECKS_BEFORE + index, port) for index, port in enumerate(our_aims)}
    their_packets = {(port, 5000 + 2 * (1 + CHECKS_BEFORE + index)) for index, port in enumerate(their_aims)}
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
