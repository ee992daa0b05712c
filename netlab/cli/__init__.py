"""The command line: its commands, the values that they take, the text that they print, their exit codes."""

from __future__ import annotations

from netlab.interrupts import interrupts_deferred, until_interrupted


def main() -> None:
    """The program ``netlab``, which can be interrupted from here on."""
    until_interrupted(_run)


def _run() -> None:
    with interrupts_deferred():  # in the midst of an import an interrupt may come out as any other error
        from netlab.cli import commands
    commands.main()
