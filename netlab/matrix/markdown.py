"""A matrix as Markdown: one GitHub table a program, and what is not as physics has it in words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from netlab.complaint import one_line
from netlab.matrix.claim import Outcome
from netlab.matrix.results import Matrix, summary_of
from netlab.matrix.text import conditions, grid, seconds_text
from netlab.matrix.verdict import FAILURES, Verdict

MAX_REMARKS = 200
"""Runs that are told of in words; the JSON has all."""

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#&~])")

LEGEND = (
    "Rows call columns, which have the numbers of the rows. `63 ms`: a direct path, and the median time to "
    "it, or `✔` where the program tells none. `–`: none, as physics has it. `★`: direct where plain checks "
    "cannot be. `✘`: not direct where plain checks are. `R`: relayed. `≠`: claimed direct, and disproved. "
    "`!`: broken. `~`: timing decides. `·`: not run. `2/3`: direct runs, if not all."
)


def matrix_markdown(matrix: Matrix) -> str:
    """The whole document."""
    return "\n".join([*_head(matrix), *_tables(matrix), *_remarks(matrix), ""])


def _head(matrix: Matrix) -> Iterator[str]:
    yield "# Matrix of NAT pairs"
    yield ""
    yield f"`{_in_code(' '.join(matrix.command))}`"
    yield ""
    yield f"{matrix.started}, {matrix.seconds:.0f} s: {conditions(matrix)}."
    yield "; ".join(f"{_plain(name)} {_plain(version)}" for name, version in matrix.versions.items()) + "."
    if not matrix.is_complete:
        yield ""
        yield "**Interrupted: not every run was made.**"
    yield ""
    yield LEGEND


def _tables(matrix: Matrix) -> Iterator[str]:
    for program in matrix.settings.programs:
        yield ""
        yield f"## {_plain(program.name)}"
        if program.description:
            yield ""
            yield _plain(program.description)
        yield ""
        yield _summary_line(matrix, program.name)
        yield ""
        heading, *rows = grid(matrix, program.name)
        yield _row(heading)
        yield _row(["---"] * len(heading))
        for name, *cells in rows:
            yield _row([f"**{name.replace(' ', '&nbsp;')}**", *cells])


def _summary_line(matrix: Matrix, program: str) -> str:
    summary = summary_of(matrix, program)
    counts = [f"{summary[outcome.value]} {outcome.value}" for outcome in Outcome if summary[outcome.value]]
    verdicts = [f"{summary[verdict.value]} {verdict.value}" for verdict in Verdict if summary[verdict.value]]
    times = summary["elapsed"]
    timed = ""
    if times:
        median, p95 = seconds_text(times["median"]), seconds_text(times["p95"])
        timed = f"; time to path: median {median}, 95th percentile {p95}"
    return f"{summary['runs']} runs: {', '.join(counts) or 'none'} ({', '.join(verdicts) or 'none'}){timed}."


def _remarks(matrix: Matrix) -> Iterator[str]:
    told = {*FAILURES, Verdict.BETTER}
    runs = [
        (cell, n, run) for cell in matrix.cells for n, run in enumerate(cell.runs, 1) if run.verdict in told
    ]
    if not runs:
        return
    yield ""
    yield "## Not as physics has it"
    yield ""
    for cell, number, run in runs[:MAX_REMARKS]:
        why = run.error or run.reason or (run.caller.technique if run.caller else None) or "no reason given"
        which = f", run {number}" if len(cell.runs) > 1 else ""
        pair = f"{_plain(cell.program)}: {cell.a} -> {cell.b}{which}"
        yield f"- **{run.verdict.value}** {pair}: {_plain(why[:300])}"
    if len(runs) > MAX_REMARKS:
        yield f"- ... and {len(runs) - MAX_REMARKS} more"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """A text that stays one, whatever is in it."""
    return _SPECIAL.sub(r"\\\1", one_line(text))


def _in_code(text: str) -> str:
    return one_line(text).replace("`", "'")
