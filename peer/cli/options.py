"""The options that several commands take, and how what was typed becomes a value or one clear line."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from natcore.control.messages import ID_PATTERN
from natcore.errors import DecodeError
from natcore.portmap import MappingProtocol
from peer.portmapping.race import ALL_PROTOCOLS
from peer.server_address import ServerAddress
from peer.trace import Trace

ID_RULE = "1 to 32 of letters, digits, '_', '.' and '-'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What holds for every command."""

    trace: Trace
    debug: bool


T = TypeVar("T")
FC = TypeVar("FC", bound=Callable[..., Any])
"""A command, or the function that becomes one."""


def parsed_by(parse: Callable[[str], T]) -> Callable[[click.Context, click.Parameter, str | None], T | None]:
    """A click callback that turns an option's text into its value, or into one clear line."""

    def callback(ctx: click.Context, param: click.Parameter, value: str | None) -> T | None:
        try:
            return None if value is None else parse(value)
        except DecodeError as exc:
            raise click.BadParameter(str(exc), ctx, param) from None

    return callback


def parsed_each_by(
    parse: Callable[[str], T],
) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], tuple[T, ...]]:
    """The same for an option that may be repeated."""
    one = parsed_by(parse)

    def callback(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[T, ...]:
        parsed = (one(ctx, param, value) for value in values)
        return tuple(value for value in parsed if value is not None)

    return callback


def parse_id(text: str) -> str:
    """The id that somebody typed.

    Raises:
        DecodeError: it is none.
    """
    if not re.match(ID_PATTERN, text.strip()):
        raise DecodeError("id", got=ascii(text[:40]), expected=ID_RULE)
    return text.strip()


own_id = click.option(
    "--id", "client_id", metavar="ID", required=True, callback=parsed_by(parse_id), help="Your id."
)
server_option = click.option(
    "--server",
    metavar="HOST[:PORT]",
    required=True,
    callback=parsed_by(ServerAddress.parse),
    help="The rendezvous server.",
)
explain_option = click.option(
    "--explain", "explains", is_flag=True, help="Say why, with what was seen and what would help."
)
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def parse_protocols(text: str) -> tuple[MappingProtocol, ...]:
    """The protocols of port mapping that ``auto`` or the name of one stands for."""
    return ALL_PROTOCOLS if text == "auto" else (MappingProtocol(text),)


def protocol_option(name: str, *, hidden: bool = False) -> Callable[[FC], FC]:
    """Chooses how a gateway is asked for a port."""
    return click.option(
        name,
        "protocols",
        type=click.Choice(["auto", *(one.value for one in MappingProtocol)]),
        callback=lambda ctx, param, value: parse_protocols(value),
        default="auto",
        show_default=True,
        hidden=hidden,
        help="How the gateway is asked.",
    )


interface_option = click.option(
    "--interface",
    "interfaces",
    metavar="NAME",
    multiple=True,
    help="Use this network interface, and no other; may be repeated. Default: all but those of containers, "
    "virtual machines and VPNs.",
)


def port_mapping_options(command: FC) -> FC:
    """What a command of a node takes about port mapping."""
    command = protocol_option("--port-mapping-protocol", hidden=True)(command)
    return click.option(
        "--port-mapping/--no-port-mapping",
        default=True,
        show_default=True,
        help="Ask the gateway (UPnP, NAT-PMP, PCP) to forward our port.",
    )(command)
