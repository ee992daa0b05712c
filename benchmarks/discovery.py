"""How right and how fast ``peer check`` is, behind every NAT of the lab.

``python -m benchmarks.discovery`` as root. The tables are on stdout, progress on stderr.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from benchmarks.discovery_run import (
    RTT,
    Condition,
    examine_all,
    natdiscovery_is_there,
    time_natdiscovery,
)
from benchmarks.discovery_summary import cells_of, confusion_text, time_text
from benchmarks.entry import run_program
from netlab.cli.exit_codes import ExitCode
from netlab.profiles import COMBINATIONS, PROFILES, profile
from netlab.tools import require_root

COMPARED = ("full-cone", "port-restricted", "symmetric")
"""The profiles behind which the peer program is timed."""

MAX_UNKNOWN = 0.02


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--profile", "names", multiple=True, help="May be repeated.  [default: all 37]")
@click.option(
    "--condition",
    "conditions",
    type=click.Choice([one.value for one in Condition]),
    multiple=True,
    help="May be repeated.  [default: all]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def cli(names: Sequence[str], conditions: Sequence[str], as_json: bool) -> None:
    """Hold what `peer check` says of every NAT against what it is, and time it.

    The exit code is 1 when anything is wrong, or more than 2 % are unknown without need.
    """
    require_root()
    profiles = [profile(name) for name in names or (*PROFILES, *COMBINATIONS)]
    wanted = [Condition(one) for one in conditions] or list(Condition)
    click.echo(f"{len(profiles)} profiles, {len(wanted)} conditions, {RTT * 1000:g} ms round trip", err=True)
    examinations = examine_all(profiles, wanted)
    known = {one.name for one in profiles}
    compared = [name for name in COMPARED if name in known] if natdiscovery_is_there() else []
    theirs = {name: time_natdiscovery(profile(name)) for name in compared}
    cells = cells_of(examinations)
    wrong = [str(cell) for cell in cells if cell.is_wrong]
    unknown = [str(cell) for cell in cells if cell.is_unknown]
    if as_json:
        report = {
            "rtt": RTT,
            "cells": len(cells),
            "wrong": wrong,
            "unknown": unknown,
            "seconds": {
                one.value: {each.profile.name: each.seconds for each in examinations if each.condition is one}
                for one in wanted
            },
            "natdiscovery_seconds": theirs,
        }
        click.echo(json.dumps(report))
    else:
        click.echo(confusion_text(cells))
        click.echo(time_text(examinations, theirs))
        click.echo(f"\n{len(cells)} findings, {len(wrong)} wrong, {len(unknown)} unknown without need")
        for line in (*wrong, *unknown):
            click.echo(f"  {line}")
    if wrong or len(unknown) > MAX_UNKNOWN * len(cells):
        sys.exit(ExitCode.FAILED)


def main() -> NoReturn:
    """The program."""
    run_program(cli, "discovery")


if __name__ == "__main__":
    main()
