"""The command line: options in, reports on standard output, the log on standard error."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import NoReturn

import click

from natcore.address import IPAddress
from natcore.registry import RegistryConfig
from rendezvous.alternates import AlternateOptions
from rendezvous.config import DEFAULT_HOST, DEFAULT_PORT, ServerConfig
from rendezvous.errors import AlternateRefused, CannotListen, UnusableKey
from rendezvous.exit_codes import ExitCode
from rendezvous.key_file import read_key
from rendezvous.server import Server

logger = logging.getLogger(__name__)


class _IpAddress(click.ParamType[IPAddress]):
    """A numeric address."""

    name = "address"

    def convert(
        self, value: str | IPAddress, param: click.Parameter | None, ctx: click.Context | None
    ) -> IPAddress:
        """Reads it, or ends with a clear line."""
        try:
            return ip_address(value)
        except ValueError:
            self.fail(f"{value!r} is not a numeric address", param, ctx)


REFLECTION_RATE = int(RegistryConfig().reflection_rate)
MAX_REFLECTION_RATE = int(RegistryConfig().total_reflection_rate)
REFLECTION_BURST = 4
"""Seconds' worth of it that may come at once: 64 a second are twenty discoveries."""

LOG_LEVELS = ("debug", "info", "warning", "error")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--host", metavar="ADDRESS", default=DEFAULT_HOST, show_default=True, help="Where to listen.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Of TCP and UDP; 0 takes a free one.",
)
@click.option(
    "--alternate-ip",
    "alternate_ips",
    metavar="ADDRESS",
    multiple=True,
    type=_IpAddress(),
    help="This machine's second address, for behaviour discovery (RFC 5780); once for each of IPv4 and IPv6.",
)
@click.option(
    "--alternate-port",
    type=click.IntRange(1, 65535),
    help="The second port, UDP only.  [default: --port + 1, if it is free]",
)
@click.option(
    "--alternate-server",
    metavar="ADDRESS",
    type=_IpAddress(),
    help="Another rendezvous server, on the same two ports: each is the other's alternate address.",
)
@click.option(
    "--alternate-key-file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The secret that the two servers share, 22 characters at least.",
)
@click.option(
    "--reflection-rate",
    type=click.IntRange(1, MAX_REFLECTION_RATE),
    default=REFLECTION_RATE,
    show_default=True,
    help="Answers a second that one address may have from elsewhere than it asked: 12 and more make one "
    "behaviour discovery. Higher where many clients share a carrier's NAT.",
)
@click.option(
    "--log-level",
    type=click.Choice(LOG_LEVELS, case_sensitive=False),
    default="warning",
    show_default=True,
    help="What goes to standard error.",
)
@click.option("--debug", is_flag=True, help="Show tracebacks of errors.")
@click.version_option(package_name="nat-traversal-toolkit", prog_name="rendezvous")
@click.option(
    "--trace",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write one JSON object an event to this file.",
)
def cli(
    host: str,
    port: int,
    alternate_ips: tuple[IPAddress, ...],
    alternate_port: int | None,
    alternate_server: IPAddress | None,
    alternate_key_file: Path | None,
    reflection_rate: int,
    log_level: str,
    debug: bool,
    trace: Path | None,
) -> None:
    """Run the rendezvous server, where peers behind NATs find each other.

    It listens on TCP and UDP, prints what happens to clients, and stops on SIGTERM or Ctrl-C after telling
    everybody.
    """
    logging.basicConfig(
        stream=sys.stderr, level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    if (alternate_server is None) != (alternate_key_file is None):
        raise click.UsageError("--alternate-server and --alternate-key-file need each other")
    if alternate_server is not None and alternate_ips:
        raise click.UsageError("--alternate-server or --alternate-ip, not both: one alternate is enough")
    try:
        key = b"" if alternate_key_file is None else read_key(alternate_key_file)
    except UnusableKey as exc:
        raise click.UsageError(str(exc)) from exc
    alternate = AlternateOptions(
        addresses=alternate_ips, port=alternate_port, server=alternate_server, key=key
    )
    registry = RegistryConfig(
        reflection_rate=reflection_rate, reflection_burst=REFLECTION_BURST * reflection_rate
    )
    config = ServerConfig(host=host, port=port, alternate=alternate, registry=registry, trace=trace)
    sys.exit(run(config, debug=debug))


def main() -> NoReturn:
    """The program ``rendezvous``: wrong usage is one clear line, and exit codes are from one table."""
    try:
        cli.main(prog_name="rendezvous", standalone_mode=False)
    except click.ClickException as problem:
        click.echo(f"rendezvous: {problem.format_message()}", err=True)
        sys.exit(ExitCode.USAGE)
    sys.exit(ExitCode.OK)


def run(config: ServerConfig, *, debug: bool) -> ExitCode:
    """Serves until a signal comes; an error is one line on standard error.

    Args:
        config: what to serve.
        debug: show tracebacks as well.
    """
    _allow_many_files()
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(config, _Output()))
    except (CannotListen, AlternateRefused, OSError) as exc:
        if debug:
            logger.exception("cannot start")
        click.echo(f"rendezvous: {exc}", err=True)
        return ExitCode.INTERNAL_ERROR if isinstance(exc, OSError) else exc.exit_code
    return ExitCode.OK


async def _serve(config: ServerConfig, report: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Server(config, report) as server:
        report(f"server starts on ip : {server.primary_address}")
        report(f"listening on tcp and udp port {server.address.port}")
        report(server.discovery)
        await stop.wait()
        logger.info("x draining")


class _Output:
    """Standard output, a line at a time, also into a pipe. When its reader is gone, serving goes on."""

    def __init__(self) -> None:
        self._is_open = True

    def __call__(self, line: str) -> None:
        if not self._is_open:
            return
        try:
            print(line, flush=True)
        except OSError as exc:
            self._is_open = False
            logger.warning("! standard output: %s", exc)
            # Else the interpreter would complain again when it flushes at exit.
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The loop of uvloop where that is installed, else asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _allow_many_files() -> None:
    """A connection is a file, and the customary soft limit of 1024 is a tenth of ``max_clients``."""
    try:
        import resource
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
