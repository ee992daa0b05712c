"""Programs of this machine: which one a command means, and how to go on as it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import NoReturn

from netlab.errors import UsageProblem


class ProgramNotFound(UsageProblem):
    """There is no such program.

    Attributes:
        name: what was asked for.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)

    def __str__(self) -> str:
        return f"{self.name}: no such program"


class ProgramNotRunnable(ProgramNotFound):
    """What is there is no program."""

    def __str__(self) -> str:
        return f"{self.name}: not a program that can be run"


def find_program(name: str) -> str:
    """What to run for a name; a bare one is first of all a program of the environment that netlab runs from.

    Raises:
        ProgramNotFound: there is none.
        ProgramNotRunnable: it is a folder, or a file that may not be run.
    """
    ours = Path(sys.executable).parent / name
    if os.sep not in name and name and ours.exists():
        return str(ours)
    if shutil.which(name) is None:
        raise ProgramNotRunnable(name) if os.sep in name and Path(name).exists() else ProgramNotFound(name)
    return name


def become_program(command: list[str]) -> NoReturn:
    """Goes on as another program, with what was written until now written.

    Raises:
        ProgramNotRunnable: the kernel refuses to run it.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed by whoever started us
            stream.flush()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and what is ignored stays so
    try:
        os.execvp(command[0], command)
    except OSError:
        raise ProgramNotRunnable(command[0]) from None
