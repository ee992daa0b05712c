"""Which ports to try, in which order: random ones without repetition, and those that come next.

**A sequential NAT** goes one step further for each new mapping, of ours and of the other hosts behind it.
How many others there will be is not known, only how many there were in the time that the samples span. With a
Gamma prior for their rate, the number in the next t seconds is negatively binomial: a Poisson number whose
rate is not certain, and so wider than Poisson's where the samples were few. Too narrow a window is what
predictions die of; Klinec and Matyáš (2014) found Poisson's sensitive to an error of the rate.

**Both sides sequential.** A packet of ours gets through when it leaves from a port x towards a port y, and a
packet of the peer's leaves from y towards x. Neither knows exactly where the other is, but both know *about*
where both are. So each sends a burst, from a fresh socket each, to *one* port of the peer's: the one in the
middle of what the peer will sweep through in its own burst. Among our packets is one from the port at which
the peer aims, wherever in the burst it is, unless another host took that very port, and the same for the
peer's. No packet has to hit a moving target, and no clock is shared. With other hosts taking 20 ports a
second while we take 250, a burst succeeds in (250/270)^2 = 86 of 100 cases, and the next one is a fresh
chance. A burst is as long as the uncertainty is wide, so with quiet NATs the first takes 10 packets.

What is refused here: to know where a sequential NAT's pool ends. At 65,535 a prediction goes on at 1,024; a
NAT with another end is mispredicted around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from math import ceil, exp, log, sqrt

from natcore.agent import RandomBytes
from natcore.hardnat.behavior import MAX_SAMPLES, PortSample, SideSummary
from natcore.nat import PortAllocation

FIRST_PORT = 1024
"""The lowest port that NATs choose by themselves; those below are reserved for the system (RFC 6335)."""

LAST_PORT = 65535

PORT_COUNT = LAST_PORT - FIRST_PORT + 1
"""64,512: what a NAT with random allocation has to choose from where no pool was seen."""

MIN_POOL_SAMPLES = 8
"""Fewer ports show no pool: 8 of the full range are all within half of it in 3.5 of 100 cases, 16 in none."""

PRIOR_COUNT, PRIOR_SECONDS = 0.5, 0.05
"""What is believed of others before a sample is seen: half a mapping in 50 ms, so 10 a second, loosely. The
half is Jeffreys' prior; the seconds make a family's home likely and 40 a second not unlikely."""

MAX_DISORDER = MAX_SAMPLES
"""Mappings that a newer sample may be behind an older one, because their packets changed places."""

WINDOW = 2048
"""Ports ahead of a sequential NAT that are weighed; more than an attempt has packets."""

WIDTH = 3.0
"""Standard deviations that a burst reaches to either side of where the NAT should be: 99.7 % of a normal
distribution."""

MIN_HALF_WIDTH = 4
"""Ports to either side that a burst reaches at least: sides start some milliseconds apart, packets change
places."""

LOSS_BEFORE_NAT = 1 / 16
"""The share of our packets that may be lost in the home, before they take a port."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Where a sequential NAT is, and how fast others move it on.

    Attributes:
        port: that it gave last, as far as is known.
        step: to the next one.
        age: seconds since, at the start of the attempt.
        taken: mappings of other hosts while it was watched.
        watched: seconds.
    """

    port: int
    step: int
    age: float
    taken: int = 0
    watched: float = 0.0

    @classmethod
    def of(cls, side: SideSummary) -> Drift | None:
        """What the samples of a sequential NAT say, or None where nothing can be predicted."""
        samples, step = side.samples, side.step
        if side.allocation is not PortAllocation.SEQUENTIAL or not samples or not step:
            return None
        first, newest, furthest = samples[0], samples[-1], _furthest(samples, step)
        if (furthest.port - newest.port) // step > MAX_DISORDER:  # it has begun again at its lowest port
            return cls(port=newest.port, step=step, age=newest.age)
        return cls(
            port=furthest.port,
            step=step,
            age=newest.age,
            taken=max(0, (furthest.port - first.port) // step - len(samples) + 1),
            watched=max(0.0, first.age - newest.age),
        )

    @property
    def rate(self) -> float:
        """Mappings of other hosts a second, the best guess."""
        return (PRIOR_COUNT + self.taken) / (PRIOR_SECONDS + self.watched)

    def expected(self, seconds: float) -> float:
        """Mappings that others make from the newest sample to ``seconds`` after the start."""
        return self.rate * (self.age + seconds)

    def deviation(self, seconds: float) -> float:
        """The standard deviation of that number."""
        mean, unsure = self.expected(seconds), (self.age + seconds) / (PRIOR_SECONDS + self.watched)
        return sqrt(mean * (1 + unsure))

    def probabilities(self, seconds: float) -> Iterator[float]:
        """The probability that others make 0, 1, 2, … mappings by ``seconds`` after the start."""
        shape = PRIOR_COUNT + self.taken
        kept = (PRIOR_SECONDS + self.watched) / (PRIOR_SECONDS + self.watched + self.age + seconds)
        probability, count = exp(shape * log(kept)), 0
        while True:
            yield probability
            probability *= (count + shape) / (count + 1) * (1 - kept)
            count += 1

    def port_after(self, mappings: float) -> int:
        """The port of the mapping that is so many after the newest sample."""
        return FIRST_PORT + (self.port + self.step * round(mappings) - FIRST_PORT) % PORT_COUNT

    def best_first(self, sockets: int, seconds: float) -> Iterator[int]:
        """The next ports, those first that most probably belong to one of the next ``sockets`` mappings.

        Args:
            sockets: how many the NAT's owner opens in a row.
            seconds: after the start, when about it opens them.
        """
        up_to = [0.0, *accumulate(islice(self.probabilities(seconds), WINDOW))]
        offsets = range(1, WINDOW + 1)
        # A port is held when the number of strange mappings before it is less than its place in the sequence
        # by 1 to ``sockets``.
        held = [up_to[offset] - up_to[max(0, offset - sockets)] for offset in offsets]
        for offset in sorted(offsets, key=lambda one: -round(held[one - 1], 3)):
            yield self.port_after(offset)

    def half_width(self, sent: int, rate: float) -> int:
        """Mappings to either side of the expected one that a burst must sweep after ``sent`` packets."""
        return MIN_HALF_WIDTH + ceil(WIDTH * self.deviation(sent / rate) + LOSS_BEFORE_NAT * sent)


def predicted(drift: Drift, sockets: int, rate: float) -> Iterator[int]:
    """The next ports of a sequential NAT whose owner opens ``sockets`` in a row, best first.

    They come for ever, in passes, each from the best on and twice as far as the one before: so neither a lost
    packet nor a side that started too early costs the attempt, and what is sent at most doubles.
    """
    best = list(drift.best_first(sockets, sockets / 2 / rate))
    length = max(1, 2 * sockets)
    while length < len(best):
        yield from best[:length]
        length *= 2
    while True:
        yield from best


def sweep(own: Drift, peer: Drift, *, sockets: int, rate: float) -> list[int]:
    """Where each of our fresh sockets aims, in order, where both NATs are sequential: see the module.

    Both sides cut their packets into the same bursts, for both know both drifts, and it does little harm
    where they differ by some.
    """
    aims: list[int] = []
    while len(aims) < sockets:
        sent = len(aims)
        half = max(own.half_width(sent, rate), peer.half_width(sent, rate))
        length = min(2 * half, sockets - sent)
        middle = sent + (length + 1) / 2
        aims += [peer.port_after(middle + peer.expected(middle / rate))] * length
    return aims


def _furthest(samples: Sequence[PortSample], step: int) -> PortSample:
    return max(samples, key=lambda one: one.port if step > 0 else -one.port)
