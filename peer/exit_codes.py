"""How the ``peer`` program ends; the README and ``peer --help`` show the same table."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes."""

    OK = 0
    NO_PATH = 1
    """Introduced, but no direct path, or the message was not confirmed."""
    USAGE = 2
    """Bad options; click's own code for it."""
    SERVER_UNREACHABLE = 3
    REGISTRATION_REFUSED = 4
    """The id is invalid or taken, or the server speaks another version."""
    PEER_UNAVAILABLE = 5
    """Unknown or Asleep."""
    NOT_AWAKE = 6
    """The server does not see our datagrams."""
    NO_MAPPING = 7
    """There is no gateway that forwards ports, or it refuses."""
    INTERRUPTED = 130
    """By ctrl-C or SIGTERM."""
