"""What the turns of a race come to: medians, worst, ratios to the peer, the table and the JSON. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from benchmarks.lab_race import PEER, SIDE_BY_SIDE, Crew, Race, Row, Scene, Turn
from netlab.cli.report import columns

TITLES = MappingProxyType(
    {
        Scene.TWO_NATS: "two NATs, 6 nodes",
        Scene.SIDE_BY_SIDE: f"{SIDE_BY_SIDE} such labs at once",
        Scene.TWENTY_NODES: "nine NATs, 20 nodes",
    }
)
"""The nodes are the router that is the core, the server, and a NAT and a host for each home."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Building or removing, over all turns of a row.

    A turn that failed counts as slower than any other, so that giving up never improves a number.

    Attributes:
        median: seconds, infinite where half of the turns failed.
        worst: seconds, infinite where one failed.
    """

    median: float
    worst: float

    @classmethod
    def of(cls, seconds: Sequence[float | None]) -> Times:
        """The times of at least one turn."""
        times = [math.inf if one is None else one for one in seconds]
        return cls(median=statistics.median(times), worst=max(times))


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One row of a race.

    Attributes:
        up: building.
        down: removing.
        built: turns in which nothing failed.
        turns: all of them.
    """

    up: Times
    down: Times
    built: int
    turns: int

    @classmethod
    def of(cls, turns: Sequence[Turn]) -> Summary:
        """The summary of at least one turn."""
        return cls(
            up=Times.of([turn.up for turn in turns]),
            down=Times.of([turn.down for turn in turns]),
            built=sum(not turn.failures for turn in turns),
            turns=len(turns),
        )


def summaries(race: Race) -> dict[Row, Summary]:
    """By row."""
    return {row: Summary.of(turns) for row, turns in race.turns.items()}


def ratio(ours: float, theirs: float) -> float | None:
    """Ours in multiples of theirs, or None where one of the two never ended."""
    return ours / theirs if math.isfinite(ours) and math.isfinite(theirs) else None


def race_text(race: Race) -> str:
    """A table for each scene, and a line for each row that was not measured."""
    of_all = summaries(race)
    rows: list[tuple[str, ...]] = []
    for scene in Scene:
        of_scene = {row: summary for row, summary in of_all.items() if row.scene is scene}
        if of_scene:
            heading = ("up, median", "worst", f"/ {PEER}", "down, median", "worst", f"/ {PEER}", "done")
            rows.append((TITLES[scene], *heading))
            rows += _scene_rows(of_scene)
    absent = [f"not measured: {row.title}: {why}" for row, why in race.absent.items()]
    return "\n".join([*columns(rows), *absent] if rows else absent)


def misses(race: Race) -> list[str]:
    """Each limit that was not kept, or could not be measured, in a sentence."""
    missed = []
    for row, summary in summaries(race).items():
        for act, times, limit in (
            ("up", summary.up, row.up_limit),
            ("down", summary.down, row.down_limit),
        ):
            if limit is not None and times.median > limit:
                got = _seconds(times.median).strip()
                missed.append(f"{row.title}: {act} in {got} by the median, required is {limit:g} s")
    limited = [row for row in race.absent if (row.up_limit, row.down_limit) != (None, None)]
    return [*missed, *(f"{row.title}: not measured" for row in limited)]


def race_object(race: Race) -> dict[str, Any]:
    """The same for JSON, with every turn; a number that would be infinite is null."""
    of_all = summaries(race)
    return {
        "rows": [
            _row_object(row, of_all[row], turns, _peer_of(row, of_all)) for row, turns in race.turns.items()
        ],
        "absent": {row.title: why for row, why in race.absent.items()},
    }


def _peer_of(row: Row, of_all: Mapping[Row, Summary]) -> Summary | None:
    """The peer's summary in the same scene; the peer itself is compared with nothing."""
    if row.crew is Crew.PEER:
        return None
    theirs = (one for other, one in of_all.items() if other.crew is Crew.PEER and other.scene is row.scene)
    return next(theirs, None)


def _scene_rows(of_scene: Mapping[Row, Summary]) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = []
    for row, summary in of_scene.items():
        peer = _peer_of(row, of_scene)
        up = _cells(summary.up, peer.up if peer else None)
        down = _cells(summary.down, peer.down if peer else None)
        lines.append((f"  {row.name}", *up, *down, f"{summary.built} of {summary.turns}"))
    return lines


def _cells(times: Times, theirs: Times | None) -> tuple[str, str, str]:
    multiple = ratio(times.median, theirs.median) if theirs else None
    return _seconds(times.median), _seconds(times.worst), "" if multiple is None else f"{multiple:5.2f}"


def _seconds(seconds: float) -> str:
    return "never" if math.isinf(seconds) else f"{seconds:6.3f} s"


def _row_object(row: Row, summary: Summary, turns: Sequence[Turn], peer: Summary | None) -> dict[str, Any]:
    return {
        "scene": row.scene,
        "name": row.name,
        "labs": row.labs,
        "homes": row.homes,
        "built": summary.built,
        "up": _times_object(summary.up, peer.up if peer else None, row.up_limit, [turn.up for turn in turns]),
        "down": _times_object(
            summary.down, peer.down if peer else None, row.down_limit, [turn.down for turn in turns]
        ),
        "failures": [failure for turn in turns for failure in turn.failures],
    }


def _times_object(
    times: Times, theirs: Times | None, limit: float | None, seconds: Sequence[float | None]
) -> dict[str, Any]:
    return {
        "median": _or_null(times.median),
        "worst": _or_null(times.worst),
        "ratio": ratio(times.median, theirs.median) if theirs else None,
        "limit": limit,
        "seconds": list(seconds),
    }


def _or_null(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None
