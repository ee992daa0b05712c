"""How fast labs come up and go down, beside Mininet in the same run.

``python -m benchmarks.lab_times`` as root. The table is on stdout, progress on stderr. What is measured, and
why it is fair, is in benchmarks/README.md.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import click

from benchmarks.lab_race import PEER, ROWS, WARM_UPS, Crew, Race, Row, Scene, hold_race
from benchmarks.lab_summary import misses, race_object, race_text
from netlab.backends import BACKEND_NAMES
from netlab.cli.exit_codes import ExitCode, exit_code_of
from netlab.errors import LabError, MissingTool
from netlab.interrupts import interrupt_on_sigterm
from netlab.testing import readiness
from netlab.tools import PACKAGES, find_tool, require_root


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--runs",
    type=click.IntRange(1, 1000),
    default=10,
    show_default=True,
    help="Of each row, after a warm-up.",
)
@click.option(
    "--backend",
    "backends",
    type=click.Choice(BACKEND_NAMES),
    multiple=True,
    help="Of our rows; may be repeated.  [default: both, Docker where an engine answers]",
)
@click.option(
    "--scene",
    "scenes",
    type=click.Choice([scene.value for scene in Scene]),
    multiple=True,
    help="What to build; may be repeated.  [default: all]",
)
@click.option(
    "--require", is_flag=True, help="Fail unless our medians are within the limits, and all were measured."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def cli(runs: int, backends: Sequence[str], scenes: Sequence[str], require: bool, as_json: bool) -> None:
    """Measure how long labs take to come up and to go down, side by side with Mininet.

    The exit code is 1 when one of our labs failed, or --require is not met.
    """
    _require_everything()
    wanted = [row for row in ROWS if row.scene in (scenes or list(Scene)) and _is_wanted(row, backends)]
    unready = {row: why for row in wanted if (why := readiness.missing_for(row.backend)) is not None}
    load_before = os.getloadavg()
    with TemporaryDirectory(prefix="lab-times-") as folder:
        ready = [row for row in wanted if row not in unready]
        raced = hold_race(ready, runs=runs, folder=Path(folder), tell=_tell)
    race = Race(turns=raced.turns, absent={**raced.absent, **unready})
    loads = (load_before[0], os.getloadavg()[0])
    missed = [*_failures(race), *(misses(race) if require else [])]
    if as_json:
        report = {"runs": runs, "warm_ups": WARM_UPS, "loads": loads, "missed": missed, **race_object(race)}
        click.echo(json.dumps(report))
    else:
        click.echo(race_text(race))
        click.echo(_closing_text(missed, runs=runs, loads=loads))
    if missed:
        sys.exit(ExitCode.FAILED)


def _require_everything() -> None:
    require_root()
    for tool in PACKAGES:
        find_tool(tool)
    for tool, package in (("ping", "iputils-ping"), ("setpriv", "util-linux"), ("mn", PEER)):
        if shutil.which(tool) is None:
            raise MissingTool(tool, package=package)


def _is_wanted(row: Row, backends: Sequence[str]) -> bool:
    """The peer is: there is nothing to compare with otherwise."""
    return row.crew is Crew.PEER or not backends or row.backend in backends


def _failures(race: Race) -> list[str]:
    """Each row of ours in which a lab failed, in a sentence; the peer's failures are the peer's."""
    return [
        f"{row.title}: {sum(bool(turn.failures) for turn in turns)} of {len(turns)} runs failed"
        for row, turns in race.turns.items()
        if row.crew is not Crew.PEER and any(turn.failures for turn in turns)
    ]


def _closing_text(missed: Sequence[str], *, runs: int, loads: tuple[float, float]) -> str:
    before, after = loads
    machine = f"{os.cpu_count()} processors, load {before:.1f} before and {after:.1f} after"
    return "\n".join(
        [
            "",
            f"Up: until every home has had an answer to a ping. / {PEER}: our median in multiples of theirs.",
            f"{runs} runs of each in turns, after {WARM_UPS} that does not count; {machine}.",
            *(f"MISSED: {miss}" for miss in missed),
        ]
    )


def _tell(line: str) -> None:
    click.echo(line, err=True)


def main() -> NoReturn:
    """The program: one clear line for an error, and netlab's exit codes."""
    interrupt_on_sigterm()
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as problem:
        click.echo(f"lab_times: {problem.format_message()}", err=True)
        sys.exit(ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        click.echo("lab_times: interrupted", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    except (LabError, OSError) as problem:
        click.echo(f"lab_times: {problem}", err=True)
        sys.exit(exit_code_of(problem))
    sys.exit(ExitCode.OK)


if __name__ == "__main__":
    main()
