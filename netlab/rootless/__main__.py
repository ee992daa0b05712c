"""Run a program that makes labs, without being root: ``python -m netlab.rootless PROGRAM ARGUMENT...``."""

from __future__ import annotations

import sys

from netlab.interrupts import interrupts_deferred, until_interrupted


def main() -> None:
    """Becomes the program, whose exit code is then ours; without it, those of ``netlab`` are."""
    if len(sys.argv) < 2:
        print("usage: python -m netlab.rootless PROGRAM ARGUMENT...", file=sys.stderr)
        sys.exit(2)
    until_interrupted(_run)


def _run() -> None:
    with interrupts_deferred():  # in the midst of an import an interrupt may come out as any other error
        from netlab.cli.exit_codes import exit_code_of
        from netlab.complaint import complaint
        from netlab.errors import LabError
        from netlab.rootless.program import become
    try:
        become(sys.argv[1:])
    except (LabError, OSError) as problem:
        print(f"netlab: {complaint(problem)}", file=sys.stderr)
        sys.exit(exit_code_of(problem))


if __name__ == "__main__":
    main()
