"""How surely, how soon and at what cost two peers meet where plain checks cannot.

``python -m benchmarks.hard_pairs`` as root. The table is on stdout, progress on stderr. What is measured is
in benchmarks/README.md.
"""

from __future__ import annotations

import json
import sys
from typing import NoReturn

import click

from benchmarks.discovery_run import RTT
from benchmarks.entry import run_program
from benchmarks.hard_pairs_run import HARD_PAIRS, aioice_all, attempt_all
from benchmarks.hard_pairs_summary import PairSummary, report_object, table_text
from netlab.cli.exit_codes import ExitCode
from netlab.tools import require_root


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--runs", type=click.IntRange(1, 1000), default=100, show_default=True, help="Attempts of each pair."
)
@click.option(
    "--aioice-runs",
    type=click.IntRange(0, 1000),
    default=2,
    show_default=True,
    help="Attempts of aioice for each pair, beside ours.",
)
@click.option("--pair", "pairs", nargs=2, multiple=True, help="CALLER CALLEE, of the ten; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def cli(runs: int, aioice_runs: int, pairs: tuple[tuple[str, str], ...], as_json: bool) -> None:
    """Let peers meet behind hard pairs of NATs, again and again.

    The exit code is 1 when a pair misses its target, or one without a target has an attempt amiss.
    """
    known = {(pair.caller, pair.callee) for pair in HARD_PAIRS}
    for unknown in (" x ".join(pair) for pair in pairs if pair not in known):
        raise click.BadParameter(f"got {unknown}, expected one of: {', '.join(map(str, HARD_PAIRS))}")
    require_root()
    wanted = [pair for pair in HARD_PAIRS if not pairs or (pair.caller, pair.callee) in pairs]
    click.echo(f"{len(wanted)} pairs, {runs} attempts each, {RTT * 1000:g} ms round trip", err=True)
    attempts = attempt_all(wanted, runs)
    aioice = aioice_all(wanted, aioice_runs) if aioice_runs else None
    summaries = [PairSummary.of(pair, attempts[pair]) for pair in wanted]
    amiss = [line for one in summaries for line in one.amiss]
    missed = [f"{one.pair}: {clause}" for one in summaries for clause in one.missed]
    if as_json:
        click.echo(json.dumps(report_object(summaries, aioice, aioice_runs)))
    else:
        click.echo(table_text(summaries, aioice, aioice_runs))
        click.echo(f"\n{len(amiss)} of {runs * len(wanted)} attempts did not end as they should")
        for line in (*amiss, *missed):
            click.echo(f"  {line}")
    if missed or any(one.amiss for one in summaries if one.pair.target is None):
        sys.exit(ExitCode.FAILED)


def main() -> NoReturn:
    """The program."""
    run_program(cli, "hard_pairs")


if __name__ == "__main__":
    main()
