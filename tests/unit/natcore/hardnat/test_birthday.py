from __future__ import annotations

from math import inf

import pytest

from natcore.hardnat.birthday import median_seconds, meeting_probability, probes_for


@pytest.mark.parametrize(
    ("sockets", "ports", "probability", "probes"),
    [
        # DESIGN.md and ANCHORS.md section 4, which count with repetition: a few more probes.
        (256, 64512, 0.50, 175),
        (256, 64512, 0.90, 577),
        (256, 64512, 0.99, 1148),
        (256, 64512, 0.999, 1715),
        (84, 64512, 0.90, 1744),
        (84, 64512, 0.99, 3440),
        (256, 16384, 0.983, 256),
    ],
)
def test_the_numbers_of_the_plan(sockets: int, ports: int, probability: float, probes: int) -> None:
    found = probes_for(probability, sockets, ports)
    assert found is not None
    assert 0.96 * probes <= found <= probes + 1
    assert meeting_probability(sockets, found, ports) >= probability
    assert meeting_probability(sockets, found - 1, ports) < probability


def test_nobody_meets_without_sockets_or_probes() -> None:
    assert meeting_probability(0, 100, 1000) == meeting_probability(100, 0, 1000) == 0.0
    assert probes_for(0.5, 0, 1000) is None
    assert median_seconds(0, 1000, 250) == inf


def test_who_tries_all_other_ports_has_met() -> None:
    assert meeting_probability(1, 9, 10) == pytest.approx(0.9)
    assert meeting_probability(1, 10, 10) == 1.0
    assert meeting_probability(10, 1, 10) == 1.0


def test_the_median_is_1_2_seconds_in_the_full_range_and_sooner_in_a_pool() -> None:
    assert median_seconds(256, 64512, 250) == pytest.approx(1.21, abs=0.01)
    assert median_seconds(256, 64512, 250, speed=2) == pytest.approx(0.955, abs=0.01)
    assert median_seconds(256, 1024, 250, speed=2) == pytest.approx(0.107, abs=0.01)
    assert median_seconds(512, 64512, 250) == pytest.approx(1.196, abs=0.01)
    assert median_seconds(256, 1024, 250) == pytest.approx(0.15, abs=0.01)
