"""Random ports without repetition, those first that a NAT seems to choose from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from natcore.agent import RandomBytes
from natcore.hardnat.behavior import SideSummary
from natcore.nat import PortAllocation

FIRST_PORT = 1024
"""The lowest port that NATs choose by themselves; those below are reserved for the system (RFC 6335)."""

LAST_PORT = 65535

PORT_COUNT = LAST_PORT - FIRST_PORT + 1
"""64,512: what a NAT with random allocation has to choose from where no pool was seen."""

MIN_POOL_SAMPLES = 8
"""Fewer ports show no pool: 8 of the full range are all within half of it in 3.5 of 100 cases, 16 in none."""


def below(limit: int, random: RandomBytes) -> int:
    """A random integer from 0 to ``limit`` - 1; the bias of 8 bytes is under 2**-47 for a port."""
    return int.from_bytes(random(8), "big") % limit


def shuffled(low: int, high: int, random: RandomBytes) -> Iterator[int]:
    """Every port from ``low`` to ``high`` once, in random order.

    Fisher and Yates' shuffle, of which only what was swapped is remembered: two entries at most for each port
    drawn, not one for each port that there is.
    """
    moved: dict[int, int] = {}
    for index in range(low, high + 1):
        chosen = index + below(high - index + 1, random)
        yield moved.get(chosen, chosen)
        moved[chosen] = moved.pop(index, index)


@dataclass(frozen=True, slots=True)
class PortPool:
    """Contiguous ports, both ends included, from which a NAT seems to choose."""

    low: int = FIRST_PORT
    high: int = LAST_PORT

    @classmethod
    def of(cls, side: SideSummary) -> PortPool:
        """The pool that the ports seen so far point to; all ports where they point to none.

        Of n ports drawn evenly from a pool the outermost are, on average, one n-th of what they span away
        from its ends. Twice that is added, and only what then is less than half of all ports is called a
        pool.
        """
        is_sequential = side.allocation is PortAllocation.SEQUENTIAL
        if side.lowest is None or side.highest is None or side.seen < MIN_POOL_SAMPLES or is_sequential:
            return cls()
        span = max(0, side.highest - side.lowest)
        margin = 2 * ceil(span / side.seen) + 1
        pool = cls(max(FIRST_PORT, side.lowest - margin), min(LAST_PORT, side.highest + margin))
        return pool if 0 < 2 * pool.size < PORT_COUNT else cls()

    @property
    def size(self) -> int:
        """How many ports it has."""
        return self.high - self.low + 1

    def likely_first(self, random: RandomBytes) -> Iterator[int]:
        """Every port once: those of the pool in random order, then all others in random order."""
        yield from shuffled(self.low, self.high, random)
        for port in shuffled(FIRST_PORT, LAST_PORT, random):
            if not self.low <= port <= self.high:
                yield port
