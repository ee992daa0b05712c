"""Runs a command's coroutine to its exit code, and prints what it found."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import click

from natcore.errors import PeerError
from peer.cli.options import Options
from peer.exit_codes import ExitCode
from peer.report import Report
from peer.text import printable
from peer.why import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How reports are printed.

    Attributes:
        as_json: as one object on one line, else for people.
        explains: with what was seen and what would help.
    """

    as_json: bool
    explains: bool


def print_report(report: Report, style: Style) -> None:
    """Prints a report on standard output: one line, and for people the explanation below it."""
    report = report if style.explains else report.without_explanation()
    if style.as_json:
        click.echo(report.to_json())
        return
    click.echo(report.to_text())
    print_explanation(report)


def print_explanation(report: Report) -> None:
    """Prints its sentences, one a line."""
    for sentence in report.explanation or ():
        click.echo(f"  {sentence}")


def failure_printer(
    peer: str | None, style: Style, *, evidence: Callable[[PeerError], Evidence | None]
) -> Callable[[PeerError], None]:
    """What tells a failure: one line on standard error; the report or the explanation on standard output."""

    def show(error: PeerError) -> None:
        report = Report.failed(peer, error, evidence(error))
        if style.as_json:
            print_report(report, style)
        click.echo(f"peer: {printable(str(error))}", err=True)
        if style.explains and not style.as_json:
            print_explanation(report)

    return show


def _show_error(error: PeerError) -> None:
    click.echo(f"peer: {printable(str(error))}", err=True)


def run(
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
