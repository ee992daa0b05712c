"""What happened in one session, in words: the evidence for people and for the lab.

What enters: an instant, what happened and a detail in words. What leaves: at most ``MAX_ENTRIES`` entries in
order, and each entry once more for whoever records them as they come. What is always true: the first entry is
at zero, and the last one that there is room for tells of the newest that was left out, so that an end is
never missing. What it refuses to know: payloads, credentials, and what any of it means.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from natcore.ice import Candidate

MAX_ENTRIES = 64
"""A plain session has about ten, and some three more for each of the peer's addresses and each renewal."""

MAX_DETAIL_LENGTH = 500
"""Characters. 16 candidates of IPv4 have less, and 64 such entries fit into a line that the lab reads."""


class TimelineEvent(Enum):
    """What can happen; in the past tense."""

    INTRODUCED = "introduced"
    CHECKS_BEGUN = "checks begun"
    CHECK_RECEIVED = "first check received"
    PLAN_CHOSEN = "plan chosen"
    ATTEMPT_DELAYED = "attempt delayed"
    ATTEMPT_SKIPPED = "attempt skipped"
    ATTEMPT_BEGUN = "attempt begun"
    PATH_CONFIRMED = "path confirmed"
    PATH_SELECTED = "path selected"
    PATH_MOVED = "path moved"
    PATH_DOUBTED = "path doubted"
    PATH_LOST = "path lost"
    RENEWED = "renewed"
    RENEWAL_FAILED = "renewal failed"
    FAILED = "failed"
    CLOSED = "closed"
    MORE_FOLLOWED = "more followed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One thing that happened.

    Attributes:
        at: seconds since the session started.
        event: what.
        detail: to whom, from where, why; may be empty, at most ``MAX_DETAIL_LENGTH`` characters.
    """

    at: float
    event: TimelineEvent
    detail: str = ""


class Timeline:
    """See the module."""

    def __init__(self) -> None:
        self._started_at: float | None = None
        self._entries: list[TimelineEntry] = []
        self._left_out = 0
        self._untold: deque[TimelineEntry] = deque(maxlen=MAX_ENTRIES)

    @property
    def entries(self) -> tuple[TimelineEntry, ...]:
        """At most ``MAX_ENTRIES``, oldest first."""
        return tuple(self._entries)

    def add(self, event: TimelineEvent, detail: str, now: float) -> None:
        """Notes that something happened; the first call starts the clock."""
        if self._started_at is None:
            self._started_at = now
        entry = TimelineEntry(at=now - self._started_at, event=event, detail=detail[:MAX_DETAIL_LENGTH])
        self._untold.append(entry)
        if len(self._entries) < MAX_ENTRIES - 1:
            self._entries.append(entry)
            return
        self._left_out += 1
        words = f"{self._left_out} left out, the newest: {event.value}: {detail}"[:MAX_DETAIL_LENGTH]
        more = TimelineEntry(at=entry.at, event=TimelineEvent.MORE_FOLLOWED, detail=words)
        self._entries[MAX_ENTRIES - 1 :] = [more]

    def next_entry(self) -> TimelineEntry | None:
        """Hands over the oldest entry that was not handed over, also of those left out above."""
        return self._untold.popleft() if self._untold else None


def candidates_in_words(candidates: Iterable[Candidate]) -> str:
    """Types and addresses."""
    words = (f"{'mapped' if one.is_mapped else one.type.value} {one.address}" for one in candidates)
    return ", ".join(words) or "no address"
