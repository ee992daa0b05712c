"""Many trials of tests/sim/trial.py, on all processors."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

from netlab.profiles import profile
from tests.sim.trial import Circumstances, Ending, Trial

Pair = tuple[str, str]
"""Names of the caller's profile and of the callee's."""

CHUNK = 16
"""Trials that a process takes at a time."""

PROGRESS_EVERY = 1000

Job = tuple[Pair, int, Circumstances | None]
"""A pair, a seed, and the circumstances where it is not the seed that chooses them."""


def jobs_of(pairs: Sequence[Pair], trials: int, *, first_seed: int = 0) -> Iterator[Job]:
    """So many, the pairs in turn, each turn with the next seed."""
    for number in range(trials):
        yield pairs[number % len(pairs)], first_seed + number // len(pairs), None


def run_all(jobs: Sequence[Job], *, processes: int | None = None) -> list[tuple[Trial, Ending]]:
    """Every trial and how it ended, in order."""
    count = processes or len(os.sched_getaffinity(0))
    done = []
    with ProcessPoolExecutor(count) as pool:
        for one in pool.map(run_one, jobs, chunksize=CHUNK):
            done.append(one)
            if len(done) % PROGRESS_EVERY == 0:
                print(f"{len(done)} of {len(jobs)} trials", file=sys.stderr)
    return done


def run_one(job: Job) -> tuple[Trial, Ending]:
    """One trial."""
    (caller, callee), seed, circumstances = job
    trial = Trial.drawn(profile(caller), profile(callee), seed)
    if circumstances is not None:
        trial = Trial(caller=trial.caller, callee=trial.callee, seed=seed, circumstances=circumstances)
    return trial, trial.run()
