"""What a program says of its own attempt: the last JSON object among the lines that it printed.

::

    {"outcome": "direct" | "relayed" | "failed",
     "elapsed": seconds or null, "technique": text, "packets_sent": count, "path": {...}, "reason": text,
     "timeline": [{"at": seconds, "event": text}, ...]}

Only ``outcome`` has to be there, null is as good as nothing, and further keys are kept. What a program
prints is not trusted: it is bounded and checked here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NoReturn

MAX_LINE_LENGTH = 65536
"""Characters; a longer line is no report."""

MAX_EVENTS = 200
"""Of a timeline; the first ones are kept."""

MAX_TEXT_LENGTH = 2000
"""Characters of a reason, an event or a technique; what is beyond is cut off."""


class Outcome(StrEnum):
    """What an attempt came to."""

    DIRECT = "direct"
    RELAYED = "relayed"
    FAILED = "failed"


class BadClaim(ValueError):
    """A report that cannot be understood; the text says which key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something in a timeline.

    Attributes:
        at: seconds on a clock that the timeline's owner chose.
        event: what happened.
    """

    at: float
    event: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One report.

    Attributes:
        outcome: as the program has it.
        elapsed: seconds from its decision to connect to a path, if it says so.
        technique: how the path was found.
        packets_sent: datagrams of all kinds.
        path: whatever it tells of the path.
        reason: why there is none.
        timeline: its own events.
        further: the keys that nobody here knows.
    """

    outcome: Outcome
    elapsed: float | None = None
    technique: str | None = None
    packets_sent: int | None = None
    path: Mapping[str, Any] | None = None
    reason: str | None = None
    timeline: tuple[Event, ...] = ()
    further: Mapping[str, Any] = field(default_factory=dict)


def find_claim(lines: Iterable[str]) -> Claim | None:
    """The last report among the lines of a program's output, or None where there is none.

    Raises:
        BadClaim: the last JSON object is no report.
    """
    last = None
    for line in lines:
        if line.startswith("{") and len(line) <= MAX_LINE_LENGTH:
            parsed = _parse(line)
            last = parsed if isinstance(parsed, dict) else last
    return None if last is None else read_claim(last)


def read_claim(values: Mapping[str, Any]) -> Claim:
    """A report from the JSON object.

    Raises:
        BadClaim: a key has a value that it cannot have.
    """
    if values.get("outcome") not in set(Outcome):
        got = f"got {_short(values.get('outcome'))}, expected {', '.join(Outcome)}"
        raise BadClaim(f"outcome: {got}")
    for key, (is_right, expected) in _CHECKS.items():
        value = values.get(key)
        if value is not None and not is_right(value):
            raise BadClaim(f"{key}: got {_short(value)}, expected {expected}")
    elapsed = values.get("elapsed")
    known = {"outcome", *_CHECKS}
    return Claim(
        outcome=Outcome(values["outcome"]),
        elapsed=None if elapsed is None else float(elapsed),
        technique=_cut(values.get("technique")),
        packets_sent=values.get("packets_sent"),
        path=values.get("path"),
        reason=_cut(values.get("reason")),
        timeline=tuple(
            Event(at=float(event["at"]), event=event["event"][:MAX_TEXT_LENGTH])
            for event in (values.get("timeline") or [])[:MAX_EVENTS]
        ),
        further={key: value for key, value in values.items() if key not in known},
    )


def _parse(line: str) -> Any:
    try:
        return json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)  # NaN and Infinity are no JSON, and no browser would read them back


def _is_seconds(value: Any) -> bool:
    # 1e400 is valid JSON, and infinite.
    return type(value) in (int, float) and math.isfinite(value) and 0 <= value < 1e9


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**53


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_timeline(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, dict) and _is_instant(item.get("at")) and _is_text(item.get("event"))
        for item in value
    )


def _is_instant(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and abs(value) < 1e12


_CHECKS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "elapsed": (_is_seconds, "seconds"),
    "technique": (_is_text, "text"),
    "packets_sent": (_is_count, "a count"),
    "path": (_is_object, "an object"),
    "reason": (_is_text, "text"),
    "timeline": (_is_timeline, 'a list of {"at": seconds, "event": text}'),
}
"""Of each key that may be missing: what its value must be."""


def _cut(text: str | None) -> str | None:
    return None if text is None else text[:MAX_TEXT_LENGTH]


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
