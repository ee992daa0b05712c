"""Whether every pair of NATs that plain checks should connect does connect, with loss as without.

``python -m benchmarks.direct_pairs`` as root. The table is on stdout, progress on stderr. What is measured is
in benchmarks/README.md.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from benchmarks.direct_pairs_run import LOSSES, Record, Setting, direct_pairs, make_calls
from benchmarks.direct_pairs_summary import misses, report_object, table_text
from benchmarks.discovery_run import RTT
from benchmarks.entry import run_program
from netlab.cli.exit_codes import ExitCode
from netlab.cli.options import Duration, Probability, Profile
from netlab.profiles import NatProfile
from netlab.tools import require_machine


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--samples",
    type=click.IntRange(1, 1000),
    default=2,
    show_default=True,
    help="Calls of each pair and loss.",
)
@click.option(
    "--pairs",
    nargs=2,
    type=Profile(),
    multiple=True,
    metavar="CALLER CALLEE",
    help="May be repeated.  [default: all 100 that should connect]",
)
@click.option(
    "--loss",
    "losses",
    type=Probability(),
    multiple=True,
    help="On the core; may be repeated.  [default: 0% and 10%]",
)
@click.option("--jobs", type=click.IntRange(1, 16), default=3, show_default=True, help="Labs at a time.")
@click.option(
    "--record",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep each call as a line of JSON in this file, and make only those that it lacks.",
)
@click.option(
    "--stop-after", type=Duration(), help="Begin nothing more after so long; go on later with --record."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def cli(
    samples: int,
    pairs: Sequence[tuple[NatProfile, NatProfile]],
    losses: Sequence[float],
    jobs: int,
    file: Path | None,
    stop_after: float | None,
    as_json: bool,
) -> None:
    """Call through every pair of NATs that plain checks should connect.

    The exit code is 1 when a call failed, or was not made.
    """
    require_machine()
    names = [(caller.name, callee.name) for caller, callee in pairs] or direct_pairs()
    settings = [
        Setting(caller=caller, callee=callee, loss=loss)
        for caller, callee in names
        for loss in losses or LOSSES
    ]
    click.echo(f"{len(settings)} settings, {samples} calls each, {RTT * 1000:g} ms round trip", err=True)
    record = Record(file)
    stop_at = None if stop_after is None else time.monotonic() + stop_after
    make_calls(settings, samples, record, jobs=jobs, stop_at=stop_at)
    wanted = set(settings)
    calls = [call for call in record.calls if call.setting in wanted]
    missed = misses(settings, calls, samples)
    if as_json:
        click.echo(json.dumps(report_object(settings, calls, samples, missed)))
    else:
        click.echo(table_text(calls))
        for line in missed:
            click.echo(f"MISSED: {line}")
    if missed:
        sys.exit(ExitCode.FAILED)


def main() -> NoReturn:
    """The program."""
    run_program(cli, "direct_pairs")


if __name__ == "__main__":
    main()
