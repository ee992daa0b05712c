from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from netlab.matrix.attempt import Attempt
from netlab.matrix.progress import run_line, watching
from netlab.matrix.results import Pair, Settings
from netlab.matrix.verdict import Verdict
from netlab.profiles import PROFILES
from tests.unit.netlab.matrix.builders import broken, contract, direct, failed

PAIR = Pair(a=PROFILES["open"], b=PROFILES["symmetric"])
ATTEMPT = Attempt(
    pair=PAIR, contract=contract(), number=1, rtt=0.0, loss=0.0, timeout=5.0, folder=Path("out")
)
SETTINGS = Settings(profiles=(PAIR.a, PAIR.b), pairs=(PAIR,), programs=(contract(),), repeat=3)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_each_run_is_a_line() -> None:
    stream = io.StringIO()
    with watching(SETTINGS, stream) as watcher:
        for run in (direct(), failed()):
            watcher.begin(ATTEMPT)
            watcher.end(ATTEMPT, run)
    assert stream.getvalue().splitlines() == [
        "1/3 peer: open -> symmetric: direct in 63 ms (agrees)",
        "2/3 peer: open -> symmetric: failed (agrees)",
    ]


def test_on_a_terminal_the_display_shows_current_pairs_and_counts() -> None:
    stream = Terminal()
    with watching(SETTINGS, stream) as watcher:
        watcher.begin(ATTEMPT)
        watcher.end(ATTEMPT, failed(Verdict.WORSE, reason="[bold]no[/bold] path"))
        watcher.begin(ATTEMPT)
    shown = stream.getvalue()
    assert "1/3" in shown
    assert "peer: 1 worse" in shown
    assert "  peer: open -> symmetric" in shown
    assert "[bold]no[/bold] path" in shown


def test_a_failure_says_why_on_its_one_line() -> None:
    assert run_line(ATTEMPT, broken("no\nlab")).endswith(
        "no outcome (broken): no\N{REPLACEMENT CHARACTER}lab"
    )
    silent = replace(failed(Verdict.WORSE), reason=None)
    assert run_line(ATTEMPT, silent).endswith("failed (worse): no reason given")
