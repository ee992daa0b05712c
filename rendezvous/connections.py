"""The TCP half of the shell: one connection, its options, its bounded queue. It knows no message.

What waits for a client is bounded in two ways. Above ``max_queue_size`` we stop reading from the client, so
that it cannot ask for more, and give it a while to take what there is: a list of 10,000 clients or the end of
5,000 at once is more than a slow line carries in a moment. If the queue stays that long, or grows to eight
times the size, the client does not read, and is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from natcore.address import TransportAddress
from natcore.registry import ConnectionId

logger = logging.getLogger(__name__)

READ_SIZE = 64 * 1024
"""Bytes taken from a connection at once, so that one that talks a lot leaves time for the others."""

HARD_LIMIT_FACTOR = 8

_KEEPALIVE_OPTIONS = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 25_000}
"""Seconds, seconds, probes, milliseconds: the kernel, too, notices a dead connection in 25 s, whether data
is waiting to be acknowledged (RFC 5482) or not. Names that the platform lacks are skipped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """What a client may leave unread.

    Attributes:
        size: bytes; above it we wait for the client.
        patience: seconds that we wait.
        close_timeout: seconds for the last bytes after we decided to close.
    """

    size: int
    patience: float
    close_timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOwner:
    """Whom a connection tells what happens to it.

    Attributes:
        opened: it is there.
        received: bytes came.
        lost: it is gone, or to be treated so; with the reason. Called at most once.
        ended: the socket is closed, whatever came before.
        read_buffer: shared by all connections: a protocol uses it only inside one turn of the event loop.
    """

    opened: Callable[[ControlConnection], None]
    received: Callable[[ControlConnection, bytes], None]
    lost: Callable[[ControlConnection, str], None]
    ended: Callable[[ControlConnection], None]
    read_buffer: bytearray


class ControlConnection(asyncio.BufferedProtocol):
    """One client's TCP connection."""

    def __init__(self, id_: ConnectionId, owner: ConnectionOwner, limits: QueueLimits) -> None:
        self.id = id_
        self._owner = owner
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._deadline: asyncio.TimerHandle | None = None
        self._is_lost = False

    # --- what the owner does --------------------------------------------------------------------------

    def send(self, line: bytes) -> None:
        """Queues bytes; drops the client if far too many are waiting already."""
        if self._is_lost:
            return
        self._transport.write(line)
        if self._transport.get_write_buffer_size() > self._limits.size * HARD_LIMIT_FACTOR:
            # Not now: the owner is in the middle of carrying out commands.
            self._is_lost = True
            self._loop.call_soon(self._give_up)

    def close(self) -> None:
        """Closes when all that is queued is sent, or soon."""
        self._is_lost = True
        self._set_deadline(self._limits.close_timeout, self._transport.abort)
        self._transport.close()

    def abort(self) -> None:
        """Closes now."""
        self._is_lost = True
        self._transport.abort()

    @property
    def local_address(self) -> tuple[str, int]:
        """Where the client found us."""
        return cast(tuple[str, int], self._transport.get_extra_info("sockname"))

    @property
    def remote_address(self) -> str:
        """The client's end, for the log; unknown where the client has reset the connection already."""
        peername = self._transport.get_extra_info("peername")
        return str(TransportAddress.from_sockaddr(peername)) if peername else "unknown"

    # --- what asyncio does ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sets the socket's options and the queue's limit."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=self._limits.size, low=self._limits.size)
        keep_alive(self._transport.get_extra_info("socket"))
        self._owner.opened(self)

    def get_buffer(self, sizehint: int) -> bytearray:
        """The shared buffer."""
        return self._owner.read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Hands on what was read."""
        if not self._is_lost:
            self._owner.received(self, bytes(memoryview(self._owner.read_buffer)[:nbytes]))

    def pause_writing(self) -> None:
        """Too much is waiting: takes no more orders and gives the client a while."""
        if not self._is_lost:
            self._transport.pause_reading()
            self._set_deadline(self._limits.patience, self._give_up)

    def resume_writing(self) -> None:
        """The client does read."""
        if not self._is_lost:
            self._clear_deadline()
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells the owner, unless it knows."""
        self._clear_deadline()
        if not self._is_lost:
            self._is_lost = True
            self._owner.lost(self, _reason(exc))
        self._owner.ended(self)

    def _give_up(self) -> None:
        self.abort()
        self._owner.lost(self, f"does not read: {self._limits.size // 1024} KiB are waiting")

    def _set_deadline(self, delay: float, action: Callable[[], None]) -> None:
        self._clear_deadline()
        self._deadline = self._loop.call_later(delay, action)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def keep_alive(tcp: socket.socket) -> None:
    """Lets the kernel notice dead connections."""
    with contextlib.suppress(OSError):  # the connection may be dead already; then that is noticed anyway
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE_OPTIONS.items():
            if hasattr(socket, name):
                tcp.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _reason(exc: Exception | None) -> str:
    if exc is None:
        return "connection closed"
    text = exc.strerror if isinstance(exc, OSError) else None
    return (text or "connection failed").lower()
