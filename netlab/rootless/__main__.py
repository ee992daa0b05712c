"""Run a program that can make labs, without being root: ``python -m netlab.rootless PROGRAM ARGUMENT...``."""

from __future__ import annotations

import sys

from netlab.errors import LabError
from netlab.rootless.program import become


def main() -> None:
    """Becomes the program; its exit code is ours."""
    if len(sys.argv) < 2:
        print("usage: python -m netlab.rootless PROGRAM ARGUMENT...", file=sys.stderr)
        sys.exit(2)
    try:
        become(sys.argv[1:])
    except (LabError, OSError) as problem:
        print(f"netlab: {problem}", file=sys.stderr)
        sys.exit(3)


if __name__ == "__main__":
    main()
