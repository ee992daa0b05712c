"""What the server says to its operator when it cannot start."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from natcore.errors import RendezvousError
from rendezvous.exit_codes import ExitCode


class CannotListen(RendezvousError):
    """The TCP or the UDP socket could not be opened.

    Attributes:
        exit_code: how the process ends.
        host: where the server was to listen.
        port: the number of both ports.
        reason: why not, in a few words.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.CANNOT_LISTEN

    def __init__(self, *, host: str, port: int, reason: str) -> None:
        self.host = host
        self.port = port
        self.reason = reason
        super().__init__(host, port, reason)

    def __str__(self) -> str:
        return f"cannot listen on {self.host} port {self.port}: {self.reason}; choose another with --host"


class PortInUse(CannotListen):
    """Another socket has the port."""

    exit_code = ExitCode.PORT_IN_USE

    def __init__(self, *, host: str, port: int) -> None:
        super().__init__(host=host, port=port, reason="it is in use")

    def __str__(self) -> str:
        return f"port {self.port} on {self.host} is in use; choose another with --port"


class AlternateRefused(RendezvousError):
    """A second address or port cannot serve behaviour discovery.

    Attributes:
        exit_code: how the process ends.
        what: the address or port.
        reason: why not, in a few words.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.CANNOT_LISTEN

    def __init__(self, *, what: str, reason: str) -> None:
        self.what = what
        self.reason = reason
        super().__init__(what, reason)

    def __str__(self) -> str:
        return (
            f"cannot use {self.what} as the alternate: {self.reason}; "
            "choose another with --alternate-ip, --alternate-server or --alternate-port"
        )


class UnusableKey(RendezvousError):
    """The file with the shared secret has none that can be used.

    Attributes:
        exit_code: how the process ends.
        path: of the file.
        reason: why not, in a few words.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE

    def __init__(self, *, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(path, reason)

    def __str__(self) -> str:
        return f"cannot use the key in {self.path}: {self.reason}"
