"""What the runs of a contest come to: medians, percentiles, the table and the JSON. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.contest import OURS, Contest, Run
from natcore.nat import MappingBehavior
from netlab.cli.report import columns

FLOOR = 1.5
"""Round trips; half to tell the server, half to tell the other side, half for its first packet."""

FLOOR_TO_UNKNOWN_PORT = 2.0
"""Round trips to a callee whose NAT takes another port for each destination: the caller can aim at that port
only when a packet from it has come, at 1.5, and what it then sends needs another half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What our first payload is to reach.

    Attributes:
        median: round trips, or None where there is no target for it.
        percentile_95: round trips.
    """

    median: float | None
    percentile_95: float


TARGET = Target(median=1.7, percentile_95=2.2)
TARGET_WITH_LOSS = Target(median=None, percentile_95=6.0)
"""Both for easy pairs: those whose floor is ``FLOOR``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One contestant in one contest.

    A run that failed counts as slower than any other, so that giving up never improves a number.

    Attributes:
        delivered: runs whose payload arrived.
        runs: all of them.
        median: seconds, infinite where half of the runs failed.
        percentile_95: seconds, by nearest rank: the 19th of 20.
        read_median: seconds until the application could read it; the others are until it arrived.
    """

    delivered: int
    runs: int
    median: float
    percentile_95: float
    read_median: float

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Summary:
        """The summary of at least one run."""
        times = sorted(_or_never(run.seconds) for run in runs)
        return cls(
            delivered=sum(map(math.isfinite, times)),
            runs=len(times),
            median=statistics.median(times),
            percentile_95=times[math.ceil(0.95 * len(times)) - 1],
            read_median=statistics.median(_or_never(run.read_seconds) for run in runs),
        )


def floor_of(contest: Contest) -> float:
    """Round trips in which nothing can be faster from this caller to this callee, unless it guesses ports."""
    is_known = contest.callee_nat.behavior.mapping is MappingBehavior.ENDPOINT_INDEPENDENT
    return FLOOR if is_known else FLOOR_TO_UNKNOWN_PORT


def target_of(contest: Contest) -> Target | None:
    """What we are to reach there; None where the pair is not an easy one."""
    if floor_of(contest) > FLOOR:
        return None
    return TARGET_WITH_LOSS if contest.loss else TARGET


def misses(contest: Contest, *, rtt: float) -> list[str]:
    """What our first payload missed, a sentence each."""
    ours, target = summaries(contest)[OURS], target_of(contest)
    missed = []
    if ours.delivered < ours.runs:
        missed.append(f"{contest.name}: we delivered {ours.delivered} of {ours.runs}")
    if target is not None:
        for what, seconds, limit in (
            ("median", ours.median, target.median),
            ("95th percentile", ours.percentile_95, target.percentile_95),
        ):
            if limit is not None and seconds > limit * rtt:
                missed.append(f"{contest.name}: our {what} is {seconds / rtt:.2f} RTT, target {limit:g}")
    return missed


def summaries(contest: Contest) -> dict[str, Summary]:
    """By contestant."""
    return {name: Summary.of(runs) for name, runs in contest.runs.items()}


def contest_text(contest: Contest, *, rtt: float) -> str:
    """The table of one pair of NATs."""
    pair = f"{contest.name}, floor {floor_of(contest):g} RTT"
    rows: list[tuple[str, ...]] = [
        (pair, "median", "", "95th percentile", "", "median, read", "", "delivered")
    ]
    for name, summary in summaries(contest).items():
        times = (summary.median, summary.percentile_95, summary.read_median)
        cells = [cell for seconds in times for cell in _cells(seconds, rtt)]
        rows.append((f"  {name}", *cells, f"{summary.delivered} of {summary.runs}"))
    target = target_of(contest)
    if target is not None:
        median = "" if target.median is None else f"{target.median:5.2f} RTT"
        verdict = "MISSED" if misses(contest, rtt=rtt) else "met"
        rows.append(
            ("  target for ours", median, "", f"{target.percentile_95:5.2f} RTT", verdict, "", "", "")
        )
    return "\n".join(columns(rows))


def contest_object(contest: Contest, *, rtt: float) -> dict[str, Any]:
    """The same for JSON, with every run; a number that would be infinite is null."""
    return {
        "caller_nat": contest.caller_nat.name,
        "callee_nat": contest.callee_nat.name,
        "loss": contest.loss,
        "floor": floor_of(contest),
        "target": None if (target := target_of(contest)) is None else asdict(target),
        "measured_rtt": contest.measured_rtt,
        "results": {
            name: {
                "delivered": summary.delivered,
                "median": _both(summary.median, rtt),
                "percentile_95": _both(summary.percentile_95, rtt),
                "read_median": _both(summary.read_median, rtt),
                "seconds": [run.seconds for run in contest.runs[name]],
                "failures": [run.failure for run in contest.runs[name] if run.failure],
            }
            for name, summary in summaries(contest).items()
        },
    }


def _or_never(seconds: float | None) -> float:
    return math.inf if seconds is None else seconds


def _cells(seconds: float, rtt: float) -> tuple[str, str]:
    if math.isinf(seconds):
        return "never", ""
    return f"{seconds / rtt:5.2f} RTT", f"{seconds * 1000:6.1f} ms"


def _both(seconds: float, rtt: float) -> Mapping[str, float | None]:
    if math.isinf(seconds):
        return {"seconds": None, "rtts": None}
    return {"seconds": seconds, "rtts": seconds / rtt}
