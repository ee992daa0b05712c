"""What a matrix comes to, and its JSON: ``netlab-matrix/1``, described in docs/matrix.md. Pure."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from natcore.nat import NatBehavior
from natcore.nat import Outcome as Physics
from netlab.matrix.claim import Claim, Outcome
from netlab.matrix.contract import Contract
from netlab.matrix.observation import Observation
from netlab.matrix.verdict import FAILURES, Verdict, expectation, note_on, worst
from netlab.profiles import NatProfile

FORMAT = "netlab-matrix/1"
"""Of the JSON; the number grows when a key changes its meaning or goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One program through one pair, once.

    Attributes:
        verdict: on it.
        seconds: that it took, with the lab's coming up and going down.
        outcome: what really happened, None where nobody knows.
        reason: why there is no direct path, in the words of the program or of the lab.
        error: what broke down, None where nothing did.
        exit_code: the caller's, None where it never ended by itself.
        caller: what the caller reported.
        callee: what the callee reported, where it did.
        observation: what the lab saw, None where no lab came up.
        artefacts: files, relative to the matrix's folder.
    """

    verdict: Verdict
    seconds: float
    outcome: Outcome | None = None
    reason: str | None = None
    error: str | None = None
    exit_code: int | None = None
    caller: Claim | None = None
    callee: Claim | None = None
    observation: Observation | None = None
    artefacts: tuple[str, ...] = ()

    @property
    def elapsed(self) -> float | None:
        """Seconds to the direct path; None where there is none, or the program does not say."""
        return self.caller.elapsed if self.outcome is Outcome.DIRECT and self.caller else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """The times to a path of some runs that have one.

    Attributes:
        median: seconds.
        p95: seconds, the 95th percentile by nearest rank.
        count: of what.
    """

    median: float
    p95: float
    count: int

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Times | None:
        """Of those runs that have a time, None if no run has."""
        times = sorted(run.elapsed for run in runs if run.elapsed is not None)
        if not times:
            return None
        p95 = times[math.ceil(0.95 * len(times)) - 1]
        return cls(median=round(statistics.median(times), 6), p95=round(p95, 6), count=len(times))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One pair of NATs and one program.

    Attributes:
        a: the caller's NAT.
        b: the callee's.
        program: its name.
        runs: by number; empty where the matrix was interrupted before.
    """

    a: str
    b: str
    program: str
    runs: tuple[Run, ...]

    @property
    def verdict(self) -> Verdict | None:
        """The worst of its runs."""
        return worst(run.verdict for run in self.runs)

    @property
    def times(self) -> Times | None:
        """Of its direct runs."""
        return Times.of(self.runs)

    def count(self, outcome: Outcome) -> int:
        """The number of runs that came to this."""
        return sum(run.outcome is outcome for run in self.runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two profiles and what physics says of them."""

    a: NatProfile
    b: NatProfile

    @property
    def expected(self) -> Physics:
        """By the one table."""
        return expectation(self.a, self.b)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What was asked for.

    Attributes:
        profiles: rows and columns, in their order.
        pairs: caller's NAT and callee's.
        programs: side by side in each cell.
        repeat: runs of each program through each pair.
        jobs: labs side by side.
        rtt: seconds over the core.
        loss: probability on the core.
        backend: what nodes are.
        timeout: seconds for an attempt, None for what each contract says.
    """

    profiles: tuple[NatProfile, ...]
    pairs: tuple[Pair, ...]
    programs: tuple[Contract, ...]
    repeat: int = 1
    jobs: int = 1
    rtt: float = 0.0
    loss: float = 0.0
    backend: str = "namespaces"
    timeout: float | None = None

    def timeout_of(self, contract: Contract) -> float:
        """Seconds that an attempt of this program may take."""
        return contract.timeout if self.timeout is None else self.timeout

    @property
    def run_count(self) -> int:
        """All runs."""
        return len(self.pairs) * len(self.programs) * self.repeat


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """The whole.

    Attributes:
        settings: what was asked for.
        cells: pair by pair, in each the programs in their order.
        command: the command line.
        started: when, as ISO 8601 in UTC.
        seconds: how long it took.
        versions: of everything that may matter, by name.
        is_complete: whether it was not interrupted.
    """

    settings: Settings
    cells: tuple[Cell, ...]
    command: tuple[str, ...]
    started: str
    seconds: float
    versions: Mapping[str, str]
    is_complete: bool = True

    def cells_of(self, program: str) -> list[Cell]:
        """Those of one program."""
        return [cell for cell in self.cells if cell.program == program]

    @property
    def succeeded(self) -> bool:
        """Whether everything was run and nothing is worse than physics, disproved or broken."""
        return self.is_complete and not any(
            run.verdict in FAILURES for cell in self.cells for run in cell.runs
        )


def summary_of(matrix: Matrix, program: str) -> dict[str, Any]:
    """Counts of runs, and the times to a direct path, of one program."""
    runs = [run for cell in matrix.cells_of(program) for run in cell.runs]
    verdicts = Counter(run.verdict for run in runs)
    outcomes = Counter(run.outcome for run in runs)
    return {
        "runs": len(runs),
        **{outcome.value: outcomes[outcome] for outcome in Outcome},
        **{verdict.value: verdicts[verdict] for verdict in Verdict},
        "elapsed": _times_object(Times.of(runs)),
    }


def matrix_object(matrix: Matrix) -> dict[str, Any]:
    """The JSON object."""
    settings = matrix.settings
    programs = [program.name for program in settings.programs]
    by_pair: dict[tuple[str, str], dict[str, Any]] = {}
    for cell in matrix.cells:
        by_pair.setdefault((cell.a, cell.b), {})[cell.program] = _cell_object(cell)
    return {
        "format": FORMAT,
        "complete": matrix.is_complete,
        "succeeded": matrix.succeeded,
        "command": list(matrix.command),
        "started": matrix.started,
        "seconds": round(matrix.seconds, 3),
        "versions": dict(matrix.versions),
        "settings": {
            "backend": settings.backend,
            "rtt": settings.rtt,
            "loss": settings.loss,
            "repeat": settings.repeat,
            "jobs": settings.jobs,
        },
        "profiles": [_profile_object(profile) for profile in settings.profiles],
        "programs": [
            {
                "name": program.name,
                "description": program.description,
                "file": str(program.file),
                "timeout": settings.timeout_of(program),
            }
            for program in settings.programs
        ],
        "summary": {name: summary_of(matrix, name) for name in programs},
        "cells": [
            {
                "a": pair.a.name,
                "b": pair.b.name,
                "expected": pair.expected.value,
                "note": note_on(pair.a, pair.b),
                "programs": by_pair.get((pair.a.name, pair.b.name), {}),
            }
            for pair in settings.pairs
        ],
    }


def _cell_object(cell: Cell) -> dict[str, Any]:
    return {
        "verdict": cell.verdict,
        **{outcome.value: cell.count(outcome) for outcome in Outcome},
        "broken": sum(run.outcome is None for run in cell.runs),
        "elapsed": _times_object(cell.times),
        "runs": [_run_object(run) for run in cell.runs],
    }


def _run_object(run: Run) -> dict[str, Any]:
    claim = run.caller
    return {
        "verdict": run.verdict,
        "outcome": run.outcome,
        "elapsed": run.elapsed,
        "technique": claim.technique if claim else None,
        "packets_sent": claim.packets_sent if claim else None,
        "path": claim.path if claim else None,
        "reason": run.reason,
        "error": run.error,
        "exit_code": run.exit_code,
        "seconds": round(run.seconds, 3),
        "timeline": [asdict(event) for event in claim.timeline] if claim else [],
        "observed": None if run.observation is None else asdict(run.observation),
        "further": dict(claim.further) if claim else {},
        "callee": _claim_object(run.callee),
        "artefacts": list(run.artefacts),
    }


def _claim_object(claim: Claim | None) -> dict[str, Any] | None:
    if claim is None:
        return None
    known = {
        "outcome": claim.outcome,
        "elapsed": claim.elapsed,
        "technique": claim.technique,
        "packets_sent": claim.packets_sent,
        "path": claim.path,
        "reason": claim.reason,
        "timeline": [asdict(event) for event in claim.timeline],
    }
    return {**claim.further, **known}


def _times_object(times: Times | None) -> dict[str, Any] | None:
    return None if times is None else asdict(times)


def _profile_object(profile: NatProfile) -> dict[str, Any]:
    return {
        "name": profile.name,
        "summary": profile.summary,
        "devices": profile.devices,
        "seen": _behavior_object(profile.seen),
    }


def _behavior_object(behavior: NatBehavior) -> dict[str, Any]:
    return {
        "mapping": behavior.mapping.value,
        "filtering": behavior.filtering.value,
        "allocation": behavior.allocation.value,
        "port_pool": behavior.port_pool,
        "mapping_lifetime": behavior.mapping_lifetime,
        "early_inbound": behavior.early_inbound.value,
        "udp_blocked": behavior.udp_blocked,
    }
