"""What the exit code of ``netlab`` means; ``exec`` and ``rootless`` end with the code of their program."""

from __future__ import annotations

from enum import IntEnum

from netlab.errors import EnvironmentProblem, UsageProblem
from netlab.program import ProgramNotFound, ProgramNotRunnable


class ExitCode(IntEnum):
    """The exit codes.

    ====  =====================================================
    0     done, and every claim held
    1     a lab, a proof or a claim failed
    2     the command line or a name in it is wrong
    3     the machine lacks something: root, a tool, an engine
    126   the program of exec or rootless cannot be run
    127   there is no such program
    130   interrupted, and cleaned up
    ====  =====================================================
    """

    OK = 0
    FAILED = 1
    USAGE = 2
    ENVIRONMENT = 3
    NOT_RUNNABLE = 126
    NOT_FOUND = 127
    INTERRUPTED = 130


_CODES: tuple[tuple[type[BaseException], ExitCode], ...] = (
    (ProgramNotRunnable, ExitCode.NOT_RUNNABLE),
    (ProgramNotFound, ExitCode.NOT_FOUND),
    (UsageProblem, ExitCode.USAGE),
    (EnvironmentProblem, ExitCode.ENVIRONMENT),
    (KeyboardInterrupt, ExitCode.INTERRUPTED),
)


def exit_code_of(error: BaseException) -> ExitCode:
    """The exit code for a command that ended with ``error``."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.FAILED)
