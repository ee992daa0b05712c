"""Matrices without a lab."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netlab.matrix.claim import Claim, Outcome, read_claim
from netlab.matrix.contract import Command, Contract
from netlab.matrix.observation import Observation, Passage
from netlab.matrix.results import Cell, Matrix, Pair, Run, Settings
from netlab.matrix.verdict import Verdict
from netlab.profiles import PROFILES

HOSTILE = "</script><script>alert(1)</script><!-- ]]> \u2028 \x1b[31m `|` <img src=x onerror=alert(2)>"


def contract(name: str = "peer", **values: Any) -> Contract:
    program = Command(argv=("true",))
    return Contract(file=Path(f"{name}.toml"), name=name, callee=program, caller=program, **values)


def claim(**values: Any) -> Claim:
    return read_claim({"outcome": "direct", **values})


def direct(elapsed: float | None = 0.063, *, verdict: Verdict = Verdict.AGREES, **values: Any) -> Run:
    return Run(
        verdict=verdict,
        seconds=2.0,
        outcome=Outcome.DIRECT,
        exit_code=0,
        caller=claim(elapsed=elapsed, technique="plain-checks", packets_sent=7, **values),
        observation=seen(),
    )


def failed(verdict: Verdict = Verdict.AGREES, *, reason: str = "nothing came") -> Run:
    report = claim(outcome="failed", reason=reason)
    return Run(
        verdict=verdict, seconds=6.0, outcome=Outcome.FAILED, reason=reason, exit_code=1, caller=report
    )


def relayed() -> Run:
    return Run(verdict=Verdict.AGREES, seconds=6.0, outcome=Outcome.RELAYED, caller=claim(outcome="relayed"))


def broken(error: str = "no lab") -> Run:
    return Run(verdict=Verdict.BROKEN, seconds=1.0, error=error)


def seen() -> Observation:
    passage = Passage(sent=3, received=2, let_in=2)
    return Observation(caller=passage, callee=passage, opened_after=0.002, timeline=())


def matrix(
    names: tuple[str, ...],
    runs: Mapping[tuple[str, str, str], tuple[Run, ...]],
    *,
    programs: tuple[Contract, ...] = (contract(),),
    is_complete: bool = True,
    command: tuple[str, ...] = ("netlab", "matrix"),
) -> Matrix:
    profiles = tuple(PROFILES[name] for name in names)
    pairs = tuple(Pair(a=a, b=b) for a in profiles for b in profiles)
    cells = tuple(
        Cell(
            a=pair.a.name,
            b=pair.b.name,
            program=program.name,
            runs=runs.get((program.name, pair.a.name, pair.b.name), ()),
        )
        for pair in pairs
        for program in programs
    )
    return Matrix(
        settings=Settings(profiles=profiles, pairs=pairs, programs=programs),
        cells=cells,
        command=command,
        started="2026-01-02T03:04:05+00:00",
        seconds=12.0,
        versions={"netlab": "0.1.0", "kernel": "Linux 6.18"},
        is_complete=is_complete,
    )
