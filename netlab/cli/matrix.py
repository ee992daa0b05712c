"""``netlab matrix``."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from netlab.backend import Backend
from netlab.backends import backend_named
from netlab.cli.exit_codes import ExitCode
from netlab.cli.options import Duration, Probability, Profile, backend_option
from netlab.cli.report import columns
from netlab.errors import UsageProblem
from netlab.matrix.contract import MAX_TIMEOUT, Contract, find_contract, shipped_programs
from netlab.matrix.output import MARKDOWN_NAME, PAGE_NAME, default_folder, prepare, write
from netlab.matrix.progress import watching
from netlab.matrix.results import Matrix, Settings, matrix_object, summary_of
from netlab.matrix.runner import MAX_JOBS, Outcomes, default_jobs, pairs_of, run_matrix
from netlab.matrix.text import grid, seconds_text
from netlab.matrix.verdict import Verdict
from netlab.matrix.versions import versions
from netlab.profiles import PROFILES, NatProfile
from netlab.rootless.command import LabCommand
from netlab.tools import require_machine
from netlab.topology.scenes import two_nats

_LEGEND = """\
Rows call columns. A time: a direct path; –: none, as physics has it;
✘: worse; ★: better; R: relayed; ≠: disproved; !: broken; ·: not run;
~: timing decides."""

MAX_REPEAT = 1000
"""Runs of each; more are more than a person waits for."""


class _Profiles(click.ParamType[tuple[NatProfile, ...]]):
    """Names of profiles with commas between them; ``all`` for every one that imitates something."""

    name = "profiles"

    def convert(
        self,
        value: str | tuple[NatProfile, ...],
        param: click.Parameter | None,
        context: click.Context | None,
    ) -> tuple[NatProfile, ...]:
        """The profiles, each once."""
        if isinstance(value, tuple):
            return value
        if value == "all":
            return tuple(PROFILES.values())
        one = Profile()
        return tuple(dict.fromkeys(one.convert(name.strip(), param, context) for name in value.split(",")))


@click.command("matrix", cls=LabCommand)
@click.option(
    "--program",
    "programs",
    multiple=True,
    metavar="NAME|FILE",
    help=f"{', '.join(shipped_programs())} or a contract of your own; may be repeated.  [default: peer]",
)
@click.option(
    "--profiles",
    type=_Profiles(),
    multiple=True,
    metavar="A,B,...",
    help="Of both sides; spaces will do as well.  [default: all]",
)
@click.argument("more", metavar="[PROFILE]...", nargs=-1, type=_Profiles())
@click.option("--unordered", is_flag=True, help="Each pair in one order only, which is about half.")
@click.option(
    "--repeat", type=click.IntRange(1, MAX_REPEAT), default=1, show_default=True, help="Runs of each."
)
@click.option(
    "--jobs",
    type=click.IntRange(1, MAX_JOBS),
    default=default_jobs(),
    help="Labs side by side.  [default: two a processor]",
)
@click.option("--rtt", type=Duration(), default=0.0, help="Round trip over the core, like 40ms.")
@click.option("--loss", type=Probability(), default=0.0, help="Packets that the core loses, like 5%.")
@click.option("--timeout", type=Duration(), help="For one attempt, like 10s.  [default: the contract's]")
@backend_option
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="For results and artefacts.  [default: ./matrix-DATE-TIME]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as one JSON object, too.")
def matrix(
    programs: Sequence[str],
    profiles: Sequence[tuple[NatProfile, ...]],
    more: Sequence[tuple[NatProfile, ...]],
    unordered: bool,
    repeat: int,
    jobs: int,
    rtt: float,
    loss: float,
    timeout: float | None,
    backend: str,
    output: Path | None,
    as_json: bool,
) -> None:
    """Run a program behind every pair of NATs.

    What happens is held against what physics says. Writes matrix.html, matrix.md and matrix.json, with the
    artefacts of each run beside them. The exit code is 1 when something is worse than physics, claimed and
    disproved, or broken.
    """
    if timeout is not None and not 0 < timeout <= MAX_TIMEOUT:
        raise click.BadParameter(
            f"got {timeout:g} s, expected up to {MAX_TIMEOUT:g} s", param_hint="--timeout"
        )
    contracts = _contracts(programs or ("peer",), backend)
    wanted = dict.fromkeys(profile for some in (*profiles, *more) for profile in some)
    chosen = tuple(wanted) or tuple(PROFILES.values())
    two_nats(chosen[0], chosen[0], rtt=rtt, loss=loss)  # says what is wrong with rtt and loss
    settings = Settings(
        profiles=chosen,
        pairs=pairs_of(chosen, is_unordered=unordered),
        programs=contracts,
        repeat=repeat,
        jobs=jobs,
        rtt=rtt,
        loss=loss,
        backend=backend,
        timeout=timeout,
    )
    require_machine()  # before anything is written
    nodes = backend_named(backend)
    folder = output or default_folder(datetime.now())
    prepare(folder)
    result = _run(settings, nodes, folder)
    if as_json:
        click.echo(json.dumps(matrix_object(result)))
    else:
        click.echo(_summary(result))
    click.echo(f"see {folder / PAGE_NAME}, {folder / MARKDOWN_NAME}", err=True)
    if not result.succeeded:
        sys.exit(ExitCode.FAILED)


def _contracts(programs: Sequence[str], backend: str) -> tuple[Contract, ...]:
    contracts = tuple(find_contract(program) for program in programs)
    names = [contract.name for contract in contracts]
    for name in names:
        if names.count(name) > 1:
            raise UsageProblem(f"two programs are named {name!r}: each needs a name of its own")
    for contract in contracts:
        contract.require(backend)
    return contracts


def _run(settings: Settings, nodes: Backend, folder: Path) -> Matrix:
    """Runs it; when it is interrupted, what was done until then is written first."""
    outcomes = Outcomes()
    started, started_at = datetime.now(UTC), time.monotonic()
    modules = [module for contract in settings.programs for module in contract.modules]
    found = versions(modules)

    def matrix_so_far() -> Matrix:
        return Matrix(
            settings=settings,
            cells=outcomes.cells(settings),
            command=("netlab", *map(shlex.quote, sys.argv[1:])),
            started=started.isoformat(timespec="seconds"),
            seconds=time.monotonic() - started_at,
            versions=found,
            is_complete=outcomes.is_complete,
        )

    try:
        with watching(settings, sys.stderr) as watcher:
            run_matrix(settings, nodes, folder, watcher=watcher, outcomes=outcomes)
    except KeyboardInterrupt:
        write(matrix_so_far(), folder)
        done = sum(len(cell.runs) for cell in outcomes.cells(settings))
        click.echo(f"{done} of {settings.run_count} runs were made, see {folder / PAGE_NAME}", err=True)
        raise
    result = matrix_so_far()
    write(result, folder)
    return result


def _summary(result: Matrix) -> str:
    """A line for each program, and its grid if that is not wider than the terminal."""
    lines: list[str] = []
    has_grid = False
    for program in result.settings.programs:
        counts = summary_of(result, program.name)
        verdicts = ", ".join(f"{counts[v.value]} {v.value}" for v in Verdict if counts[v.value])
        times = counts["elapsed"]
        timed = f"; median {seconds_text(times['median'])}, 95% {seconds_text(times['p95'])}" if times else ""
        lines.append(f"{program.name}: {counts['direct']} of {counts['runs']} direct ({verdicts}){timed}")
        shown = columns([tuple(row) for row in grid(result, program.name)])
        if max(map(len, shown)) <= shutil.get_terminal_size().columns:
            lines += [*shown, ""]
            has_grid = True
    if has_grid:
        lines += [_LEGEND, ""]
    return "\n".join([*lines, f"{result.settings.run_count} runs in {result.seconds:.0f} s"])
