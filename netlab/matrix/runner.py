"""All attempts of a matrix, some side by side, until they are done or interrupted.

Theory of operation. Attempts run in threads, each with a lab and programs of its own. The main thread waits.
When an interrupt or a problem of the whole machine ends the matrix early, it tells every attempt, which
notices within a fifth of a second and takes its lab down, and waits until the last one has. The second run of
a pair comes after the first one of every other, so that noise of the machine hits all pairs alike; the
programs of a pair follow one another, so that it hits them alike, too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import combinations_with_replacement, product
from pathlib import Path
from typing import Protocol

from netlab.backend import Backend
from netlab.interrupts import interrupts_deferred
from netlab.matrix.attempt import Attempt, Cancellation, make
from netlab.matrix.results import Cell, Pair, Run, Settings
from netlab.profiles import NatProfile

MAX_JOBS = 64
"""Labs side by side; each has about ten processes."""


class Watcher(Protocol):
    """Is told how the matrix goes; from the main thread, and of beginnings from the attempts' threads."""

    def begin(self, attempt: Attempt) -> None:
        """An attempt begins."""

    def end(self, attempt: Attempt, run: Run) -> None:
        """An attempt has ended."""


@dataclass(slots=True)
class Outcomes:
    """What has come of a matrix so far.

    Attributes:
        runs: by the place of their cell: names of the two profiles and the program.
        is_complete: whether all were made.
    """

    runs: dict[tuple[str, str, str], dict[int, Run]] = field(default_factory=dict)
    is_complete: bool = False

    def add(self, attempt: Attempt, run: Run) -> None:
        """Notes one."""
        place = (attempt.pair.a.name, attempt.pair.b.name, attempt.contract.name)
        self.runs.setdefault(place, {})[attempt.number] = run

    def cells(self, settings: Settings) -> tuple[Cell, ...]:
        """All cells of the matrix, those without a run included."""
        cells = []
        for pair, program in product(settings.pairs, settings.programs):
            place = (pair.a.name, pair.b.name, program.name)
            numbered = sorted(self.runs.get(place, {}).items())
            runs = tuple(run for _, run in numbered)
            cells.append(Cell(a=place[0], b=place[1], program=place[2], runs=runs))
        return tuple(cells)


def default_jobs() -> int:
    """Two labs a processor: they wait about half of the time, and more would make the busy half late."""
    return min(MAX_JOBS, 2 * (os.cpu_count() or 1))


def pairs_of(profiles: tuple[NatProfile, ...], *, is_unordered: bool) -> tuple[Pair, ...]:
    """Each with each and with itself; in both orders, or in the order of the profiles only."""
    chosen = combinations_with_replacement(profiles, 2) if is_unordered else product(profiles, repeat=2)
    return tuple(Pair(a=a, b=b) for a, b in chosen)


def attempts_of(settings: Settings, folder: Path) -> Iterator[Attempt]:
    """Every attempt, in its turn."""
    for number in range(1, settings.repeat + 1):
        for pair, contract in product(settings.pairs, settings.programs):
            yield Attempt(
                pair=pair,
                contract=contract,
                number=number,
                rtt=settings.rtt,
                loss=settings.loss,
                timeout=settings.timeout_of(contract),
                folder=folder / "artefacts" / contract.name / f"{pair.a.name}--{pair.b.name}" / str(number),
            )


def run_matrix(
    settings: Settings, backend: Backend, folder: Path, *, watcher: Watcher, outcomes: Outcomes
) -> None:
    """Makes every attempt and notes what comes of it in ``outcomes``; no lab is left behind, however it ends.

    Raises:
        EnvironmentProblem: this machine cannot run the labs.
        KeyboardInterrupt: as it came; ``outcomes`` has what was done until then.
    """
    cancellation = Cancellation()

    def make_one(attempt: Attempt) -> Run:
        cancellation.check()
        watcher.begin(attempt)
        return make(attempt, backend, cancellation)

    pool = ThreadPoolExecutor(max_workers=settings.jobs, thread_name_prefix="matrix")
    pending: dict[Future[Run], Attempt] = {}
    try:
        for attempt in attempts_of(settings, folder):
            pending[pool.submit(make_one, attempt)] = attempt
        while pending:
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                run, attempt = future.result(), pending.pop(future)
                outcomes.add(attempt, run)
                watcher.end(attempt, run)
        outcomes.is_complete = True
    finally:
        with interrupts_deferred():
            cancellation.cancel()
            pool.shutdown(wait=True, cancel_futures=True)
            for future, attempt in pending.items():
                if not future.cancelled() and future.exception() is None:
                    outcomes.add(attempt, future.result())
