"""Time from ``connect`` to the first payload at the other peer, beside aioice in the same lab and run.

``python -m benchmarks.time_to_path`` as root. The table is on stdout, progress on stderr. What is measured
and why it is fair is in benchmarks/README.md.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from benchmarks.contest import OURS, Contest, hold_contest
from benchmarks.summary import FLOOR, contest_object, contest_text, floor_of, summaries
from netlab.cli.exit_codes import ExitCode, exit_code_of
from netlab.cli.options import Duration, Profile
from netlab.errors import EnvironmentProblem, LabError, MissingTool
from netlab.interrupts import interrupt_on_sigterm
from netlab.profiles import NatProfile, profile
from netlab.tools import PACKAGES, find_tool, require_root

PAIRS = (
    ("port-restricted", "port-restricted"),
    ("full-cone", "port-restricted"),
    ("address-restricted", "symmetric"),
    ("symmetric", "address-restricted"),
    ("open", "port-restricted"),
)
"""The caller's NAT and the callee's."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--pairs",
    nargs=2,
    type=Profile(),
    multiple=True,
    metavar="A B",
    help="The caller's NAT and the callee's; may be repeated.  [default: five pairs]",
)
@click.option(
    "--runs", type=click.IntRange(1, 1000), default=20, show_default=True, help="Of each contestant."
)
@click.option("--rtt", type=Duration(), default="40ms", show_default=True, help="Of every path.")
@click.option(
    "--require", type=click.FloatRange(FLOOR), metavar="RTTS", help="Fail unless our medians are below this."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--artefacts",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the programs' output in this folder.",
)
def cli(
    pairs: Sequence[tuple[NatProfile, NatProfile]],
    runs: int,
    rtt: float,
    require: float | None,
    as_json: bool,
    artefacts: Path | None,
) -> None:
    """Measure the time from connect to the first payload, side by side with aioice.

    The exit code is 1 when one of our payloads did not arrive, or --require is not met.
    """
    if rtt <= 0:
        raise click.BadParameter("got 0, expected a time to measure in", param_hint="--rtt")
    _require_everything()
    contests = []
    for caller_nat, callee_nat in pairs or [(profile(a), profile(b)) for a, b in PAIRS]:
        click.echo(f"{caller_nat.name} x {callee_nat.name}: {runs} runs of each ...", err=True)
        folder = artefacts and artefacts / f"{caller_nat.name}-{callee_nat.name}"
        contest = hold_contest(
            caller_nat, callee_nat, rtt=rtt, runs=runs, artefacts=folder, tell=_tell_failure
        )
        contests.append(contest)
        if not as_json:
            click.echo(f"{contest_text(contest, rtt=rtt)}\n")
    missed = [miss for contest in contests for miss in _misses(contest, rtt=rtt, require=require)]
    if as_json:
        objects = [contest_object(contest, rtt=rtt) for contest in contests]
        report = {"rtt": rtt, "runs": runs, "require": require, "missed": missed, "pairs": objects}
        click.echo(json.dumps(report))
    else:
        click.echo(_closing_text(contests, missed, rtt=rtt))
    if missed:
        sys.exit(ExitCode.FAILED)


def _require_everything() -> None:
    require_root()
    for tool in PACKAGES:
        find_tool(tool)
    if shutil.which("ping") is None:
        raise MissingTool("ping", package="iputils-ping")
    if importlib.util.find_spec("aioice") is None:
        raise EnvironmentProblem("aioice is not installed: try `pip install -e '.[dev]'`")


def _closing_text(contests: Sequence[Contest], missed: Sequence[str], *, rtt: float) -> str:
    pings = ", ".join(f"{contest.measured_rtt * 1000:.1f}" for contest in contests)
    return "\n".join(
        [
            f"RTT: {rtt * 1000:g} ms by design, {pings} ms by ping.",
            'Times are until the payload arrived; "read": until the application could read it.',
            *(f"MISSED: {miss}" for miss in missed),
        ]
    )


def _misses(contest: Contest, *, rtt: float, require: float | None) -> list[str]:
    """What we failed to do, a sentence each."""
    ours = summaries(contest)[OURS]
    misses = []
    if ours.delivered < ours.runs:
        misses.append(f"{contest.name}: we delivered {ours.delivered} of {ours.runs}")
    if require is not None and ours.median >= require * rtt:
        got, floor = f"{ours.median / rtt:.2f} RTT", f"the floor is {floor_of(contest):g}"
        misses.append(f"{contest.name}: our median is {got}, required is less than {require:g} ({floor})")
    return misses


def _tell_failure(line: str) -> None:
    click.echo(f"  failed: {line}", err=True)


def main() -> NoReturn:
    """The program: one clear line for an error, and netlab's exit codes."""
    interrupt_on_sigterm()
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as problem:
        click.echo(f"time_to_path: {problem.format_message()}", err=True)
        sys.exit(ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        click.echo("time_to_path: interrupted", err=True)
        sys.exit(ExitCode.INTERRUPTED)
    except (LabError, OSError) as problem:
        click.echo(f"time_to_path: {problem}", err=True)
        sys.exit(exit_code_of(problem))
    sys.exit(ExitCode.OK)


if __name__ == "__main__":
    main()
