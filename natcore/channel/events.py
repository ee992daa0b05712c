"""What a session tells its owner."""

from __future__ import annotations

from dataclasses import dataclass

from natcore.address import TransportAddress
from natcore.ice import FailureReason, Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfirmed:
    """There is a path."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionMoved:
    """Data takes another path from now on."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionDoubted:
    """The path seems to be broken; the server should introduce the two anew to find another.

    Attributes:
        at: the instant, seconds.
    """

    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLost:
    """There is no path any more, and nothing is sent until another is found; the session waits for one.

    Attributes:
        detail: a clause for people.
    """

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketsReleased:
    """Sockets of a hard attempt that nobody needs any more.

    Attributes:
        bases: which.
    """

    bases: tuple[TransportAddress, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReceived:
    """A datagram or a message of the peer's, authentic and never delivered before."""

    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageConfirmed:
    """The peer has the message of this number."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageUnconfirmed:
    """Whether the peer has the message of this number is not known, and it is not repeated any more."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded:
    """The session is over. Terminal.

    Attributes:
        reason: why there is no path (any more), or None where one of the two sides closed.
        detail: a clause for people.
    """

    reason: FailureReason | None
    detail: str


SessionEvent = (
    SessionConfirmed
    | SessionMoved
    | SessionDoubted
    | SessionLost
    | SocketsReleased
    | DataReceived
    | MessageConfirmed
    | MessageUnconfirmed
    | SessionEnded
)
