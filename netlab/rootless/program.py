"""Becoming another program, as root of one's own world."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from netlab.errors import UsageProblem
from netlab.rootless.world import enter


class ProgramNotFound(UsageProblem):
    """There is no such program; the text is its name."""

    def __str__(self) -> str:
        return f"{self.args[0]}: no such program"


def become(argv: Sequence[str]) -> NoReturn:
    """Goes on as another program, which can make labs: as root, or as root of the user's own world.

    A bare name means first of all a program of the environment that netlab itself runs from.

    Raises:
        EnvironmentProblem: the user cannot be root here.
        ProgramNotFound: there is no such program.
    """
    enter(with_children=True)
    ours = Path(sys.executable).parent / argv[0]
    program = str(ours) if os.sep not in argv[0] and ours.exists() else argv[0]
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and what is ignored stays so
    try:
        os.execvp(program, [program, *argv[1:]])
    except FileNotFoundError:
        raise ProgramNotFound(argv[0]) from None
