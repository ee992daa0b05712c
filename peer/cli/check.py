"""``peer check``: what the NAT in front of this host does, whom that reaches, and what to change."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from natcore.discovery import LifetimeConfig, LifetimeProgress
from natcore.errors import PeerError
from peer.check.report import CheckReport
from peer.check.run import CheckOptions, check
from peer.check.servers import parse_stun_server
from peer.check.show import changes, progress_text, show
from peer.cli.options import Options, as_json_option, parsed_each_by
from peer.cli.running import run
from peer.exit_codes import ExitCode
from peer.server_address import ServerAddress

BAR_INTERVAL = 0.25
"""Seconds between two steps of the progress bar."""

WATCH_INTERVAL = 30.0
"""Seconds between two checks of ``--watch``; each sends some 50 packets."""


@click.command("check")
@click.option(
    "--server",
    "servers",
    metavar="[stun:]HOST[:PORT]",
    multiple=True,
    required=True,
    callback=parsed_each_by(parse_stun_server),
    help="A rendezvous server, or any STUN server with stun: before it; may be repeated.",
)
@click.option("--lifetime", is_flag=True, help="Measure how long an idle mapping lives, too; takes minutes.")
@click.option(
    "--max-lifetime",
    type=click.FloatRange(1, 3600),
    default=LifetimeConfig().limit,
    show_default=True,
    help="Seconds of silence that --lifetime tries at most.",
)
@click.option("--no-gateway", is_flag=True, help="Do not ask the gateway for port mapping.")
@click.option("--evidence", is_flag=True, help="Show what each value was concluded from.")
@click.option("--watch", is_flag=True, help="Check again and again, and tell what changes; ctrl-C ends it.")
@click.option(
    "--interval",
    type=click.FloatRange(2, 86400),
    default=WATCH_INTERVAL,
    show_default=True,
    help="Seconds between two checks of --watch.",
)
@as_json_option
@click.pass_obj
def check_command(
    options: Options,
    servers: tuple[ServerAddress, ...],
    lifetime: bool,
    max_lifetime: float,
    no_gateway: bool,
    evidence: bool,
    watch: bool,
    interval: float,
    as_json: bool,
) -> None:
    """Show what your NAT does, whom you can reach, and what to change.

    With --json the report is one object; with --watch as well, one a line for each check.
    """
    wanted = CheckOptions(
        servers=servers,
        ask_gateway=not no_gateway,
        lifetime=LifetimeConfig(limit=max_lifetime) if lifetime else None,
    )
    screen = _Screen(as_json=as_json, with_evidence=evidence)

    async def work() -> ExitCode:
        if watch:
            await _watch(wanted, screen, interval)
        report = await _check_once(wanted, is_shown=lifetime and not as_json)
        screen.show(report)
        return ExitCode.OK if report.is_conclusive else ExitCode.SERVER_UNREACHABLE

    def on_error(error: PeerError) -> None:
        click.echo(f"peer: {error}", err=True)

    sys.exit(run(options, work(), on_error=on_error))


class _Console(Console):
    """Lets a reader that has gone be the end of the command, as for every other output of ours."""

    def on_broken_pipe(self) -> None:
        """Rich would exit with 1."""
        raise BrokenPipeError


class _Screen:
    """Where reports go: a terminal, a pipe, or JSON."""

    def __init__(self, *, as_json: bool, with_evidence: bool) -> None:
        self._as_json = as_json
        self._with_evidence = with_evidence
        self._last: CheckReport | None = None
        self._console = _Console(highlight=False)

    def show(self, report: CheckReport) -> None:
        if self._as_json:
            click.echo(report.to_json())
        elif self._last is None:
            show(report, self._console, with_evidence=self._with_evidence)
        else:
            for line in changes(self._last, report):
                click.echo(f"{datetime.now().astimezone():%H:%M:%S} {line}")
        self._last = report


async def _watch(wanted: CheckOptions, screen: _Screen, interval: float) -> None:
    """Checks until it is cancelled; a server that is gone for a while is said and asked again."""
    while True:
        try:
            screen.show(await check(wanted))
        except PeerError as exc:
            click.echo(f"peer: {exc}; trying again", err=True)
        await asyncio.sleep(interval)


async def _check_once(wanted: CheckOptions, *, is_shown: bool) -> CheckReport:
    """One check, with a progress bar on standard error where it takes minutes and somebody watches."""
    if not is_shown:
        return await check(wanted)
    loop = asyncio.get_running_loop()
    started_at = loop.time()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(elapsed_when_finished=True))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("mapping lifetime", total=None)

        def tell(progress: LifetimeProgress) -> None:
            bar.update(task, description=progress_text(progress), total=progress.expected)

        async def tick() -> None:
            while True:
                bar.update(task, completed=loop.time() - started_at)
                await asyncio.sleep(BAR_INTERVAL)

        ticking = asyncio.create_task(tick())
        try:
            return await check(wanted, progress=tell)
        finally:
            ticking.cancel()
