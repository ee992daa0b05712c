"""The ``peer`` program: ``chat``, ``connect`` and ``listen``.

Results go to standard output, logs to standard error. Exit codes are those of :mod:`peer.exit_codes`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import IO, Any, NoReturn, TypeVar

import click

from natcore.channel import MAX_PAYLOAD_SIZE, SessionConfig
from natcore.control.messages import ID_PATTERN
from natcore.endpoint import EndpointConfig
from natcore.errors import DecodeError, PeerError
from natcore.ice import IceConfig
from peer import oneshot
from peer.chat import COMMANDS, Chat
from peer.console import Console, open_console
from peer.exit_codes import ExitCode
from peer.node import Node, NodeConfig
from peer.report import Report
from peer.server_address import ServerAddress
from peer.text import printable
from peer.trace import Trace

ID_RULE = "1 to 32 of letters, digits, '_', '.' and '-'"

EXIT_CODES = """\b
Exit codes:
  0    done
  1    no direct path, or the message was not confirmed
  2    wrong usage
  3    no usable server
  4    the server refuses the id
  5    the peer is unknown or Asleep
  6    the server does not see our datagrams
  130  interrupted (a chat that is interrupted has simply ended: 0)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What holds for every command."""

    trace: Trace
    debug: bool


T = TypeVar("T")


def _parsed_by(parse: Callable[[str], T]) -> Callable[[click.Context, click.Parameter, str | None], T | None]:
    """A click callback that turns an option's text into its value, or into one clear line."""

    def callback(ctx: click.Context, param: click.Parameter, value: str | None) -> T | None:
        try:
            return None if value is None else parse(value)
        except DecodeError as exc:
            raise click.BadParameter(str(exc), ctx, param) from None

    return callback


def _parse_id(text: str) -> str:
    if not re.match(ID_PATTERN, text.strip()):
        raise DecodeError("id", got=ascii(text[:40]), expected=ID_RULE)
    return text.strip()


_id = click.option(
    "--id", "client_id", metavar="ID", required=True, callback=_parsed_by(_parse_id), help="Your id."
)
_server = click.option(
    "--server",
    metavar="HOST[:PORT]",
    required=True,
    callback=_parsed_by(ServerAddress.parse),
    help="The rendezvous server.",
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--log-level",
    default="warning",
    show_default=True,
    help="Of the log on standard error.",
    type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
)
@click.option("--trace", "trace_file", type=click.File("wb", lazy=False), help="Record events as JSON lines.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.version_option(package_name="nat-traversal-toolkit", prog_name="peer")
@click.pass_context
def cli(ctx: click.Context, log_level: str, trace_file: IO[bytes] | None, debug: bool) -> None:
    """Talk to a peer directly, from behind NATs."""
    logging.basicConfig(level=log_level.upper(), stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")
    ctx.obj = Options(trace=Trace(trace_file), debug=debug)


@cli.command()
@click.option(
    "--id", "client_id", metavar="ID", callback=_parsed_by(_parse_id), help="Your id; asked for when missing."
)
@click.option(
    "--server",
    metavar="HOST[:PORT]",
    callback=_parsed_by(ServerAddress.parse),
    help="The rendezvous server; asked for when missing.",
)
@click.pass_obj
def chat(options: Options, client_id: str | None, server: ServerAddress | None) -> None:
    """Chat with whoever is registered at a server."""
    code = _run(options, _chat(options, client_id, server))
    sys.exit(ExitCode.OK if code is ExitCode.INTERRUPTED else code)


@cli.command()
@click.argument("peer", callback=_parsed_by(_parse_id))
@_id
@_server
@click.option("--message", help="Deliver this text.")
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 3600),
    default=10.0,
    show_default=True,
    help="Seconds for the attempt.",
)
@click.option(
    "--wait",
    type=click.FloatRange(0, 86400),
    default=0.0,
    show_default=True,
    help="Seconds to wait for the peer to be Awake first.",
)
@_as_json
@click.pass_obj
def connect(
    options: Options,
    peer: str,
    client_id: str,
    server: ServerAddress,
    message: str | None,
    timeout: float,
    wait: float,
    as_json: bool,
) -> None:
    """Open a direct channel to PEER, deliver a message, report how."""
    if message is not None and len(message.encode()) > MAX_PAYLOAD_SIZE:
        raise click.BadParameter(
            f"got {len(message.encode())} bytes, expected at most {MAX_PAYLOAD_SIZE}", param_hint="--message"
        )

    async def attempt() -> ExitCode:
        async with Node(client_id, server, config=_config(timeout), trace=options.trace) as node:
            report = await oneshot.connect(node, peer, message=message, timeout=timeout + 1, wait=wait)
        _print(report, as_json=as_json)
        return ExitCode.OK if report.reason is None else ExitCode.NO_PATH

    sys.exit(_run(options, attempt(), on_error=_failure_printer(peer, as_json=as_json)))


@cli.command()
@_id
@_server
@click.option("--once", is_flag=True, help="End after the first peer.")
@_as_json
@click.pass_obj
def listen(options: Options, client_id: str, server: ServerAddress, once: bool, as_json: bool) -> None:
    """Wait for peers to connect, report each one and its first message."""

    async def wait() -> ExitCode:
        async with Node(client_id, server, trace=options.trace) as node:
            report = await oneshot.listen(node, once=once, tell=lambda one: _print(one, as_json=as_json))
        return ExitCode.OK if report is None or report.outcome == "direct" else ExitCode.NO_PATH

    sys.exit(_run(options, wait(), on_error=_failure_printer(None, as_json=as_json)))


def main() -> NoReturn:
    """The program ``peer``: wrong usage is one clear line, and exit codes are from one table."""
    try:
        cli.main(prog_name="peer", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as problem:
        problem.show()
        sys.exit(ExitCode.USAGE)
    except click.ClickException as problem:
        click.echo(f"peer: {problem.format_message()}", err=True)
        sys.exit(ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(ExitCode.INTERRUPTED)
    sys.exit(ExitCode.OK)


async def _chat(options: Options, client_id: str | None, server: ServerAddress | None) -> ExitCode:
    async with open_console(list(COMMANDS)) as console:
        client_id = client_id or await _ask(console, "Input Your ID : ", _parse_id)
        server = server or await _ask(console, "Input server's IP address : ", ServerAddress.parse)
        if client_id is None or server is None:
            return ExitCode.OK
        async with Node(client_id, server, trace=options.trace) as node:
            await Chat(node, console).run()
    return ExitCode.OK


async def _ask(console: Console, question: str, parse: Callable[[str], T]) -> T | None:
    """Asks until the answer can be understood, or the input ends."""
    while True:
        answer = await console.ask(question)
        if answer is None:
            return None
        try:
            return parse(answer)
        except DecodeError as exc:
            console.show(str(exc))


def _config(give_up_after: float) -> NodeConfig:
    ice = IceConfig(give_up_after=give_up_after)
    return NodeConfig(endpoint=EndpointConfig(session=SessionConfig(ice=ice)))


def _print(report: Report, *, as_json: bool) -> None:
    click.echo(report.to_json() if as_json else report.to_text())


def _failure_printer(peer: str | None, *, as_json: bool) -> Callable[[PeerError], None]:
    def show(error: PeerError) -> None:
        if as_json:
            _print(Report.failed(peer, error), as_json=True)
        click.echo(f"peer: {printable(str(error))}", err=True)

    return show


def _show_error(error: PeerError) -> None:
    click.echo(f"peer: {printable(str(error))}", err=True)


def _run(
    options: Options,
    work: Coroutine[Any, Any, ExitCode],
    *,
    on_error: Callable[[PeerError], None] = _show_error,
) -> ExitCode:
    """Runs a command to its exit code; SIGTERM and ctrl-C end it the orderly way."""
    try:
        with asyncio.Runner() as runner:
            return runner.run(_until_terminated(work))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except PeerError as exc:
        if options.debug:
            traceback.print_exc()
        on_error(exc)
        return ExitCode(getattr(exc, "exit_code", ExitCode.NO_PATH))


async def _until_terminated(work: Coroutine[Any, Any, ExitCode]) -> ExitCode:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work
