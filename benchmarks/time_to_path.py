"""Time from ``connect`` to the first payload at the other peer, beside aioice in the same lab and run.

``python -m benchmarks.time_to_path`` as root. The table is on stdout, progress on stderr. What is measured
and why it is fair is in benchmarks/README.md.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from benchmarks.contest import OURS, Contest, hold_contest
from benchmarks.summary import FLOOR, contest_object, contest_text, summaries
from netlab.errors import EnvironmentProblem, LabError
from netlab.exit_codes import ExitCode, exit_code_of
from netlab.interrupts import interrupt_on_sigterm
from netlab.options import Duration, Profile
from netlab.profiles import NatProfile, profile

PAIRS = (
    ("port-restricted", "port-restricted"),
    ("full-cone", "port-restricted"),
    ("address-restricted", "symmetric"),
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
    help="The caller's NAT and the callee's; may be repeated.  [default: four pairs]",
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
    if importlib.util.find_spec("aioice") is None:
        raise EnvironmentProblem("aioice is not installed: try `pip install -e '.[dev]'`")
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
    holds = all(_holds(contest, rtt=rtt, require=require) for contest in contests)
    if as_json:
        objects = [contest_object(contest, rtt=rtt) for contest in contests]
        click.echo(
            json.dumps(
                {
                    "rtt": rtt,
                    "runs": runs,
                    "floor": FLOOR,
                    "require": require,
                    "holds": holds,
                    "pairs": objects,
                }
            )
        )
    else:
        pings = ", ".join(f"{contest.measured_rtt * 1000:.1f}" for contest in contests)
        click.echo(f"RTT {rtt * 1000:g} ms by design, {pings} ms by ping. The floor is {FLOOR} RTT.")
        click.echo('Times are until the payload arrived; "read": until the application could read it.')
        if require is not None:
            click.echo(f"Our medians are {'' if holds else 'NOT all '}below {require:g} RTT.")
    if not holds:
        sys.exit(ExitCode.FAILED)


def _holds(contest: Contest, *, rtt: float, require: float | None) -> bool:
    ours = summaries(contest)[OURS]
    return ours.delivered == ours.runs and (require is None or ours.median < require * rtt)


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
