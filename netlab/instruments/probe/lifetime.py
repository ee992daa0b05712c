"""How long a mapping lives, by waiting: all trials side by side, so that it costs the longest one.

A trial is a socket that asks the server once and then keeps silent. After its time, another socket of ours
has the server send to the mapping, and what arrives tells that it lives. Then the silent one asks again and
learns whether it still has the same port.

Some of them speak once more in between: their silence counts from there, so it tells whether packets from
inside keep a mapping alive. If that was over 2 s after the first word, the mapping now runs on the longer one
of the two timers that Linux has, which takes a conversation for a stream by then.

An idle time is counted from the last packet of the one conversation with the server to the first of the
next, as the NAT sees them. On a busy machine nobody else sees them exactly so: what is reported is between
which two ends the idle time certainly was.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from .asking import Scene, arrives, drain

TRIALS = 2
"""Sockets for each idle time, and for the refresh."""


class _Trial:
    """A silent socket and its external port.

    Its last packet passed the NAT between ``asked_at`` and ``answered_at``; ``heard`` of the packets from
    outside reached it since.
    """

    def __init__(self, scene: Scene) -> None:
        self.udp = scene.open_socket()
        self.heard = 0
        self.speak(scene)

    def speak(self, scene: Scene) -> None:
        """Asks, after which all counting begins again."""
        self.asked_at = time.monotonic()
        self.port = scene.mapped(self.udp, scene.server)[1]
        self.answered_at = time.monotonic()


def measure(
    scene: Scene, idle_times: list[float], kept: list[float], refresh: list[float]
) -> dict[str, list[dict[str, object]]]:
    """All trials of silence and of refreshing.

    Args:
        scene: where we stand.
        idle_times: how long to be silent.
        kept: empty, or after how long to speak once more, and for how long to be silent then.
        refresh: empty, or an interval and a count of packets from outside.

    Raises:
        NoAnswer: the server fell silent.
    """
    interval, count = (refresh[0], int(refresh[1])) if refresh else (0.0, 0)
    outcomes: dict[str, list[dict[str, object]]] = {"idle": [], "kept": []}
    plan: list[tuple[float, Callable[[], object]]] = []

    def finish(name: str, trial: _Trial, idle: float) -> None:
        outcomes[name].append(_finish(scene, trial, idle))

    def feed(trial: _Trial) -> None:
        trial.heard += _is_reached(scene, trial)

    for idle in idle_times * TRIALS:
        trial = _Trial(scene)
        plan.append((trial.answered_at + idle, partial(finish, "idle", trial, idle)))
    for idle in kept[1:] * TRIALS:
        trial = _Trial(scene)
        plan.append((trial.answered_at + kept[0], partial(trial.speak, scene)))
        plan.append((trial.answered_at + kept[0] + idle, partial(finish, "kept", trial, idle)))
    fed = [_Trial(scene) for _ in range(TRIALS if count else 0)]
    plan += [
        (trial.answered_at + number * interval, partial(feed, trial))
        for number in range(1, count + 1)
        for trial in fed
    ]
    for instant, act in sorted(plan, key=lambda entry: entry[0]):
        time.sleep(max(0.0, instant - time.monotonic()))
        act()
    return {**outcomes, "refresh": [_describe(trial, count) for trial in fed]}


def _finish(scene: Scene, trial: _Trial, idle: float) -> dict[str, object]:
    time.sleep(max(0.0, trial.answered_at + idle - time.monotonic()))  # it may have spoken again a bit late
    at_least = time.monotonic() - trial.answered_at
    is_reached = _is_reached(scene, trial)
    at_most = time.monotonic() - trial.asked_at
    port = scene.mapped(trial.udp, scene.server)[1]
    return {
        "asked": idle,
        "at_least": round(at_least, 3),
        "at_most": round(at_most, 3),
        "reached": is_reached,
        "same_port": port == trial.port,
    }


def _describe(trial: _Trial, count: int) -> dict[str, object]:
    return {"seconds": round(time.monotonic() - trial.answered_at, 3), "sent": count, "heard": trial.heard}


def _is_reached(scene: Scene, trial: _Trial) -> bool:
    drain(trial.udp)
    scene.have_sent(scene.server, [trial.port])
    return arrives(trial.udp)
