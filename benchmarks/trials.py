"""Thousands of calls between all pairs of NATs in virtual time, and the same pairs in the lab beside them.

``python -m benchmarks.trials``; with ``--against-lab`` as root. The table is on stdout, progress on stderr.
What is measured is in benchmarks/README.md.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import product
from pathlib import Path
from typing import NoReturn

import click

from benchmarks.entry import run_program
from benchmarks.trials_lab import PARALLEL_LABS, Recorder, compare, simulate
from benchmarks.trials_run import Pair, jobs_of, run_all
from benchmarks.trials_summary import amiss, exceptions_text, report_object, table_text
from netlab.cli.exit_codes import ExitCode
from netlab.cli.options import Profile
from netlab.profiles import COMBINATIONS, PROFILES, NatProfile
from netlab.tools import require_root

MAX_SHOWN = 20
"""Trials that are named; the rest is counted."""


class _Part(click.ParamType[tuple[int, int]]):
    """``2/4``: the second of four."""

    name = "k/n"

    def convert(
        self, value: str | tuple[int, int], param: click.Parameter | None, context: click.Context | None
    ) -> tuple[int, int]:
        """Which, from 0, of how many."""
        if isinstance(value, tuple):
            return value
        which, _, count = value.partition("/")
        if not (which.isdecimal() and count.isdecimal() and 1 <= int(which) <= int(count)):
            self.fail(f"got {value}, expected K/N with K from 1 to N", param, context)
        return int(which) - 1, int(count)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--trials", type=click.IntRange(1, 10_000_000), default=10_000, show_default=True, help="Of all pairs."
)
@click.option(
    "--first-seed", type=click.IntRange(0), default=0, help="Of each pair; the others follow.  [default: 0]"
)
@click.option(
    "--pair", "pairs", nargs=2, type=Profile(), multiple=True, help="CALLER CALLEE; may be repeated."
)
@click.option("--combinations", is_flag=True, help="The 21 plain combinations instead of the 16 profiles.")
@click.option("--against-lab", is_flag=True, help="Once each in the lab, and held against the simulation.")
@click.option(
    "--sample", type=click.Path(path_type=Path, dir_okay=False), help="Where the lab's runs are kept."
)
@click.option(
    "--part", type=_Part(), default=(0, 1), metavar="K/N", help="Only the K-th of N parts of the pairs."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def cli(
    trials: int,
    first_seed: int,
    pairs: tuple[tuple[NatProfile, NatProfile], ...],
    combinations: bool,
    against_lab: bool,
    sample: Path | None,
    part: tuple[int, int],
    as_json: bool,
) -> None:
    """Let peers call each other behind every pair of NATs, again and again, in virtual time.

    The exit code is 1 when a pair does not come to what it should, or the lab comes to something else. With
    --against-lab, a pair that --sample has on record is not run in the lab again.
    """
    names = COMBINATIONS if combinations else PROFILES
    wanted: list[Pair] = [(one.name, other.name) for one, other in pairs] or list(product(names, names))
    wanted = wanted[part[0] :: part[1]]
    is_well = (
        _hold_against_lab(wanted, sample, as_json)
        if against_lab
        else _try(wanted, trials, first_seed, as_json)
    )
    if not is_well:
        sys.exit(ExitCode.FAILED)


def _try(pairs: list[Pair], trials: int, first_seed: int, as_json: bool) -> bool:
    click.echo(f"{trials} trials of {len(pairs)} pairs, from seed {first_seed}", err=True)
    began_at = time.monotonic()
    results = run_all(list(jobs_of(pairs, trials, first_seed)))
    seconds = time.monotonic() - began_at
    wrong = amiss(results)
    if as_json:
        click.echo(json.dumps(report_object(results, seconds)))
        return not wrong
    click.echo(table_text(results))
    click.echo(f"\npairs that meet and do not meet:\n{exceptions_text(results)}")
    click.echo(f"\n{trials} trials in {seconds:.0f} s; {len(wrong)} did not end as they should")
    for line in wrong[:MAX_SHOWN]:
        click.echo(f"  {line}")
    return not wrong


def _hold_against_lab(pairs: list[Pair], sample: Path | None, as_json: bool) -> bool:
    recorder = Recorder(sample)
    missing = [pair for pair in pairs if pair not in recorder.calls]
    if missing:
        require_root()
        click.echo(f"{len(missing)} pairs, {PARALLEL_LABS} labs at a time", err=True)
        recorder.record(missing)
    comparison = compare([recorder.calls[pair] for pair in pairs], simulate(pairs))
    click.echo(json.dumps(comparison.to_object()) if as_json else comparison.to_text())
    return not comparison.amiss


def main() -> NoReturn:
    """The program."""
    run_program(cli, "trials")


if __name__ == "__main__":
    main()
