"""Runs a command's coroutine to its exit code, and prints what it found."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

import click

from natcore.errors import PeerError
from peer.cli.options import Options
from peer.exit_codes import ExitCode
from peer.report import Report
from peer.text import printable


def print_report(report: Report, *, as_json: bool) -> None:
    """Prints a report on standard output, one line either way."""
    click.echo(report.to_json() if as_json else report.to_text())


def failure_printer(peer: str | None, *, as_json: bool) -> Callable[[PeerError], None]:
    """What tells a failure: one line on standard error, and the report on standard output for JSON."""

    def show(error: PeerError) -> None:
        if as_json:
            print_report(Report.failed(peer, error), as_json=True)
        click.echo(f"peer: {printable(str(error))}", err=True)

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
