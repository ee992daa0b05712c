"""A program that builds labs on order, and says how long it took: the same loop around ours and the peer's.

Orders are JSON objects, a line each on stdin, and each is answered by one JSON object on stdout. Before the
first order the program says ``{}`` when it is ready, or ``{"absent": REASON}`` and ends.

====================================  ============================================================
order                                 what it does
====================================  ============================================================
``{"do": "up", "homes": N, ...}``     builds a lab, to the moment when it carries a ping
``{"do": "down"}``                    removes it; where there is none, does nothing
====================================  ============================================================

The answer holds ``started_at`` and ``ended_at`` in seconds on CLOCK_MONOTONIC, which is the same in all
processes, or ``failed`` with the reason. When stdin ends, a lab that is up is removed.

Standard library only: the peer's program runs in another Python, which has neither netlab nor our packages.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any, Protocol

Order = Mapping[str, Any]
"""What stood on the line."""

UP = "up"
DOWN = "down"

MAX_PINGS = 10
"""Attempts of one home to reach the server; of 1 s each, and the first has to do in a healthy lab."""

PING = ("ping", "-n", "-c", "1", "-W", "1")
"""One attempt, without the address."""


class Builder(Protocol):
    """What builds labs; one at a time."""

    def prepare(self, order: Order) -> None:
        """Makes what is made once and not for each lab; the clock does not run yet."""
        ...

    def up(self, order: Order) -> None:
        """Builds a lab and returns when every home has reached the server."""
        ...

    def down(self) -> None:
        """Removes the lab if there is one."""
        ...


def obey(builder: Builder) -> None:
    """Builds and removes labs until stdin ends."""
    answer({})
    try:
        for line in sys.stdin:
            answer(_outcome(builder, json.loads(line)))
    finally:
        builder.down()


def answer(values: Mapping[str, float | str]) -> None:
    """Writes one answer."""
    print(json.dumps(values), flush=True)


def _outcome(builder: Builder, order: Order) -> Mapping[str, float | str]:
    try:
        if order["do"] == UP:
            builder.prepare(order)
        started_at = time.monotonic()
        if order["do"] == UP:
            builder.up(order)
        else:
            builder.down()
    except Exception as problem:  # noqa: BLE001 (whatever it was, this run has failed and the next one follows)
        return {"failed": f"{type(problem).__name__}: {problem}"}
    return {"started_at": started_at, "ended_at": time.monotonic()}
