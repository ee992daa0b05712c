"""How long a mapping lives, by waiting: all trials side by side, so that it costs the longest one.

A trial is a socket that asks the server once and then keeps silent. After its time, another socket of ours
has the server send to the mapping, and what arrives tells that it lives. Then the silent one asks again and
learns whether it still has the same port.

An idle time is counted from the last packet of the one conversation with the server to the first of the
next, as the NAT sees them. On a busy machine nobody else sees them exactly so: what is reported is between
which two ends the idle time certainly was.
"""

from __future__ import annotations

import time

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
        self.asked_at = time.monotonic()
        self.port = scene.mapped(self.udp, scene.server)[1]
        self.answered_at = time.monotonic()
        self.heard = 0


def measure(
    scene: Scene, idle_times: list[float], refresh: list[float]
) -> dict[str, list[dict[str, object]]]:
    """All trials of silence and of refreshing; ``refresh`` is empty, or an interval and a count.

    Raises:
        NoAnswer: the server fell silent.
    """
    interval, count = (refresh[0], int(refresh[1])) if refresh else (0.0, 0)
    silent = [(idle, _Trial(scene)) for idle in idle_times for _ in range(TRIALS)]
    fed = [_Trial(scene) for _ in range(TRIALS if count else 0)]
    plan = [(trial.answered_at + idle, trial, idle) for idle, trial in silent]
    plan += [
        (trial.answered_at + number * interval, trial, 0.0) for number in range(1, count + 1) for trial in fed
    ]
    outcomes = []
    for instant, trial, idle in sorted(plan, key=lambda entry: entry[0]):
        time.sleep(max(0.0, instant - time.monotonic()))
        if idle:
            outcomes.append(_finish(scene, trial, idle))
        else:
            trial.heard += _is_reached(scene, trial)
    return {"idle": outcomes, "refresh": [_describe(trial, count) for trial in fed]}


def _finish(scene: Scene, trial: _Trial, idle: float) -> dict[str, object]:
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
