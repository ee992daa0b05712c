"""Run a program that makes labs, without being root: ``python -m netlab.rootless PROGRAM ARGUMENT...``."""

from __future__ import annotations

import signal
import sys

from netlab.errors import LabError, UsageProblem
from netlab.interrupts import interrupt_on_sigterm
from netlab.rootless.program import become


def main() -> None:
    """Becomes the program, whose exit code is then ours; without it, those of ``netlab`` are."""
    if len(sys.argv) < 2:
        print("usage: python -m netlab.rootless PROGRAM ARGUMENT...", file=sys.stderr)
        sys.exit(2)
    interrupt_on_sigterm()
    try:
        become(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except (LabError, OSError) as problem:
        print(f"netlab: {problem}", file=sys.stderr)
        sys.exit(2 if isinstance(problem, UsageProblem) else 3)


if __name__ == "__main__":
    main()
