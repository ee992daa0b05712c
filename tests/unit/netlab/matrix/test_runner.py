"""How the attempts of a matrix are ordered, noted and ended; none of them builds a lab here."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from netlab.errors import MissingTool
from netlab.matrix import runner
from netlab.matrix.attempt import Attempt, Cancellation, Cancelled
from netlab.matrix.results import Run, Settings
from netlab.matrix.runner import Outcomes, attempts_of, pairs_of, run_matrix
from netlab.namespaces import NamespaceBackend
from netlab.profiles import PROFILES
from tests.unit.netlab.matrix.builders import contract, direct

PROFILES_USED = tuple(PROFILES[name] for name in ("open", "full-cone", "symmetric"))


class Silent:
    def begin(self, attempt: Attempt) -> None:
        pass

    def end(self, attempt: Attempt, run: Run) -> None:
        pass


def settings(*, repeat: int = 1, jobs: int = 2) -> Settings:
    pairs = pairs_of(PROFILES_USED, is_unordered=False)
    programs = (contract("peer"), contract("aioice", timeout=9.0))
    return Settings(profiles=PROFILES_USED, pairs=pairs, programs=programs, repeat=repeat, jobs=jobs)


def run(made: Settings, outcomes: Outcomes) -> None:
    run_matrix(made, NamespaceBackend(), Path("out"), watcher=Silent(), outcomes=outcomes)


def test_pairs_in_both_orders_or_in_one() -> None:
    assert len(pairs_of(PROFILES_USED, is_unordered=False)) == 9
    unordered = [(pair.a.name, pair.b.name) for pair in pairs_of(PROFILES_USED, is_unordered=True)]
    assert unordered[:4] == [
        ("open", "open"),
        ("open", "full-cone"),
        ("open", "symmetric"),
        ("full-cone", "full-cone"),
    ]
    assert len(unordered) == 6


def test_repeats_come_last_and_programs_of_a_pair_together() -> None:
    attempts = list(attempts_of(settings(repeat=2), Path("out")))
    assert len(attempts) == 36
    assert [one.contract.name for one in attempts[:2]] == ["peer", "aioice"]
    assert [one.number for one in attempts[17:19]] == [1, 2]
    assert [one.timeout for one in attempts[:2]] == [5.0, 9.0]
    assert attempts[2].folder == Path("out/artefacts/peer/open--full-cone/1")


def test_every_run_gets_into_its_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "make", lambda attempt, *_: direct(attempt.number / 10))
    outcomes, made = Outcomes(), settings(repeat=3)
    run(made, outcomes)
    cells = outcomes.cells(made)
    assert len(cells) == 18
    assert outcomes.is_complete
    assert {tuple(one.elapsed for one in cell.runs) for cell in cells} == {(0.1, 0.2, 0.3)}


def test_an_interrupt_ends_all_attempts_and_keeps_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled: list[Attempt] = []
    running = threading.Barrier(2, timeout=10)

    def make(attempt: Attempt, _: object, cancellation: Cancellation) -> Run:
        if attempt.number == 1 and attempt.pair.a.name == "open" and attempt.pair.b.name == "open":
            return direct()
        if not running.broken:
            running.wait()  # both workers are busy now
            running.abort()
        while True:
            try:
                cancellation.check()
            except Cancelled:
                cancelled.append(attempt)
                raise

    class Interrupting(Silent):
        ended = 0

        def end(self, attempt: Attempt, run: Run) -> None:
            self.ended += 1
            if self.ended == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(runner, "make", make)
    outcomes, made = Outcomes(), settings()
    with pytest.raises(KeyboardInterrupt):
        run_matrix(made, NamespaceBackend(), Path("out"), watcher=Interrupting(), outcomes=outcomes)
    assert not outcomes.is_complete
    assert len(cancelled) <= 2
    assert [len(cell.runs) for cell in outcomes.cells(made)] == [1, 1, *[0] * 16]


def test_what_this_machine_lacks_ends_the_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(*_: object) -> Run:
        raise MissingTool("ipset", package="ipset")

    monkeypatch.setattr(runner, "make", make)
    with pytest.raises(MissingTool, match="apt-get install ipset"):
        run(settings(), Outcomes())
