"""What the peer library says to its user, and the exit code that a program ends with for it.

::

    natcore.errors.PeerError
    +-- UnknownInterface      this machine has no network interface of that name
    +-- ServerUnreachable     no rendezvous server there, or none that makes sense
    +-- RegistrationFailed    the server does not take the id
    +-- PeerUnavailable       the server does not introduce us: unknown, Asleep, asked too fast
    +-- AwakeFailed           the server does not see our datagrams: UDP is blocked
    +-- NoPath                introduced, but no datagram finds a way
    +-- ChannelClosed         the channel is closed and cannot be used any more
    +-- MappingFailed         no gateway forwards a port for us
    +-- Undelivered           the peer has not confirmed a message; it may or may not have it
"""

from __future__ import annotations

from collections.abc import Sequence

from natcore.control.messages import FaultCode
from natcore.errors import PeerError
from peer.exit_codes import ExitCode


class UnknownInterface(PeerError):
    """This machine has no network interface of that name.

    Attributes:
        name: as it was asked for.
        known: the names of those that there are.
    """

    exit_code = ExitCode.USAGE

    def __init__(self, *, name: str, known: Sequence[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(name, self.known)

    def __str__(self) -> str:
        return f"interface {self.name!a}: there is none of that name; there are {', '.join(self.known)}"


class ServerUnreachable(PeerError):
    """No connection to a rendezvous server.

    Attributes:
        server: as the user named it.
        detail: what went wrong.
    """

    exit_code = ExitCode.SERVER_UNREACHABLE

    def __init__(self, *, server: str, detail: str) -> None:
        self.server = server
        self.detail = detail
        super().__init__(server, detail)

    def __str__(self) -> str:
        return f"cannot use the server {self.server}: {self.detail}"


class RegistrationFailed(PeerError):
    """The server did not take our id.

    Attributes:
        client_id: the id.
        code: why, for programs.
        reason: why, for people.
    """

    exit_code = ExitCode.REGISTRATION_REFUSED

    def __init__(self, *, client_id: str, code: FaultCode, reason: str) -> None:
        self.client_id = client_id
        self.code = code
        self.reason = reason
        super().__init__(client_id, code, reason)

    def __str__(self) -> str:
        return f"cannot register as {self.client_id}: {self.reason}"


class PeerUnavailable(PeerError):
    """The server did not introduce us to the peer.

    Attributes:
        peer: its id.
        code: why, for programs.
        reason: why, for people.
    """

    exit_code = ExitCode.PEER_UNAVAILABLE

    def __init__(self, *, peer: str, code: FaultCode, reason: str) -> None:
        self.peer = peer
        self.code = code
        self.reason = reason
        super().__init__(peer, code, reason)

    def __str__(self) -> str:
        return f"cannot reach {self.peer}: {self.reason}"


class AwakeFailed(PeerError):
    """The server has not observed us.

    Attributes:
        detail: what was tried.
    """

    exit_code = ExitCode.NOT_AWAKE

    def __init__(self, *, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)

    def __str__(self) -> str:
        return f"cannot wake: {self.detail}; UDP to the server may be blocked"


class NoPath(PeerError):
    """No direct path to the peer was found, or it was lost.

    Attributes:
        peer: its id.
        reason: what this side observed.
        detail: the evidence.
        packets_sent: datagrams of all kinds that we sent for it.
    """

    exit_code = ExitCode.NO_PATH

    def __init__(self, *, peer: str, reason: str, detail: str, packets_sent: int) -> None:
        self.peer = peer
        self.reason = reason
        self.detail = detail
        self.packets_sent = packets_sent
        super().__init__(peer, reason, detail, packets_sent)

    def __str__(self) -> str:
        return f"no direct path to {self.peer}: {self.reason} ({self.detail})"


class ChannelClosed(PeerError):
    """The channel is closed.

    Attributes:
        peer: the id of the other side.
        detail: who closed it, or why it ended.
    """

    exit_code = ExitCode.NO_PATH

    def __init__(self, *, peer: str, detail: str) -> None:
        self.peer = peer
        self.detail = detail
        super().__init__(peer, detail)

    def __str__(self) -> str:
        return f"the channel with {self.peer} is closed: {self.detail}"


class Undelivered(PeerError):
    """The peer has not confirmed a message.

    Attributes:
        peer: the id of the other side.
    """

    exit_code = ExitCode.NO_PATH

    def __init__(self, *, peer: str) -> None:
        self.peer = peer
        super().__init__(peer)

    def __str__(self) -> str:
        return f"{self.peer} has not confirmed it, but may have it"


class MappingFailed(PeerError):
    """There is no port mapping.

    Attributes:
        reason: a clause for people, in our own words.
    """

    exit_code = ExitCode.NO_MAPPING

    def __init__(self, *, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        advice = "switch PCP, NAT-PMP or UPnP on in the gateway, or forward it by hand"
        return f"no port mapping: {self.reason}; {advice}"
