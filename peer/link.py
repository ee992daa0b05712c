"""The TCP connection to the rendezvous server: one at a time, and how long to wait between two.

What is read and when the next attempt is made is the node's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import socket
from collections.abc import Callable, Iterator

from natcore.address import TransportAddress
from peer.errors import ServerUnreachable
from peer.server_address import ServerAddress

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10.0
"""Seconds for the name to resolve and the TCP handshake to end."""

IPV4_TIMEOUT = 2.0
"""Seconds for IPv4 alone: time for one repeated SYN, which comes after 1 s (RFC 6298 section 2)."""

FIRST_RETRY_DELAY = 0.5
"""Seconds before the first attempt after a loss; each failure doubles it."""

MAX_RETRY_DELAY = 10.0
"""Seconds; a person who has just started the server again waits and watches."""

CLOSE_TIMEOUT = 1.0
"""Seconds for the last words to be written."""

READ_SIZE = 64 * 1024
"""Bytes taken from the connection at once."""

_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 25_000}
"""Notices a dead connection within 25 s. Seconds, seconds, probes, milliseconds."""


def retry_delays(uniform: Callable[[float, float], float] = random.uniform) -> Iterator[float]:
    """Seconds between attempts, doubling up to the limit, each x 0.5 to 1 so that clients spread out."""
    delay = FIRST_RETRY_DELAY
    while True:
        yield delay * uniform(0.5, 1.0)
        delay = min(2 * delay, MAX_RETRY_DELAY)


class ServerLink:
    """See the module.

    Attributes:
        server: as the user named it.
        far_end: the address that the present connection goes to, or None.
        near_end: our own address of it, or None.
    """

    def __init__(self, server: ServerAddress) -> None:
        self.server = server
        self.far_end: TransportAddress | None = None
        self.near_end: TransportAddress | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> TransportAddress:
        """Connects; returns the server's address.

        Raises:
            ServerUnreachable: in one line, why not.
        """
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                self._reader, self._writer = await self._connect()
        except TimeoutError:
            detail = f"no answer in {CONNECT_TIMEOUT:.0f} s"
            raise ServerUnreachable(server=str(self.server), detail=detail) from None
        except (socket.gaierror, UnicodeError):
            detail = "its name does not resolve"
            raise ServerUnreachable(server=str(self.server), detail=detail) from None
        except OSError as exc:
            detail = os.strerror(exc.errno).lower() if exc.errno else str(exc)
            raise ServerUnreachable(server=str(self.server), detail=detail) from None
        _set_keepalive(self._writer.get_extra_info("socket"))
        self.far_end = TransportAddress.from_sockaddr(self._writer.get_extra_info("peername"))
        self.near_end = TransportAddress.from_sockaddr(self._writer.get_extra_info("sockname"))
        logger.info("= connected to %s", self.far_end)
        return self.far_end

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """By IPv4 where that works: the server then observes the family that NATs translate.

        An IPv6 address needs no observing, and is offered to peers in any case.
        """
        host, port = self.server.host, self.server.port
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(IPV4_TIMEOUT):
                return await asyncio.open_connection(host, port, family=socket.AF_INET)
        return await asyncio.open_connection(host, port)

    def send(self, data: bytes) -> None:
        """Queues bytes; without a connection they are dropped."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(data)

    async def receive(self) -> bytes:
        """The next bytes from the server; empty at the end of the connection, however it ended.

        A server that does not read what we answer is not read from either: else its pings would fill our
        memory with pongs.
        """
        if self._reader is None or self._writer is None:
            return b""
        try:
            await self._writer.drain()
            return await self._reader.read(READ_SIZE)
        except OSError as exc:
            logger.info("x %s", exc)
            return b""

    def cut(self) -> None:
        """Ends the connection at once, so that ``receive`` returns."""
        if self._writer is not None:
            self._writer.transport.abort()

    async def close(self) -> None:
        """Closes the connection after what is queued has been written, and waits a little for that."""
        writer, self._writer, self._reader = self._writer, None, None
        self.far_end = self.near_end = None
        if writer is None:
            return
        writer.close()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await writer.wait_closed()
        except (OSError, TimeoutError):
            writer.transport.abort()  # what is still queued, a server that does not read will never read


def _set_keepalive(tcp: socket.socket) -> None:
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        option = getattr(socket, name, None)
        if option is not None:
            tcp.setsockopt(socket.IPPROTO_TCP, option, value)
