"""What the registry asks its shell to do: a closed set, carried out in order.

The shell decides nothing. A command that names a connection which has gone meanwhile is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

from natcore.address import TransportAddress
from natcore.control.messages import Announcement, ServerMessage

ConnectionId = NewType("ConnectionId", int)
"""The shell's name for one TCP connection; never used again after the connection is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendControl:
    """Write one message to one connection."""

    connection: ConnectionId
    message: ServerMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Broadcast:
    """Encode one message once and write the same bytes to all these connections."""

    connections: tuple[ConnectionId, ...]
    message: Announcement


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseControl:
    """Write what is waiting, then close. The registry has forgotten the connection already.

    Attributes:
        reason: for the log.
    """

    connection: ConnectionId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendDatagram:
    """Send one datagram from the local address ``base``."""

    data: bytes
    destination: TransportAddress
    base: TransportAddress


@dataclass(frozen=True, slots=True)
class Report:
    """One line for the operator's standard output."""

    line: str


Command = SendControl | Broadcast | CloseControl | SendDatagram | Report
