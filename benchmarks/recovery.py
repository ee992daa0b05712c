"""How soon peers with an open channel notice that a NAT rebooted or took another address, and talk again.

``python -m benchmarks.recovery`` as root. The table is on stdout, progress on stderr. What is measured is in
benchmarks/README.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from benchmarks.entry import run_program
from benchmarks.recovery_run import CHANNELS, PAIRS, Break, Scene, Use, break_all
from benchmarks.recovery_summary import report_object, summaries, table_text
from netlab.cli.exit_codes import ExitCode
from netlab.cli.options import Profile
from netlab.profiles import NatProfile
from netlab.tools import require_machine


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--rounds",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help=f"Of {CHANNELS} channels each, for each pair, break and use.",
)
@click.option(
    "--pairs",
    nargs=2,
    type=Profile(),
    multiple=True,
    metavar="A B",
    help="A's NAT breaks; may be repeated.  [default: four pairs]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def cli(rounds: int, pairs: Sequence[tuple[NatProfile, NatProfile]], as_json: bool) -> None:
    """Break the network under open channels.

    The exit code is 1 when a channel missed a target.
    """
    require_machine()
    names = [(near.name, far.name) for near, far in pairs] or PAIRS
    scenes = [Scene(pair=pair, event=event, use=use) for pair in names for event in Break for use in Use]
    click.echo(f"{len(scenes)} scenes, {rounds * CHANNELS} channels each", err=True)
    found = summaries(break_all(scenes, rounds))
    report = report_object(found)
    if as_json:
        click.echo(json.dumps(report))
    else:
        click.echo(table_text(found))
        for fault in report["missed"]:
            click.echo(f"MISSED: {fault}")
    if report["missed"]:
        sys.exit(ExitCode.FAILED)


def main() -> NoReturn:
    """The program."""
    run_program(cli, "recovery")


if __name__ == "__main__":
    main()
