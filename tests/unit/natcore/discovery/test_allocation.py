"""Ports in order, and what they say of the NAT that gave them."""

from __future__ import annotations

import random
from itertools import accumulate, repeat

import pytest

from natcore.discovery.allocation import (
    MAX_ADVANCE,
    MAX_STEP,
    MIN_SAMPLES,
    Allocation,
    name_allocation,
)
from natcore.nat import PortAllocation

OWN_PORTS = tuple(range(40000, 40014))
SEEDS = range(300)


def named(new: list[int], own: list[tuple[int, int]] | None = None) -> Allocation:
    """What is said of new mappings, where none keeps its own port."""
    found = name_allocation(list(zip(OWN_PORTS, new, strict=False)) if own is None else own, new)
    assert found is not None, f"nothing was said of {new}"
    return found


def kind_and_step(new: list[int]) -> tuple[PortAllocation, int | None]:
    found = named(new)
    return found.kind, found.step


def going_up(step: int, count: int = 24, first: int = 5000) -> list[int]:
    return [first + step * number for number in range(count)]


# --- preserving ---------------------------------------------------------------------------------------------


def test_ports_that_stay_are_preserved() -> None:
    found = named(list(OWN_PORTS), own=[(port, port) for port in OWN_PORTS])
    assert (found.kind, found.step) == (PortAllocation.PRESERVING, None)
    assert (found.lowest, found.highest, found.samples) == (40000, 40013, 14)
    assert found.confidence == pytest.approx(15 / 16), "Laplace: (14 + 1) / (14 + 2)"


def test_a_collision_costs_a_preserving_nat_its_certainty_and_not_its_name() -> None:
    own = [(port, port) for port in OWN_PORTS[:-1]] + [(OWN_PORTS[-1], 1024)]
    found = named([external for _, external in own], own=own)
    assert found.kind is PortAllocation.PRESERVING
    assert found.confidence == pytest.approx(14 / 16)


@pytest.mark.parametrize(
    ("kept", "expected"), [(3, PortAllocation.PRESERVING), (2, PortAllocation.RANDOM)], ids=["most", "half"]
)
def test_it_takes_a_majority_of_kept_ports(kept: int, expected: PortAllocation) -> None:
    elsewhere = (61000, 2000, 33000, 9000)
    own = [(port, port if number < kept else elsewhere[number]) for number, port in enumerate(OWN_PORTS[:4])]
    assert named([61000, 2000, 33000, 9000], own=own).kind is expected


# --- sequential ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, -1, 2, -2, 16, MAX_STEP, -MAX_STEP])
def test_ports_at_equal_distances_are_sequential(step: int) -> None:
    found = named(going_up(step))
    assert (found.kind, found.step) == (PortAllocation.SEQUENTIAL, step)
    assert found.confidence == pytest.approx(24 / 25), "23 steps, all of them fitting"


def test_a_step_beyond_the_limit_is_not_called_sequential() -> None:
    assert kind_and_step(going_up(MAX_STEP + 1))[0] is PortAllocation.RANDOM


@pytest.mark.parametrize("step", [1, -1, 2])
def test_lost_samples_leave_gaps_and_the_step_is_found(step: int) -> None:
    ports = going_up(step)
    seen = [port for number, port in enumerate(ports) if number not in (3, 4, 9, 17)]
    assert kind_and_step(seen) == (PortAllocation.SEQUENTIAL, step)


@pytest.mark.parametrize("step", [1, -1, 2, -2])
@pytest.mark.parametrize("busy", [0.2, 0.5, 2.0])
def test_mappings_of_others_in_between_do_not_hide_the_step(step: int, busy: float) -> None:
    for seed in SEEDS:
        chance = random.Random(seed)
        gaps = [step * (1 + int(chance.expovariate(1 / busy))) for _ in range(24)]
        found = named(list(accumulate(gaps, initial=30000)))
        assert found.kind is PortAllocation.SEQUENTIAL, f"seed {seed}: {gaps}"
        assert (found.step or 0) * step > 0, "the direction is right, whatever the others do"
        assert found.step == step or busy > 0.5, f"seed {seed}: {gaps}"


def test_where_others_take_many_ports_every_step_is_a_multiple_of_the_real_one() -> None:
    ports = list(accumulate([4, 6, 2, 8, 10, 4, 12, 6, 2, 14], initial=20000))
    found = named(ports)
    assert found.step == 2
    assert found.confidence == pytest.approx(3 / 12), (
        "two of ten steps were bare ones, and the next may not be"
    )


@pytest.mark.parametrize("step", [1, -1])
def test_a_pool_that_is_at_its_end_goes_on_at_its_beginning(step: int) -> None:
    pool = range(1024, 1280)
    first = 1270 if step > 0 else 1034
    ports = [pool[(first - 1024 + step * number) % 256] for number in range(24)]
    assert kind_and_step(ports) == (PortAllocation.SEQUENTIAL, step)


def test_two_packets_that_changed_places_do_not_hide_the_step() -> None:
    ports = going_up(1)
    ports[5], ports[6] = ports[6], ports[5]
    assert kind_and_step(ports) == (PortAllocation.SEQUENTIAL, 1)


@pytest.mark.parametrize(
    ("advance", "expected"),
    [(MAX_ADVANCE, PortAllocation.SEQUENTIAL), (MAX_ADVANCE + 1, PortAllocation.RANDOM)],
    ids=["at the limit", "one over"],
)
def test_an_advance_counts_as_one_up_to_its_limit(advance: int, expected: PortAllocation) -> None:
    gaps = [advance, 1, 1, advance, 1, 1, advance, 1]
    assert kind_and_step(list(accumulate(gaps, initial=2000)))[0] is expected


# --- random -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pool", [65536 - 1024, 4096, 1024, 256])
def test_a_random_nat_is_random_even_with_few_ports(pool: int) -> None:
    for seed in SEEDS:
        ports = [1024 + place for place in random.Random(seed).sample(range(pool), 24)]
        found = named(ports)
        assert found.kind is PortAllocation.RANDOM, f"seed {seed}: {ports} was named {found}"
        assert found.step is None


def test_the_range_of_random_ports_is_told() -> None:
    found = named([5000, 1024, 60000, 33333, 7])
    assert (found.lowest, found.highest, found.samples) == (7, 60000, 5)


def test_one_port_for_everything_is_not_sequential() -> None:
    assert kind_and_step(list(repeat(5000, 8)))[0] is PortAllocation.RANDOM


# --- limits -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", range(MIN_SAMPLES))
def test_too_few_samples_say_nothing(count: int) -> None:
    ports = going_up(1, count=MIN_SAMPLES)
    own = list(zip(OWN_PORTS, ports, strict=False))
    assert name_allocation(own[:count], ports) is None
    assert name_allocation(own, ports[:count]) is None


def test_so_many_samples_say_something() -> None:
    found = named(going_up(1, count=MIN_SAMPLES))
    assert (found.kind, found.samples) == (PortAllocation.SEQUENTIAL, MIN_SAMPLES)
    assert found.confidence == pytest.approx(4 / 5)


def test_more_samples_of_the_same_make_it_surer_and_never_certain() -> None:
    confidences = [named(going_up(1, count=count)).confidence for count in (4, 8, 16, 32)]
    assert confidences == sorted(confidences)
    assert confidences[-1] < 1
