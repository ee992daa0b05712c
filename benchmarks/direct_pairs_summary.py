"""What calls between pairs that should connect come to: how many did, how soon, and what went wrong. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.direct_pairs_run import Call, Setting
from benchmarks.discovery_run import RTT
from benchmarks.hard_pairs_summary import PERCENTILES, percentile
from netlab.cli.report import columns


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsSummary:
    """Some calls.

    Attributes:
        connected: how many met.
        calls: of how many.
        seconds: of those that met, by percentile, to a confirmed path; none where none met.
        techniques: by which they met, and how often.
    """

    connected: int
    calls: int
    seconds: Mapping[int, float]
    techniques: Mapping[str, int]

    @classmethod
    def of(cls, calls: Sequence[Call]) -> CallsSummary:
        """The summary."""
        times = [call.seconds for call in calls if call.seconds is not None]
        return cls(
            connected=len(times),
            calls=len(calls),
            seconds={share: percentile(times, share) for share in PERCENTILES} if times else {},
            techniques=Counter(call.technique for call in calls if call.seconds is not None),
        )


def misses(settings: Sequence[Setting], calls: Sequence[Call], samples: int) -> list[str]:
    """A line for each call that failed, and one where fewer were made than asked for."""
    made = Counter(call.setting for call in calls)
    done = sum(min(made[one], samples) for one in settings)
    few = [f"{done} of {len(settings) * samples} calls made"] if done < len(settings) * samples else []
    return [*(f"{call.setting}: {call.failure}" for call in calls if call.failure), *few]


def table_text(calls: Sequence[Call]) -> str:
    """A row for each caller's NAT and each loss, over all callees."""
    rows: list[tuple[str, ...]] = [
        ("caller", "loss", "callees", "connected", "target", "median", "95 %", "99 %", "techniques")
    ]
    kinds = dict.fromkeys((call.setting.caller, call.setting.loss) for call in calls)
    for caller, loss in kinds:
        some = [call for call in calls if (call.setting.caller, call.setting.loss) == (caller, loss)]
        rows.append((caller, f"{loss:.0%}", str(len({call.setting.callee for call in some})), *_cells(some)))
    for loss in dict.fromkeys(call.setting.loss for call in calls):
        some = [call for call in calls if call.setting.loss == loss]
        rows.append(
            ("all", f"{loss:.0%}", f"{len({call.setting.pair for call in some})} pairs", *_cells(some))
        )
    return "\n".join(columns(rows))


def _cells(calls: Sequence[Call]) -> tuple[str, ...]:
    summary = CallsSummary.of(calls)
    times = [f"{summary.seconds[share] / RTT:.2f} RTT" if summary.seconds else "" for share in PERCENTILES]
    techniques = ", ".join(f"{name} {count}" for name, count in summary.techniques.items())
    is_met = "all, met" if summary.connected == summary.calls else "all, MISSED"
    return (f"{summary.connected} of {summary.calls}", is_met, *times, techniques)


def report_object(
    settings: Sequence[Setting], calls: Sequence[Call], samples: int, missed: Sequence[str]
) -> dict[str, Any]:
    """The same as one JSON object, by pair; times are in seconds."""
    by_setting: dict[Setting, list[Call]] = {setting: [] for setting in settings}
    for call in calls:
        by_setting.setdefault(call.setting, []).append(call)
    return {
        "rtt": RTT,
        "samples": samples,
        "missed": list(missed),
        "pairs": [_pair_object(setting, some) for setting, some in by_setting.items()],
    }


def _pair_object(setting: Setting, calls: Sequence[Call]) -> dict[str, Any]:
    summary = CallsSummary.of(calls)
    return {
        "caller": setting.caller,
        "callee": setting.callee,
        "loss": setting.loss,
        "connected": summary.connected,
        "calls": summary.calls,
        "seconds": {f"p{share}": round(value, 4) for share, value in summary.seconds.items()},
        "techniques": dict(summary.techniques),
        "failures": [{"failure": call.failure, "why": list(call.why)} for call in calls if call.failure],
    }
