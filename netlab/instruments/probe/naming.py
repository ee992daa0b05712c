"""From what was seen to the words of RFC 4787. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from .wire import Endpoint

ENDPOINT_INDEPENDENT = "endpoint-independent"
ADDRESS_DEPENDENT = "address-dependent"
ADDRESS_AND_PORT_DEPENDENT = "address-and-port-dependent"
INCONSISTENT = "inconsistent"

MAX_STEP = 16
"""Ports apart; a NAT that steps further each time is not called sequential."""

Trial = tuple[int, list[Endpoint]]
"""A local port, and how the server's endpoints saw it, in the order in which they were asked."""


def name_mapping(trials: Sequence[Trial]) -> str:
    """The mapping behaviour, from trials that asked all four endpoints."""
    if all(len(set(seen)) == 1 for _, seen in trials):
        return ENDPOINT_INDEPENDENT
    if all(seen[0] == seen[1] and seen[2] == seen[3] for _, seen in trials):
        return ADDRESS_DEPENDENT
    return ADDRESS_AND_PORT_DEPENDENT


def name_filtering(answered: set[int]) -> str:
    """The filtering behaviour, from which came: 0, from a strange address; 1, from a strange port."""
    if 0 in answered:
        return ENDPOINT_INDEPENDENT
    return ADDRESS_DEPENDENT if 1 in answered else ADDRESS_AND_PORT_DEPENDENT


def name_allocation(trials: Sequence[Trial]) -> str:
    """How ports were chosen, from the order in which new ones appeared.

    A sequential NAT that comes to the end of its pool starts again: such a step back is no contradiction as
    long as all of them are equal and rarer than the steps forth.
    """
    if all(seen[0][1] == local_port for local_port, seen in trials):
        return "preserving"
    ports = [endpoint[1] for _, seen in trials for endpoint in seen]
    steps = Counter(later - earlier for earlier, later in pairwise(ports) if later != earlier)
    (step, _), *others = steps.most_common() or [(0, 0)]
    forth = sum(count for other, count in steps.items() if other == step)
    wraps = [(other, count) for other, count in others if other * step < 0]
    is_sequential = 0 < abs(step) <= MAX_STEP and len(others) == len(wraps) <= 1
    if is_sequential and forth > sum(count for _, count in wraps):
        return f"sequential, step {step}"
    return "random"


def name_early_inbound(trials: Sequence[tuple[int, int]]) -> str:
    """Whether mappings moved because the other side had sent first.

    Each trial is the external port before that, and the one that the other side then saw.
    """
    moved = {before != after for before, after in trials}
    if len(moved) > 1:
        return INCONSISTENT
    return "remaps" if moved.pop() else "drops"


def agreed(answers: Iterable[str]) -> str:
    """The answer that all trials gave, or ``inconsistent``."""
    different = set(answers)
    return different.pop() if len(different) == 1 else INCONSISTENT


def describe(port: int, seen: Sequence[Endpoint]) -> str:
    """A line of evidence: our port and how it was seen."""
    return f"{port} -> {', '.join(f'{ip}:{mapped}' for ip, mapped in seen)}"
