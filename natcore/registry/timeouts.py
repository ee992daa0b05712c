"""Deadlines of many things that share one duration: a queue, because the duration is one for all.

Whoever is started last is due last. So a dict that keeps the order of insertion is a priority queue in which
starting, restarting and stopping take constant time and nothing stale is ever left behind.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)


class TimeoutQueue(Generic[KeyT]):
    """Running timeouts of one duration, at most one for each key.

    ``now`` must not run backwards between calls.
    """

    def __init__(self, duration: float) -> None:
        self._duration = duration
        self._deadlines: dict[KeyT, float] = {}

    def __len__(self) -> int:
        return len(self._deadlines)

    def __contains__(self, key: KeyT) -> bool:
        return key in self._deadlines

    def restart(self, key: KeyT, now: float) -> None:
        """Starts the key's timeout, anew if it is running."""
        self._deadlines.pop(key, None)
        self._deadlines[key] = now + self._duration

    def stop(self, key: KeyT) -> None:
        """Forgets the key's timeout, if there is one."""
        self._deadlines.pop(key, None)

    @property
    def oldest(self) -> KeyT | None:
        """The key that is due first, or None."""
        return next(iter(self._deadlines), None)

    @property
    def deadline(self) -> float | None:
        """When the first key is due, in seconds, or None when nothing runs."""
        return next(iter(self._deadlines.values()), None)

    def take_due(self, now: float) -> Iterator[KeyT]:
        """Stops and hands out what is due at ``now``, in order.

        A key that is restarted while this runs is not handed out again, however late ``now`` is.
        """
        while self._deadlines:
            key, deadline = next(iter(self._deadlines.items()))
            if deadline > now:
                return
            del self._deadlines[key]
            yield key
