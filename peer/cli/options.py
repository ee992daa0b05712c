"""The options that several commands take, and how what was typed becomes a value or one clear line."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import click

from natcore.control.messages import ID_PATTERN
from natcore.errors import DecodeError
from peer.server_address import ServerAddress
from peer.trace import Trace

ID_RULE = "1 to 32 of letters, digits, '_', '.' and '-'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What holds for every command."""

    trace: Trace
    debug: bool


T = TypeVar("T")


def parsed_by(parse: Callable[[str], T]) -> Callable[[click.Context, click.Parameter, str | None], T | None]:
    """A click callback that turns an option's text into its value, or into one clear line."""

    def callback(ctx: click.Context, param: click.Parameter, value: str | None) -> T | None:
        try:
            return None if value is None else parse(value)
        except DecodeError as exc:
            raise click.BadParameter(str(exc), ctx, param) from None

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
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
