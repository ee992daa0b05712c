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
from itertools import product
from pathlib import Path
from typing import NoReturn

import click

from benchmarks.contest import Contest, hold_contest
from benchmarks.entry import run_program
from benchmarks.summary import contest_object, contest_text, misses
from netlab.cli.exit_codes import ExitCode
from netlab.cli.options import Duration, Probability, Profile
from netlab.errors import EnvironmentProblem, MissingTool
from netlab.profiles import NatProfile, profile
from netlab.tools import PACKAGES, find_tool, require_root

LOSSES = (0.0, 0.1)

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
    "--loss",
    "losses",
    type=Probability(),
    multiple=True,
    help="Of every packet on the core; may be repeated.  [default: 0% and 10%]",
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
    losses: Sequence[float],
    as_json: bool,
    artefacts: Path | None,
) -> None:
    """Measure the time from connect to the first payload, side by side with aioice.

    With loss only ours take part. The exit code is 1 when one of our payloads did not arrive, or a target is
    missed.
    """
    if rtt <= 0:
        raise click.BadParameter("got 0, expected a time to measure in", param_hint="--rtt")
    _require_everything()
    contests = []
    named = pairs or [(profile(a), profile(b)) for a, b in PAIRS]
    for loss, (caller_nat, callee_nat) in product(losses or LOSSES, named):
        click.echo(
            f"{caller_nat.name} x {callee_nat.name}, {loss:.0%} loss: {runs} runs of each ...", err=True
        )
        folder = artefacts and artefacts / f"{caller_nat.name}-{callee_nat.name}-{loss:g}"
        contest = hold_contest(
            caller_nat, callee_nat, rtt=rtt, runs=runs, loss=loss, artefacts=folder, tell=_tell_failure
        )
        contests.append(contest)
        if not as_json:
            click.echo(f"{contest_text(contest, rtt=rtt)}\n")
    missed = [miss for contest in contests for miss in misses(contest, rtt=rtt)]
    if as_json:
        objects = [contest_object(contest, rtt=rtt) for contest in contests]
        report = {"rtt": rtt, "runs": runs, "missed": missed, "pairs": objects}
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


def _tell_failure(line: str) -> None:
    click.echo(f"  failed: {line}", err=True)


def main() -> NoReturn:
    """The program."""
    run_program(cli, "time_to_path")


if __name__ == "__main__":
    main()
