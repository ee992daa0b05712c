"""Where a sequential NAT is, how fast it moves on, and so which ports come next.

**A sequential NAT** goes one step further for each new mapping, of ours and of the other hosts behind it.
Samples come in bursts, asked for at one instant. Within a burst only others' mappings of some milliseconds
can be in between, so a burst says *where* the NAT is; between two bursts it says *how fast* it moves on.

A sample may be wrong. A socket may get the number of an earlier one, whose mapping the NAT still knows, so
that its port is an old one: with a hundred mappings of a home's last two minutes that happens to one burst of
four in seventy. Packets change places, and get lost before the NAT or behind it. So in a burst those count
that lie together, in whatever order, and of them the furthest.

How many others there will be is not known, only how many there were in the time that the bursts span. With a
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
NAT with another end is mispredicted around it, until samples from beyond it are there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, count, islice, pairwise
from math import ceil, exp, gcd, log, sqrt

from natcore.hardnat.behavior import PortSample, SideSummary
from natcore.hardnat.ports import FIRST_PORT, PORT_COUNT
from natcore.nat import PortAllocation

PRIOR_COUNT, PRIOR_SECONDS = 0.5, 0.05
"""What is believed of others before a sample is seen: half a mapping in 50 ms, so 10 a second, loosely. The
half is Jeffreys' prior; the seconds make a family's home likely and 40 a second not unlikely."""

SAME_BURST = 0.02
"""Seconds between samples that were taken together: the event loop's lateness, and no round trip."""

MAX_GAP = 16
"""Mappings from one sample of a burst to the next. The burst is at the NAT within milliseconds, in which
others take a few; and an old mapping is rarely as near."""

MAX_OTHERS = 1000.0
"""Mappings a second that others may seem to take. More is a pool that has begun anew, in between."""

MIN_STEPS = 3
"""Distances within bursts that must be there before they correct the step: of two, one may be a loss."""

CHECKS_BEFORE = 2
"""Mappings that plain checks take before an attempt's sockets do: to the host and then to the reflexive
candidate of an ordinary peer. The latter is as good a hole as any."""

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
        if side.allocation is not PortAllocation.SEQUENTIAL or not side.samples or not side.step:
            return None
        bursts = [_together(burst, side.step) for burst in _bursts(side.samples)]
        step = _corrected(side.step, bursts)
        newest = bursts.pop()
        furthest, age = newest[-1], min(one.age for one in newest)
        taken, watched, own = 0, 0.0, len(newest)
        for burst in reversed(bursts):
            seconds = burst[-1].age - age
            ahead = _mappings(burst[-1].port, furthest.port, step)
            if not 0 <= ahead <= own + MAX_GAP + MAX_OTHERS * seconds:
                break  # the NAT has begun anew in between
            taken, watched, own = max(0, ahead - own), seconds, own + len(burst)
        return cls(port=furthest.port, step=step, age=age, taken=taken, watched=watched)

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
        sampled = PRIOR_SECONDS + self.watched
        ahead = max(self.age + seconds, 1e-9)  # of no time there is no logarithm
        stays, goes_on = log(sampled / (sampled + ahead)), log(ahead / (sampled + ahead))
        logarithm = shape * stays  # of a number that may be too small for a float
        for number in count():
            yield exp(logarithm)
            logarithm += log((number + shape) / (number + 1)) + goes_on

    def port_after(self, mappings: float) -> int:
        """The port of the mapping that is so many after the newest sample."""
        return FIRST_PORT + (self.port + self.step * round(mappings) - FIRST_PORT) % PORT_COUNT

    def best_first(self, sockets: int, seconds: float) -> Iterator[int]:
        """The next ports, those first that most probably belong to one of ``sockets`` further mappings.

        Args:
            sockets: how many the NAT's owner opens in a row, behind its plain checks.
            seconds: after the start, when about it opens them.
        """
        up_to = [0.0, *accumulate(islice(self.probabilities(seconds), WINDOW))]
        useless, holes = CHECKS_BEFORE - 1, sockets + 1
        places = range(1 - useless, WINDOW + 1)
        # A port is held when the number of strange mappings before it is less than its place in the sequence
        # by 1 to ``holes``.
        held = {place: up_to[max(0, place)] - up_to[max(0, place - holes)] for place in places}
        for place in sorted(places, key=lambda one: -round(held[one], 3)):
            yield self.port_after(useless + place)

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
        middle = CHECKS_BEFORE + sent + (length + 1) / 2
        aims += [peer.port_after(middle + peer.expected((sent + length / 2) / rate))] * length
    return aims


def _bursts(samples: Sequence[PortSample]) -> list[list[PortSample]]:
    """The samples by the instant at which they were taken, oldest first."""
    ordered = sorted(samples, key=lambda one: -one.age)
    bursts = [[ordered[0]]]
    for earlier, later in pairwise(ordered):
        if earlier.age - later.age > SAME_BURST:
            bursts.append([])
        bursts[-1].append(later)
    return bursts


def _together(burst: Sequence[PortSample], step: int) -> list[PortSample]:
    """The most samples of a burst that lie together, in the order of their ports.

    Of two such groups as large as each other it is the one with the sample that came last.
    """
    ordered = sorted(burst, key=lambda one: _mappings(burst[0].port, one.port, step))
    groups = [[ordered[0]]]
    for nearer, further in pairwise(ordered):
        if _mappings(nearer.port, further.port, step) > MAX_GAP:
            groups.append([])
        groups[-1].append(further)
    return max(groups, key=lambda group: (len(group), burst[-1] in group))


def _corrected(step: int, bursts: Sequence[Sequence[PortSample]]) -> int:
    """The step, or a divisor of it where most distances within bursts are no multiples of it."""
    distances = [
        later.port - earlier.port
        for burst in bursts
        for earlier, later in pairwise(burst)
        if earlier != later
    ]
    misfits = sum(distance % step != 0 for distance in distances)
    if len(distances) < MIN_STEPS or 2 * misfits <= len(distances):
        return step
    return gcd(step, *distances) * (1 if step > 0 else -1)


def _mappings(earlier: int, later: int, step: int) -> int:
    """From one port on to another, by the shorter way around; negative where ``later`` is behind."""
    half = PORT_COUNT // 2
    return round(((later - earlier + half) % PORT_COUNT - half) / step)
