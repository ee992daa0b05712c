from __future__ import annotations

import pytest

from netlab.instruments.probe.naming import (
    Trial,
    agreed,
    name_allocation,
    name_early_inbound,
    name_filtering,
    name_mapping,
)

EIM = [("n", 40001)] * 4
ADM = [("n", 1), ("n", 1), ("n", 2), ("n", 2)]
APDM = [("n", 1), ("n", 2), ("n", 3), ("n", 4)]
HALF = [("n", 1), ("n", 1), ("n", 2), ("n", 3)]


def sockets(*ports: int) -> list[Trial]:
    """One socket after the other, each seen by one endpoint."""
    return [(5, [("n", port)]) for port in ports]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([EIM, EIM], "endpoint-independent"),
        ([ADM, ADM], "address-dependent"),
        ([ADM, EIM], "address-dependent"),
        ([APDM, ADM], "address-and-port-dependent"),
        ([HALF], "address-and-port-dependent"),
    ],
)
def test_mapping_is_named_by_the_worst_trial(seen: list[list[tuple[str, int]]], expected: str) -> None:
    assert name_mapping([(5, one) for one in seen]) == expected


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ([(40001, EIM)], "preserving"),
        ([(5, EIM)], "random"),
        ([(5, EIM), *sockets(40002, 40003)], "sequential, step 1"),
        ([(5, ADM), *sockets(3, 4)], "sequential, step 1"),
        (sockets(9, 7, 5, 3), "sequential, step -2"),
        (sockets(10, 13, 16, 19), "sequential, step 3"),
        (sockets(10, 26, 42), "sequential, step 16"),
        (sockets(10, 27, 44), "random"),
        (sockets(9, 500, 5, 3), "random"),
        (sockets(1, 2, 3, 5), "random"),
        (sockets(7, 8, 9, 2, 3, 4), "sequential, step 1"),
        (sockets(7, 8, 9, 2, 3, 4, 5, 6, 7, 8, 9, 2, 3), "sequential, step 1"),
        (sockets(7, 8, 2, 3, 1, 2), "random"),
        (sockets(8, 9, 2), "random"),
    ],
)
def test_allocation_is_named_by_the_order_of_new_ports(trials: list[Trial], expected: str) -> None:
    assert name_allocation(trials) == expected


@pytest.mark.parametrize(
    ("trials", "expected"),
    [([(7, 7), (8, 8)], "drops"), ([(7, 1000), (8, 2000)], "remaps"), ([(7, 7), (8, 2000)], "inconsistent")],
)
def test_a_mapping_that_moved_is_called_remapped(trials: list[tuple[int, int]], expected: str) -> None:
    assert name_early_inbound(trials) == expected


def test_trials_that_disagree_are_inconsistent() -> None:
    assert agreed(["one", "one"]) == "one"
    assert agreed(["one", "other"]) == "inconsistent"


@pytest.mark.parametrize(
    ("answered", "expected"),
    [
        ({0, 1}, "endpoint-independent"),
        ({0}, "endpoint-independent"),
        ({1}, "address-dependent"),
        (set(), "address-and-port-dependent"),
    ],
)
def test_filtering_is_named_by_the_strangest_sender_that_came_through(
    answered: set[int], expected: str
) -> None:
    assert name_filtering(answered) == expected
