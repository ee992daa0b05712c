"""What attempts behind hard pairs come to: how many met, how soon, at what cost, and what is amiss. Pure."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.discovery_run import RTT
from benchmarks.hard_pairs_run import MAX_REFUSAL, Attempt, HardPair
from netlab.cli.report import columns

UNPREDICTABLE = "the two NATs keep the peers apart"
"""What the reason says where no technique helps."""

MAX_PACKETS, MAX_RATE = 2_000, 250
"""Of one side, in one attempt, and in any second of it."""

PERCENTILES = (50, 95, 99)


def percentile(values: Sequence[float], share: int) -> float:
    """The smallest value that ``share`` percent are not above: one that was measured, and not in between.

    The 50th is the median as statistics has it.
    """
    if share == 50:
        return statistics.median(values)
    return sorted(values)[max(0, math.ceil(share / 100 * len(values)) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSummary:
    """All attempts of one pair.

    Attributes:
        connected: how many met.
        attempts: of how many.
        seconds: by percentile, until they met, or until it was said that they cannot; none where no attempt
            ended as it should.
        packets: of the side that sent more: the median and the most.
        busiest: packets of one side in the busiest second of all.
        missed: what of the target was not reached, a clause each.
        techniques: by which they met, and how often.
        amiss: a line for each attempt that did not end as the pair should.
    """

    pair: HardPair
    connected: int
    attempts: int
    seconds: Mapping[int, float]
    packets: tuple[float, int]
    busiest: int
    missed: tuple[str, ...]
    techniques: Mapping[str, int]
    amiss: tuple[str, ...]

    @classmethod
    def of(cls, pair: HardPair, attempts: Sequence[Attempt]) -> PairSummary:
        """The summary of at least one attempt."""
        direct = [one for one in attempts if one.is_direct]
        as_planned = [one for one in attempts if one.is_direct is (pair.technique is not None)]
        times = [one.seconds for one in as_planned]
        packets = [_packets_of(one) for one in attempts]
        found = [list(faults_of(pair, one)) for one in attempts]
        return cls(
            pair=pair,
            connected=len(direct),
            attempts=len(attempts),
            seconds={share: percentile(times, share) for share in PERCENTILES} if times else {},
            packets=(statistics.median(packets), max(packets)),
            busiest=max(one.busiest for one in attempts),
            missed=tuple(_missed(pair, attempts)),
            techniques=Counter(one.caller["technique"] for one in direct),
            amiss=tuple(f"{pair}: {'; '.join(faults)}" for faults in found if faults),
        )


def _missed(pair: HardPair, attempts: Sequence[Attempt]) -> Iterator[str]:
    """What of its target a pair has not reached; who did not end as it should is slower than any other."""
    if pair.target is None:
        return
    share = 100 * sum(one.is_direct for one in attempts) / len(attempts)
    if share < pair.target.connected or (pair.technique is None and share):
        yield f"got {share:g} of 100 connected, expected {pair.target.connected}"
    times = [one.seconds if one.is_direct is (pair.technique is not None) else math.inf for one in attempts]
    for rank, seconds in pair.target.seconds.items():
        if (got := percentile(times, rank)) > seconds:
            yield f"got {got:.3f} s at {rank} %, expected at most {seconds:g} s"
    for one in attempts:
        yield from _excesses(one)


def faults_of(pair: HardPair, attempt: Attempt) -> Iterator[str]:
    """What is not as it should be, a clause each."""
    if pair.technique is None:
        yield from _faults_of_refusal(attempt)
    elif attempt.callee is None or not attempt.is_direct:
        yield f"failed: {attempt.caller['reason']}"
    else:
        yield from _faults_of_meeting(pair.technique, attempt.caller, attempt.callee)
    yield from _excesses(attempt)


def _excesses(attempt: Attempt) -> Iterator[str]:
    if _packets_of(attempt) > MAX_PACKETS:
        yield f"got {_packets_of(attempt)} packets of one side, expected at most {MAX_PACKETS}"
    if attempt.busiest > MAX_RATE:
        yield f"got {attempt.busiest} packets of one side in a second, expected at most {MAX_RATE}"


def _faults_of_refusal(attempt: Attempt) -> Iterator[str]:
    outcome, reason = attempt.caller["outcome"], attempt.caller["reason"]
    if (outcome, attempt.code) != ("failed", 1):
        yield f"got {outcome} and exit code {attempt.code}, expected failed and 1"
    elif UNPREDICTABLE not in reason:
        yield f"got the reason {reason!r}, expected {UNPREDICTABLE!r}"
    if attempt.seconds > MAX_REFUSAL:
        yield f"got {attempt.seconds:.2f} s until it was said, expected at most {MAX_REFUSAL:g} s"


def _faults_of_meeting(technique: str, caller: Mapping[str, Any], callee: Mapping[str, Any]) -> Iterator[str]:
    for side, report in (("caller", caller), ("callee", callee)):
        if report["technique"] != technique:
            yield f"{side}: got {report['technique']}, expected {technique}"
    if callee["message"] is None:
        yield "the message was not delivered"
    for ours, theirs in (("local", "remote"), ("remote", "local")):
        if caller["path"][ours] != callee["path"][theirs]:
            here, there = caller["path"][ours], callee["path"][theirs]
            yield f"caller's {ours} end {here} is not the callee's {theirs} end {there}"


def _packets_of(attempt: Attempt) -> int:
    return max(int(side["packets_sent"]) for side in (attempt.caller, attempt.callee) if side is not None)


_HEAD = (
    "caller x callee",
    "technique",
    "connected",
    "median",
    "95 %",
    "99 %",
    "in RTT",
    "packets",
    "most",
    "in a second",
    "target",
)


def table_text(
    summaries: Sequence[PairSummary], aioice: Mapping[HardPair, int] | None = None, aioice_runs: int = 0
) -> str:
    """A row a pair; aioice's column only where it was run."""
    rows: list[tuple[str, ...]] = [(*_HEAD, "aioice") if aioice else _HEAD]
    for one in summaries:
        row: list[str] = [
            str(one.pair),
            ", ".join(one.techniques) or "none",
            f"{one.connected} of {one.attempts}",
            *(f"{one.seconds[share]:.2f} s" if one.seconds else "" for share in PERCENTILES),
            " / ".join(f"{value / RTT:.1f}" for value in one.seconds.values()),
            f"{one.packets[0]:.0f}",
            str(one.packets[1]),
            str(one.busiest),
            _target_text(one),
        ]
        if aioice:
            row.append(f"{aioice[one.pair]} of {aioice_runs}")
        rows.append(tuple(row))
    return "\n".join(columns(rows))


def _target_text(one: PairSummary) -> str:
    if one.pair.target is None:
        return ""
    percentiles = [f"{share} % in {seconds:g} s" for share, seconds in one.pair.target.seconds.items()]
    wanted = ", ".join([f"{one.pair.target.connected} of 100", *percentiles])
    return f"{wanted}: {'missed' if one.missed else 'met'}"


def report_object(
    summaries: Sequence[PairSummary], aioice: Mapping[HardPair, int] | None = None, aioice_runs: int = 0
) -> dict[str, Any]:
    """The same as one JSON object; times are in seconds."""
    pairs = [
        {
            "caller": one.pair.caller,
            "callee": one.pair.callee,
            "connected": one.connected,
            "attempts": one.attempts,
            "seconds": {f"p{share}": round(value, 4) for share, value in one.seconds.items()},
            "background": one.pair.background,
            "packets": {"median": one.packets[0], "most": one.packets[1], "in_a_second": one.busiest},
            "missed": None if one.pair.target is None else list(one.missed),
            "techniques": dict(one.techniques),
            "amiss": list(one.amiss),
            **({"aioice": {"connected": aioice[one.pair], "attempts": aioice_runs}} if aioice else {}),
        }
        for one in summaries
    ]
    return {"rtt": RTT, "pairs": pairs}
