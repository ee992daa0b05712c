"""Many trials of tests/sim/trial.py, in as many processes as there are processors."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

from netlab.profiles import profile
from tests.sim.trial import Circumstances, Ending, Trial

Pair = tuple[str, str]
"""Names of the caller's profile and of the callee's."""

Job = tuple[Pair, int, Circumstances | None]
"""A pair, a seed, and the circumstances where it is not the seed that chooses them."""

CHUNK = 16
"""Trials that a process takes at a time."""

PROGRESS_EVERY = 1000


def jobs_of(pairs: Sequence[Pair], trials: int, first_seed: int = 0) -> Iterator[Job]:
    """So many, the pairs in turn, each turn with the next seed."""
    for number in range(trials):
        yield pairs[number % len(pairs)], first_seed + number // len(pairs), None


def run_all(jobs: Sequence[Job]) -> list[tuple[Trial, Ending]]:
    """Every trial and how it ended, in order."""
    done: list[tuple[Trial, Ending]] = []
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
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
        trial = replace(trial, circumstances=circumstances)
    return trial, trial.run()
