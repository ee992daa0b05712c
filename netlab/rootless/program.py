"""Becoming another program, as root of one's own world."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from netlab.program import become_program, find_program
from netlab.rootless.world import enter


def become(argv: Sequence[str]) -> NoReturn:
    """Goes on as another program, which can make labs: as root, or as root of the user's own world.

    Raises:
        EnvironmentProblem: the user cannot be root here.
        ProgramNotFound: there is no such program.
    """
    enter(with_children=True)
    become_program([find_program(argv[0]), *argv[1:]])
