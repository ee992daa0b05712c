"""The ``peer`` program: ``chat``, ``connect``, ``listen``, ``check`` and ``map``.

Results go to standard output, logs to standard error. Exit codes are those of :mod:`peer.exit_codes`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import IO, NoReturn, TypeVar

import click

from natcore.channel import MAX_PAYLOAD_SIZE, SessionConfig
from natcore.endpoint import EndpointConfig
from natcore.errors import DecodeError, PeerError
from natcore.ice import IceConfig
from natcore.portmap import MappingProtocol
from peer import oneshot
from peer.chat import COMMANDS, Chat
from peer.cli.check import check_command
from peer.cli.map import map_group
from peer.cli.options import (
    Options,
    as_json_option,
    explain_option,
    interface_option,
    own_id,
    parse_id,
    parsed_by,
    port_mapping_options,
    server_option,
)
from peer.cli.running import Style, failure_printer, print_report, run
from peer.console import Console, open_console
from peer.exit_codes import ExitCode
from peer.node import Node, NodeConfig
from peer.portmapping import MapperConfig
from peer.server_address import ServerAddress
from peer.trace import Trace
from peer.why import Evidence

T = TypeVar("T")

EXIT_CODES = """\b
Exit codes:
  0    done
  1    no direct path, or the message was not confirmed
  2    wrong usage
  3    no usable server
  4    the server refuses the id
  5    the peer is unknown or Asleep
  6    the server does not see our datagrams
  7    no gateway forwards a port
  130  interrupted (a chat that is interrupted has simply ended: 0)
"""


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
    "--id", "client_id", metavar="ID", callback=parsed_by(parse_id), help="Your id; asked for when missing."
)
@click.option(
    "--server",
    metavar="HOST[:PORT]",
    callback=parsed_by(ServerAddress.parse),
    help="The rendezvous server; asked for when missing.",
)
@interface_option
@port_mapping_options
@click.pass_obj
def chat(
    options: Options,
    client_id: str | None,
    server: ServerAddress | None,
    interfaces: tuple[str, ...],
    port_mapping: bool,
    protocols: tuple[MappingProtocol, ...],
) -> None:
    """Chat with whoever is registered at a server."""
    config = _config(interfaces, port_mapping, protocols)
    code = run(options, _chat(options, client_id, server, config))
    sys.exit(ExitCode.OK if code is ExitCode.INTERRUPTED else code)


@cli.command()
@click.argument("peer", callback=parsed_by(parse_id))
@own_id
@server_option
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
@interface_option
@port_mapping_options
@explain_option
@as_json_option
@click.pass_obj
def connect(
    options: Options,
    peer: str,
    client_id: str,
    server: ServerAddress,
    message: str | None,
    timeout: float,
    wait: float,
    interfaces: tuple[str, ...],
    port_mapping: bool,
    protocols: tuple[MappingProtocol, ...],
    explains: bool,
    as_json: bool,
) -> None:
    """Open a direct channel to PEER, deliver a message, report how."""
    if message is not None and len(message.encode()) > MAX_PAYLOAD_SIZE:
        raise click.BadParameter(
            f"got {len(message.encode())} bytes, expected at most {MAX_PAYLOAD_SIZE}", param_hint="--message"
        )

    config = _config(interfaces, port_mapping, protocols, give_up_after=timeout)
    style = Style(as_json=as_json, explains=explains)
    node = Node(client_id, server, config=config, trace=options.trace)

    async def attempt() -> ExitCode:
        async with node:
            report = await oneshot.connect(node, peer, message=message, timeout=timeout + 1, wait=wait)
        print_report(report, style)
        return ExitCode.OK if report.reason is None else ExitCode.NO_PATH

    def evidence(error: PeerError) -> Evidence:
        known = node.evidence(peer) or Evidence(peer=peer, own_nat=node.nat)
        return replace(known, error=error)

    sys.exit(run(options, attempt(), on_error=failure_printer(peer, style, evidence=evidence)))


@cli.command()
@own_id
@server_option
@click.option("--once", is_flag=True, help="End after the first peer.")
@interface_option
@port_mapping_options
@explain_option
@as_json_option
@click.pass_obj
def listen(
    options: Options,
    client_id: str,
    server: ServerAddress,
    once: bool,
    interfaces: tuple[str, ...],
    port_mapping: bool,
    protocols: tuple[MappingProtocol, ...],
    explains: bool,
    as_json: bool,
) -> None:
    """Wait for peers to connect, report each one and its first message.

    A line on standard error says when they can.
    """
    config = _config(interfaces, port_mapping, protocols)
    style = Style(as_json=as_json, explains=explains)

    async def wait() -> ExitCode:
        async with Node(client_id, server, config=config, trace=options.trace) as node:
            address = await node.awake()
            click.echo(f"listening as {client_id} at {server}; the server sees you at {address}", err=True)
            report = await oneshot.listen(node, once=once, tell=lambda one: print_report(one, style))
        return ExitCode.OK if report is None or report.outcome == "direct" else ExitCode.NO_PATH

    sys.exit(run(options, wait(), on_error=failure_printer(None, style, evidence=lambda _: None)))


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


async def _chat(
    options: Options, client_id: str | None, server: ServerAddress | None, config: NodeConfig
) -> ExitCode:
    async with open_console(list(COMMANDS)) as console:
        client_id = client_id or await _ask(console, "Input Your ID : ", parse_id)
        server = server or await _ask(console, "Input server's IP address : ", ServerAddress.parse)
        if client_id is None or server is None:
            return ExitCode.OK
        async with Node(client_id, server, config=config, trace=options.trace) as node:
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


cli.add_command(check_command)
cli.add_command(map_group)


def _config(
    interfaces: tuple[str, ...],
    port_mapping: bool,
    protocols: tuple[MappingProtocol, ...],
    *,
    give_up_after: float | None = None,
) -> NodeConfig:
    ice = IceConfig() if give_up_after is None else IceConfig(give_up_after=give_up_after)
    return NodeConfig(
        endpoint=EndpointConfig(session=SessionConfig(ice=ice)),
        port_mapping=port_mapping,
        mapper=MapperConfig(protocols=protocols),
        interfaces=interfaces,
    )
