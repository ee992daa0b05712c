"""Gathers what happens to clients into few announcements.

The first change goes out at once: a lone join is seen without delay. It opens a window in which further
changes wait, to leave together at its end and open the next one. So a recipient gets one batch an interval,
however many clients come and go.

A change that happens again while it waits is announced once, in its last place. What waits is thus bounded by
the clients there are (times five kinds of change), and since every change says all there is to know about its
client, the last one in order is the truth.
"""

from __future__ import annotations

from natcore.control.messages import Announcement, Change, ClientChange
from natcore.registry.batches import room_beside, split_rows

_ROOM = room_beside(Announcement(changes=()))


class Announcer:
    """The changes that wait to be announced."""

    def __init__(self, *, interval: float, interval_per_client: float) -> None:
        self._interval = interval
        self._interval_per_client = interval_per_client
        self._waiting: dict[tuple[str, Change], ClientChange] = {}
        self._quiet_until: float | None = None

    def add(self, change: ClientChange) -> None:
        """Lets a change wait for the next announcement."""
        key = (change.id, change.change)
        self._waiting.pop(key, None)
        self._waiting[key] = change

    def deadline(self, now: float) -> float | None:
        """When the next announcement is due, in seconds, or None while nothing waits."""
        if not self._waiting:
            return None
        return now if self._quiet_until is None else self._quiet_until

    def take_due(self, now: float, *, client_count: int) -> list[Announcement]:
        """Hands over, once, what is due: the waiting changes, split only where a line would be too long."""
        if not self._waiting or (self._quiet_until is not None and now < self._quiet_until):
            return []
        self._quiet_until = now + max(self._interval, client_count * self._interval_per_client)
        changes = list(self._waiting.values())
        self._waiting.clear()
        return [Announcement(changes=run) for run in split_rows(changes, room=_ROOM)]
