"""What many trials come to: how many met, how soon, by what, and what is not as it should be. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.hard_pairs_summary import percentile
from benchmarks.trials_run import Pair
from netlab.cli.report import columns
from tests.sim.trial import Ending, Promise, Trial

MIN_PROBABLE = 0.95
"""Of the trials of a pair that is to meet by prediction or birthday probing; of a few, one may miss."""

MAX_REASON = 60
"""Characters of a reason that tell which it is; what follows are its numbers."""

Results = Sequence[tuple[Trial, Ending]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Trials that are looked at together.

    Attributes:
        trials: how many.
        direct: how many of them met.
        rtts: round trips until they met, by percentile; empty where none did.
        seconds: the same in seconds.
        techniques: by which they met, and how often.
        reasons: why the others did not, and how often.
    """

    trials: int
    direct: int
    rtts: Mapping[int, float]
    seconds: Mapping[int, float]
    techniques: Mapping[str, int]
    reasons: Mapping[str, int]

    @classmethod
    def of(cls, results: Results) -> Group:
        """The group of these."""
        met = [(trial, ending) for trial, ending in results if ending.is_direct]
        seconds = [ending.seconds for _, ending in met]
        rtts = [ending.seconds / trial.circumstances.rtt for trial, ending in met]
        return cls(
            trials=len(results),
            direct=len(met),
            rtts={share: percentile(rtts, share) for share in (50, 95)} if met else {},
            seconds={share: percentile(seconds, share) for share in (50, 95)} if met else {},
            techniques=Counter(ending.technique for _, ending in met if ending.technique is not None),
            reasons=Counter(_clause(ending.reason) for _, ending in results if not ending.is_direct),
        )

    def to_object(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "trials": self.trials,
            "direct": self.direct,
            "rtts": {f"p{share}": round(value, 3) for share, value in self.rtts.items()},
            "seconds": {f"p{share}": round(value, 4) for share, value in self.seconds.items()},
            "techniques": dict(self.techniques),
            "reasons": dict(self.reasons),
        }


def by_pair(results: Results) -> dict[Pair, list[tuple[Trial, Ending]]]:
    """The results of each pair."""
    pairs: dict[Pair, list[tuple[Trial, Ending]]] = defaultdict(list)
    for trial, ending in results:
        pairs[trial.caller.name, trial.callee.name].append((trial, ending))
    return pairs


def amiss(results: Results) -> list[str]:
    """A line for each trial that broke its promise; probable ones only of pairs that break it too often."""
    return [line for of_pair in by_pair(results).values() for line in _amiss_of_pair(of_pair)]


def _amiss_of_pair(results: Results) -> Iterator[str]:
    broken = [(trial, ending) for trial, ending in results if not trial.promise.is_kept(ending)]
    is_probable = results[0][0].promise is Promise.PROBABLE
    if is_probable and len(broken) <= max(1.0, (1 - MIN_PROBABLE) * len(results)):
        return
    for trial, ending in broken:
        yield f"{trial}: {ending.technique or ending.reason}"


_GROUPS = {
    Promise.DIRECT: "plain checks are to connect it",
    Promise.PROBABLE: "prediction or birthday probing is",
    Promise.OPEN: "timing says",
    Promise.APART: "nothing can",
}


def groups_of(results: Results) -> dict[Promise, list[tuple[Trial, Ending]]]:
    """The results of each promise."""
    groups: dict[Promise, list[tuple[Trial, Ending]]] = {promise: [] for promise in Promise}
    for trial, ending in results:
        groups[trial.promise].append((trial, ending))
    return groups


def table_text(results: Results) -> str:
    """A row for each promise and for each technique and loss in it."""
    rows: list[tuple[str, ...]] = [
        ("a pair is one that", "loss", "connected", "median", "95 %", "in RTT", "by")
    ]
    for promise, of_promise in groups_of(results).items():
        losses = sorted({trial.circumstances.loss for trial, _ in of_promise})
        for loss in losses:
            group = Group.of([one for one in of_promise if one[0].circumstances.loss == loss])
            rows.append(
                (
                    _GROUPS[promise],
                    f"{loss:.0%}",
                    f"{group.direct} of {group.trials}",
                    *(f"{group.seconds[share]:.2f} s" if group.direct else "" for share in (50, 95)),
                    " / ".join(f"{value:.1f}" for value in group.rtts.values()),
                    ", ".join(f"{name} {count}" for name, count in sorted(group.techniques.items())),
                )
            )
    return "\n".join(columns(rows))


def exceptions_text(results: Results) -> str:
    """A line for each pair that sometimes met and sometimes did not."""
    lines = []
    for (caller, callee), of_pair in by_pair(results).items():
        group = Group.of(of_pair)
        if 0 < group.direct < group.trials:
            (reason, _), *_ = Counter(group.reasons).most_common(1)
            lines.append(f"  {caller} x {callee}: {group.direct} of {group.trials}; else {reason}")
    return "\n".join(lines)


def report_object(results: Results, seconds: float) -> dict[str, Any]:
    """The same as one JSON object, with every pair; times are in seconds, of which ``elapsed`` is real."""
    return {
        "trials": len(results),
        "elapsed": round(seconds, 1),
        "promises": {
            promise.value: Group.of(some).to_object() for promise, some in groups_of(results).items() if some
        },
        "pairs": [
            {
                "caller": caller,
                "callee": callee,
                "promise": some[0][0].promise.value,
                **Group.of(some).to_object(),
            }
            for (caller, callee), some in by_pair(results).items()
        ],
        "amiss": amiss(results),
    }


def _clause(reason: str) -> str:
    return reason.partition(" (")[0][:MAX_REASON]
