"""Times, cells and their grid as short texts, the same in Markdown, on the page and in the terminal. Pure."""

from __future__ import annotations

from natcore.nat import Outcome as Physics
from netlab.matrix.claim import Outcome
from netlab.matrix.results import Cell, Matrix
from netlab.matrix.verdict import Verdict

MARKS = {
    Verdict.AGREES: "–",
    Verdict.TIMING: "–",
    Verdict.BETTER: "★",
    Verdict.WORSE: "✘",
    Verdict.DISPROVED: "≠",
    Verdict.BROKEN: "!",
}
"""Of a cell without a direct path, and of those with one whose verdict is more than its time."""

NOT_RUN = "·"
RELAYED = "R"
DIRECT = "✔"
TIMING = "~"


def seconds_text(seconds: float) -> str:
    """``0.4 ms``, ``63 ms``, ``1.25 s``: three digits at most, and a unit."""
    if seconds < 0.001:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.3g} s"


def conditions(matrix: Matrix) -> str:
    """What decides about the times, for whoever compares two matrices."""
    settings = matrix.settings
    runs = "one run" if settings.repeat == 1 else f"{settings.repeat} runs"
    distance = f"{seconds_text(settings.rtt)} round trip" if settings.rtt else "no delay"
    loss = f"{settings.loss:.1%} loss" if settings.loss else "no loss"
    return f"{runs} of each, {distance}, {loss}, {settings.backend}"


def cell_text(cell: Cell) -> str:
    """What a cell shows: the time, or a mark; and the share of direct runs where it is not all of them."""
    if cell.verdict is None:
        return NOT_RUN
    direct = cell.count(Outcome.DIRECT)
    share = f" {direct}/{len(cell.runs)}" if 0 < direct < len(cell.runs) else ""
    if not direct or cell.verdict in (Verdict.DISPROVED, Verdict.BROKEN):
        mark = RELAYED if _is_relayed(cell) else MARKS[cell.verdict]
        return f"{mark}{share}"
    if cell.verdict is Verdict.WORSE:
        return f"{MARKS[cell.verdict]}{share}"  # how fast the other runs were is not the news
    time = seconds_text(cell.times.median) if cell.times else DIRECT
    mark = f"{MARKS[cell.verdict]} " if cell.verdict is Verdict.BETTER else ""
    return f"{mark}{time}{share}"


def cell_sentence(cell: Cell) -> str:
    """The same in words, for whoever does not see the colours."""
    pair = f"{cell.program}, {cell.a} calls {cell.b}"
    if cell.verdict is None:
        return f"{pair}: not run"
    counts = [f"{count} {outcome.value}" for outcome in Outcome if (count := cell.count(outcome))]
    broken = sum(run.outcome is None for run in cell.runs)
    counts += [f"{broken} broken"] if broken else []
    time = f", {seconds_text(cell.times.median)}" if cell.times else ""
    return f"{pair}: {', '.join(counts)}{time}; {cell.verdict.value}"


def grid(matrix: Matrix, program: str) -> list[list[str]]:
    """A program's cells under a heading: columns have the numbers of the rows, names would be too wide."""
    names = [profile.name for profile in matrix.settings.profiles]
    cells = {(cell.a, cell.b): cell_text(cell) for cell in matrix.cells_of(program)}
    for pair in matrix.settings.pairs:
        if pair.expected is Physics.TIMING:
            cells[pair.a.name, pair.b.name] += f" {TIMING}"
    rows = [
        [
            f"{number} {a}",
            *(cells.get((a, b), "") for b in names),
        ]  # empty: the other order of the two was run
        for number, a in enumerate(names, 1)
    ]
    return [["", *map(str, range(1, len(names) + 1))], *rows]


def _is_relayed(cell: Cell) -> bool:
    is_known = cell.verdict in (Verdict.AGREES, Verdict.TIMING, Verdict.WORSE)
    return is_known and cell.count(Outcome.RELAYED) > 0
