"""From the ports that a NAT gave, in order, to how it chooses them (RFC 4787 section 4.2). Pure.

Other hosts behind the same NAT take ports in between, a mapping may be missing because its packet was lost,
and two packets may have changed places: so a rule needs a majority of the samples, not all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import gcd

from natcore.nat import PortAllocation

MAX_STEP = 32
"""Ports from one mapping to the next; a NAT that goes further each time is not called sequential."""

MAX_ADVANCE = 96
"""Ports from one sample to the next. Samples are milliseconds apart, so others can hardly have taken more;
and a NAT that draws from 256 ports goes so little forward in a third of its draws only."""

MIN_SAMPLES = 4
"""Fewer show nothing."""

ALIKE = 0.75
"""The share of samples that must follow a rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """How ports are chosen.

    Attributes:
        kind: in RFC 4787's words.
        step: from one port to the next where they are sequential, negative downwards; else None.
        confidence: the probability that the next port follows the rule, by Laplace's rule of succession from
            the samples that did and did not.
        samples: new mappings that were seen.
        lowest: the lowest port among them.
        highest: the highest.
    """

    kind: PortAllocation
    step: int | None
    confidence: float
    samples: int
    lowest: int
    highest: int


def name_allocation(own: Sequence[tuple[int, int]], new: Sequence[int]) -> Allocation | None:
    """How the ports were chosen, or None where there are too few to say.

    Args:
        own: a socket's own port and the first external port that it got, for each socket.
        new: the external ports of all new mappings, in the order in which they were made.
    """
    if len(own) < MIN_SAMPLES or len(new) < MIN_SAMPLES:
        return None
    kept = sum(port == external for port, external in own)
    if 2 * kept > len(own):
        return _allocation(PortAllocation.PRESERVING, new, kept, len(own))
    steps = [later - earlier for earlier, later in pairwise(new)]
    step, fitting = _step(steps)
    if step:
        return _allocation(PortAllocation.SEQUENTIAL, new, fitting, len(steps), step=step)
    return _allocation(PortAllocation.RANDOM, new, len(steps) - fitting, len(steps))


def _step(steps: Sequence[int]) -> tuple[int, int]:
    """The step of a sequential allocation, or 0, and how many of ``steps`` are that or a little more."""
    direction = 1 if sum(0 < step <= MAX_ADVANCE for step in steps) * 2 > len(steps) else -1
    forward = [step * direction for step in steps if 0 < step * direction <= MAX_ADVANCE]
    if len(forward) < ALIKE * len(steps):
        return 0, len(forward)
    usual, count = Counter(forward).most_common(1)[0]
    # Where others take many ports in between, no step is usual, but all are multiples of the real one.
    step = usual if 2 * count > len(forward) else gcd(*forward)
    if step > MAX_STEP:
        return 0, len(forward)
    return step * direction, sum(one == step for one in forward)


def _allocation(
    kind: PortAllocation, ports: Sequence[int], fitting: int, count: int, *, step: int | None = None
) -> Allocation:
    return Allocation(
        kind=kind,
        step=step,
        confidence=(fitting + 1) / (count + 2),
        samples=len(ports),
        lowest=min(ports),
        highest=max(ports),
    )
