"""Labs built and removed in turn by us and by Mininet, in one run on one machine.

The programs that build are started once and do all runs, so no number holds the start of a Python. In every
round each row has one turn, in an order drawn anew: what a turn leaves for the kernel to clear away then hits
all alike. The first round warms up and is not counted.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import gettempdir

from benchmarks.builder import DOWN, UP, Order
from netlab.errors import ProcessFailed
from netlab.process import NodeProcess

WARM_UPS = 1
"""Rounds that are not counted."""

SIDE_BY_SIDE = 10
"""Labs at once where many are built."""

UNPRIVILEGED = 65534
"""The user of the rootless rows, Debian's nobody; any but root would do."""

_ROOT = Path(__file__).parent.parent

_DEBIAN_PYTHON = "/usr/bin/python3"
"""What Debian's mininet is installed for, and what every user may run: our own may be in root's home."""

_SETTLE_INTERVAL = 0.5
"""Seconds between two turns: the kernel takes namespaces apart after whoever removed them has gone on."""

_START_TIMEOUT = 30.0
"""Seconds until a program is ready; imports are all it does."""

_TURN_TIMEOUT = 120.0
"""Seconds for one order; the longest takes a few."""

_WARM_UP_TIMEOUT = 900.0
"""The same in the first round, in which Docker's image may have to be made."""

_END_TIMEOUT = 60.0
"""Seconds until a program that has no more orders has removed its lab and ended."""


class Scene(StrEnum):
    """What is built."""

    TWO_NATS = "two-nats"
    SIDE_BY_SIDE = "side-by-side"
    TWENTY_NODES = "twenty-nodes"


class Crew(StrEnum):
    """Who builds it: a program of ours as root, the same one as a user, or the peer's."""

    OURS = "ours"
    USER = "user"
    PEER = "peer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One of the things compared.

    Attributes:
        scene: what is built.
        name: how.
        crew: who builds it.
        backend: of ours; the peer's work is compared with our namespaces.
        prove: whether every NAT is measured before the lab counts as up; the peer cannot.
        homes: NATs, with a host behind each; a server and the core come on top.
        labs: built at once, each by a program of its own.
        up_limit: seconds that building is required to take at most, where something is.
        down_limit: the same for removing.
    """

    scene: Scene
    name: str
    crew: Crew
    backend: str = "namespaces"
    prove: bool = False
    homes: int = 2
    labs: int = 1
    up_limit: float | None = None
    down_limit: float | None = None

    @property
    def title(self) -> str:
        """What no other row is called."""
        return f"{self.scene}: {self.name}"


PEER = "mininet"

_TWO, _MANY, _LARGE = Scene.TWO_NATS, Scene.SIDE_BY_SIDE, Scene.TWENTY_NODES

ROWS = (
    Row(scene=_TWO, name="namespaces", crew=Crew.OURS, up_limit=0.3, down_limit=0.3),
    Row(scene=_TWO, name="namespaces, proven", crew=Crew.OURS, prove=True, up_limit=0.3, down_limit=0.3),
    Row(scene=_TWO, name="rootless", crew=Crew.USER),
    Row(scene=_TWO, name="rootless, proven", crew=Crew.USER, prove=True),
    Row(scene=_TWO, name="docker", crew=Crew.OURS, backend="docker", up_limit=6.0),
    Row(scene=_TWO, name="docker, proven", crew=Crew.OURS, backend="docker", prove=True, up_limit=6.0),
    Row(scene=_TWO, name=PEER, crew=Crew.PEER),
    Row(scene=_MANY, name="namespaces", crew=Crew.OURS, labs=SIDE_BY_SIDE),
    Row(scene=_MANY, name=PEER, crew=Crew.PEER, labs=SIDE_BY_SIDE),
    Row(scene=_LARGE, name="namespaces", crew=Crew.OURS, homes=9),
    Row(scene=_LARGE, name="namespaces, proven", crew=Crew.OURS, prove=True, homes=9),
    Row(scene=_LARGE, name=PEER, crew=Crew.PEER, homes=9),
)
"""All rows. Nine homes are 20 nodes: a NAT and a host each, the server, and the router that is the core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One lab, or several at once, built and removed.

    Attributes:
        up: seconds from the order to the moment when all are up and carry pings, None where one is not.
        down: seconds from the order to the moment when the last one was removed.
        failures: why, one for each lab that failed.
    """

    up: float | None
    down: float | None
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """All that was measured.

    Attributes:
        turns: by row, in the order of the rounds.
        absent: why a row was not measured.
    """

    turns: Mapping[Row, tuple[Turn, ...]]
    absent: Mapping[Row, str]


def hold_race(
    rows: Sequence[Row], *, runs: int, folder: Path, tell: Callable[[str], None] = lambda _: None
) -> Race:
    """Starts the programs and plays all rounds.

    Args:
        rows: what to compare.
        runs: rounds that count.
        folder: for the programs' output.
        tell: takes a line for each round and for each lab that failed.

    Raises:
        ProcessFailed: a program ended, or did not answer.
    """
    with _crews(rows, folder) as (programs, absences):
        absent = {row: absences[row.crew] for row in rows if row.crew in absences}
        turns: dict[Row, list[Turn]] = {row: [] for row in rows if row not in absent}
        for number in range(-WARM_UPS, runs):
            is_warm_up = number < 0
            tell("warming up ..." if is_warm_up else f"round {number + 1} of {runs} ...")
            for row in random.Random(number).sample(list(turns), k=len(turns)):
                timeout = _WARM_UP_TIMEOUT if is_warm_up else _TURN_TIMEOUT
                turn = _play(row, programs[row.crew][: row.labs], timeout=timeout)
                for failure in turn.failures:
                    tell(f"  failed: {row.title}: {failure}")
                if not is_warm_up:
                    turns[row].append(turn)
                time.sleep(_SETTLE_INTERVAL)
    return Race(turns={row: tuple(of_one) for row, of_one in turns.items()}, absent=absent)


def _play(row: Row, programs: Sequence[NodeProcess], *, timeout: float) -> Turn:
    order = {"do": UP, "homes": row.homes, "backend": row.backend, "prove": row.prove}
    up, up_failures = _order_all(programs, order, timeout=timeout)
    down, down_failures = _order_all(programs, {"do": DOWN}, timeout=timeout)
    return Turn(up=up, down=down, failures=(*up_failures, *down_failures))


def _order_all(
    programs: Sequence[NodeProcess], order: Order, *, timeout: float
) -> tuple[float | None, list[str]]:
    """Seconds from the first start to the last end, and what failed; no number where something did."""
    for program in programs:
        program.write_line(json.dumps(order))
    answers = [json.loads(program.wait_for_line(r"^\{", timeout=timeout)) for program in programs]
    failures = [answer["failed"] for answer in answers if "failed" in answer]
    if failures:
        return None, failures
    started_at = min(answer["started_at"] for answer in answers)
    return max(answer["ended_at"] for answer in answers) - started_at, []


@contextmanager
def _crews(
    rows: Sequence[Row], folder: Path
) -> Iterator[tuple[Mapping[Crew, Sequence[NodeProcess]], Mapping[Crew, str]]]:
    """The programs, as many of each kind as one row needs at once, and why a kind cannot take part."""
    programs: dict[Crew, list[NodeProcess]] = {crew: [] for crew in Crew}
    absences: dict[Crew, str] = {}
    sizes = {crew: max((row.labs for row in rows if row.crew is crew), default=0) for crew in Crew}
    try:
        for crew, size in sizes.items():
            command = _command_of(crew)
            for number in range(size):
                programs[crew].append(NodeProcess(command, label=f"{crew}-{number}", folder=folder))
        for crew, started in programs.items():
            for program in started:
                greeting = json.loads(program.wait_for_line(r"^\{", timeout=_START_TIMEOUT))
                if "absent" in greeting:
                    absences[crew] = greeting["absent"]
        yield programs, absences
    finally:
        _end([program for started in programs.values() for program in started])


def _end(programs: Sequence[NodeProcess]) -> None:
    """A program whose stdin ends removes its lab first; that takes longer than a signal would leave it."""
    for program in programs:
        program.release()
    for program in programs:
        try:
            program.wait(timeout=_END_TIMEOUT)
        except ProcessFailed:
            program.stop()


_HERE = ("env", f"--chdir={_ROOT}", "PYTHONDONTWRITEBYTECODE=1")
"""Modules of this checkout, wherever the benchmark was called from."""


def _command_of(crew: Crew) -> list[str]:
    match crew:
        case Crew.OURS:
            return [*_HERE, sys.executable, "-m", "benchmarks.lab_builder"]
        case Crew.USER:
            become = ["setpriv", f"--reuid={UNPRIVILEGED}", f"--regid={UNPRIVILEGED}", "--clear-groups"]
            world = f"NETLAB_WORLD={gettempdir()}/netlab-race-{os.getpid()}"  # not one that is in use
            python = _python_for_all(become)
            return [*_HERE, world, *become, python, "-m", "benchmarks.lab_builder", "--rootless"]
        case Crew.PEER:
            return [*_HERE, _DEBIAN_PYTHON, "-m", "benchmarks.mininet_builder"]


def _python_for_all(become: Sequence[str]) -> str:
    """The Python that we run in, unless others may not: then Debian's, whose version is as good."""
    # Through `env`, because what setpriv itself starts is found with the rights that root had.
    trial = subprocess.run([*become, "env", sys.executable, "-c", ""], capture_output=True, check=False)
    return sys.executable if trial.returncode == 0 else _DEBIAN_PYTHON
