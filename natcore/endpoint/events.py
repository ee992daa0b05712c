"""What a client endpoint tells its owner."""

from __future__ import annotations

from dataclasses import dataclass

from natcore.channel import PeerSession, SessionEvent, TimelineEntry
from natcore.control.messages import ClientChange, FaultCode, Status
from natcore.endpoint.awake import Awoke, WakingFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationConfirmed:
    """The server took our id and sent the list of clients."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationRefused:
    """The server did not take our id, or does not speak our protocol."""

    code: FaultCode
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientsChanged:
    """Something happened to another client; the list shows it already.

    Attributes:
        status: of the client from now on, or None where it is gone.
    """

    change: ClientChange
    status: Status | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStarted:
    """The server introduced us to a peer, because we asked (``early_number`` may be set) or the peer did.

    Attributes:
        session: drive it through the endpoint, look at it freely.
        was_asked: whether this answers our ``connect``.
        early_number: the message number of our early data, or None.
    """

    session: PeerSession
    was_asked: bool
    early_number: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketsWanted:
    """A session needs further sockets; to be answered by ``open_for``.

    Attributes:
        count: how many, of the address of the endpoint's ``base``.
    """

    session: PeerSession
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectFailed:
    """The server did not introduce us.

    Attributes:
        target: whom we asked for.
        code: why, for programs.
        reason: why, for people; the server's untrusted text.
    """

    target: str
    code: FaultCode
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEventOccurred:
    """Something happened in one session."""

    session: PeerSession
    event: SessionEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionNoted:
    """A session's timeline has a further entry; for a record of it, and for nothing else."""

    session: PeerSession
    entry: TimelineEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLeaving:
    """The server is about to close the connection, for the reason it gives (untrusted text)."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultReceived:
    """The server turned down something that we sent; a defect of ours or of the server's."""

    code: FaultCode
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionUnusable:
    """The TCP connection is to be closed: what came over it is no rendezvous protocol, or nothing came."""

    reason: str


EndpointEvent = (
    RegistrationConfirmed
    | RegistrationRefused
    | ClientsChanged
    | Awoke
    | WakingFailed
    | SessionStarted
    | SocketsWanted
    | ConnectFailed
    | SessionEventOccurred
    | SessionNoted
    | ServerLeaving
    | FaultReceived
    | ConnectionUnusable
)
