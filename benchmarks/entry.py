"""How a benchmark starts and ends: one clear line for an error, and netlab's exit codes."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from netlab.cli.exit_codes import ExitCode, exit_code_of
from netlab.errors import LabError
from netlab.interrupts import interrupt_on_sigterm


def run_program(program: click.Command, name: str) -> NoReturn:
    """Runs a command to the end of the process; ``name`` is what its complaints begin with."""
    interrupt_on_sigterm()
    try:
        program.main(standalone_mode=False)
    except click.ClickException as problem:
        _end(name, problem.format_message(), ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        _end(name, "interrupted", ExitCode.INTERRUPTED)
    except (LabError, OSError) as problem:
        _end(name, str(problem), exit_code_of(problem))
    except RuntimeError as problem:
        _end(name, str(problem), ExitCode.FAILED)
    sys.exit(ExitCode.OK)


def _end(name: str, complaint: str, code: int) -> NoReturn:
    click.echo(f"{name}: {complaint}", err=True)
    sys.exit(code)
