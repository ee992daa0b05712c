"""The mathematics of birthday probing: how many random ports must be tried to meet one that is held."""

from __future__ import annotations

from math import expm1, inf, log, log1p, sqrt


def meeting_probability(sockets: int, probes: int, ports: int) -> float:
    """The probability that ``probes`` different ports of ``ports`` hit one that ``sockets`` are mapped to.

    Exact: none is hit where all probes fall on the other ports, one after the other.
    """
    if probes <= 0 or sockets <= 0:
        return 0.0
    missed = 0.0
    for done in range(probes):
        if ports - done <= sockets:
            return 1.0
        missed += log1p(-sockets / (ports - done))
    return -expm1(missed)


def probes_for(probability: float, sockets: int, ports: int) -> int | None:
    """The least number of probes with at least this probability of meeting, or None where there is none."""
    missed = 0.0
    for done in range(ports):
        if ports - done <= sockets:
            return done + 1 if sockets else None
        missed += log1p(-sockets / (ports - done))
        if -expm1(missed) >= probability:
            return done + 1
    return None


def median_seconds(sockets: int, ports: int, rate: float, *, speed: float = 1.0) -> float:
    """Seconds until half of all attempts have met, one side sending ``rate`` packets a second.

    While the sockets are being opened, ``speed`` times as fast, the pairs of a held and a tried port grow
    with the square of the time, then in proportion to it. Half have met when 0.69 of a meeting is expected.
    What is under way comes on top.
    """
    if not sockets:
        return inf
    needed, opening = log(2) * ports, sockets / (speed * rate)
    if needed <= sockets**2 / (2 * speed):
        return sqrt(2 * needed / speed) / rate
    return needed / (sockets * rate) + opening / 2
