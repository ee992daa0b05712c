"""How the server's process ends."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The table of exit codes."""

    OK = 0
    """Stopped by SIGTERM or SIGINT, after everybody was told."""
    INTERNAL_ERROR = 1
    """A mistake in the program; ``--debug`` shows where."""
    USAGE = 2
    """The command line is wrong (click's own number)."""
    PORT_IN_USE = 3
    """Another program has the TCP or the UDP port."""
    CANNOT_LISTEN = 4
    """The host is no address of this machine, or the port needs more rights."""
