"""What is told while a matrix runs: a display where a terminal is, and else a line for each run."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from netlab.complaint import one_line
from netlab.matrix.attempt import Attempt
from netlab.matrix.results import Run, Settings
from netlab.matrix.runner import Watcher
from netlab.matrix.text import seconds_text
from netlab.matrix.verdict import FAILURES, Verdict

if TYPE_CHECKING:
    from rich.table import Table

MAX_SHOWN = 8
"""Attempts that the display names at a time."""


@contextmanager
def watching(settings: Settings, stream: TextIO) -> Iterator[Watcher]:
    """A watcher that writes to a stream: the display of rich on a terminal, where rich is installed."""
    if stream.isatty():
        try:
            import rich  # noqa: F401 (of the extra `lab`, and not needed without a terminal)
        except ImportError:
            pass
        else:
            with _display(settings, stream) as display:
                yield display
            return
    yield Lines(settings, stream)


def run_line(attempt: Attempt, run: Run) -> str:
    """A run in one line: ``peer: open -> symmetric: direct in 63 ms (agrees)``."""
    what = run.outcome.value if run.outcome else "no outcome"
    time = f" in {seconds_text(run.elapsed)}" if run.elapsed is not None else ""
    tells_why = run.verdict in FAILURES
    why = f": {one_line(run.error or run.reason or 'no reason given')[:300]}" if tells_why else ""
    return f"{attempt.text}: {what}{time} ({run.verdict.value}){why}"


class Lines:
    """A line for each run."""

    def __init__(self, settings: Settings, stream: TextIO) -> None:
        self._count = settings.run_count
        self._stream = stream
        self._done = 0

    def begin(self, attempt: Attempt) -> None:
        """Is not told."""

    def end(self, attempt: Attempt, run: Run) -> None:
        """One more."""
        self._done += 1
        print(f"{self._done}/{self._count} {run_line(attempt, run)}", file=self._stream, flush=True)


@contextmanager
def _display(settings: Settings, stream: TextIO) -> Iterator[Watcher]:
    from rich.console import Console
    from rich.live import Live
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn
    from rich.table import Table
    from rich.text import Text

    console = Console(file=stream)
    bar = Progress(
        BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(), console=console
    )
    task = bar.add_task("runs", total=settings.run_count)

    class Display:
        def __init__(self) -> None:
            self._lock = threading.Lock()
            self._current: dict[int, str] = {}
            self._verdicts: Counter[tuple[str, Verdict]] = Counter()

        def begin(self, attempt: Attempt) -> None:
            with self._lock:
                self._current[id(attempt)] = attempt.text

        def end(self, attempt: Attempt, run: Run) -> None:
            with self._lock:
                self._current.pop(id(attempt), None)
                self._verdicts[attempt.contract.name, run.verdict] += 1
            bar.advance(task)
            if run.verdict in FAILURES:
                console.print(Text(run_line(attempt, run)))

        def __rich__(self) -> Table:
            with self._lock:
                current, verdicts = list(self._current.values()), Counter(self._verdicts)
            table = Table.grid(padding=(0, 1))
            table.add_row(bar)
            for program in settings.programs:
                counts = [
                    f"{verdicts[program.name, v]} {v.value}" for v in Verdict if verdicts[program.name, v]
                ]
                table.add_row(Text(f"{program.name}: {', '.join(counts) or 'nothing yet'}"))
            for text in current[:MAX_SHOWN]:
                table.add_row(Text(f"  {text}", style="dim", no_wrap=True, overflow="ellipsis"))
            if len(current) > MAX_SHOWN:
                table.add_row(Text(f"  and {len(current) - MAX_SHOWN} more", style="dim"))
            return table

    display = Display()
    with Live(display, console=console, refresh_per_second=8, transient=True):
        yield display
