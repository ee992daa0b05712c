"""What a node tells whoever listens to it: about other clients, itself, and the connection to the server."""

from __future__ import annotations

from dataclasses import dataclass

from natcore.endpoint import Awoke, ClientsChanged, WakingFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLost:
    """The connection to the server is gone; the node tries again in ``retry_in`` seconds."""

    reason: str
    retry_in: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerBack:
    """The node is registered again, and Awake if it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRefuses:
    """The server is there again, but does not take our id any more."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PathLost:
    """A channel with a peer has no path any more; another is looked for, and what is sent waits."""

    peer: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PathFound:
    """There is a path again for a channel that had lost its own."""

    peer: str


NodeEvent = (
    ClientsChanged | Awoke | WakingFailed | ServerLost | ServerBack | ServerRefuses | PathLost | PathFound
)
