"""The server: carries bytes between sockets and the registry, and the registry's commands back.

Here is no protocol decision: what to answer, whom to tell, when somebody is gone is the registry's business.
After every call into it all its commands are carried out and one timer is armed. Nothing here waits, so there
are no tasks: the event loop calls, the registry answers. A mistake in handling one connection makes asyncio
log it and close that connection only.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Self, assert_never

from natcore.address import IPAddress, TransportAddress
from natcore.control.messages import encode
from natcore.registry import (
    Broadcast,
    CloseControl,
    Command,
    ConnectionId,
    Registry,
    Report,
    SendControl,
    SendDatagram,
)
from rendezvous.alternates import Alternates, open_alternates
from rendezvous.config import ServerConfig
from rendezvous.connections import READ_SIZE, ConnectionOwner, ControlConnection, QueueLimits
from rendezvous.datagrams import DatagramSockets
from rendezvous.listening import Listening, listen, primary_address
from rendezvous.trace import FileTrace, NoTrace, Trace

logger = logging.getLogger(__name__)


class Server:
    """A running rendezvous server, as an asynchronous context manager.

    Entering opens the sockets; leaving says goodbye to everybody and closes them.

    Attributes:
        address: where it listens, with the port that was really taken.
        primary_address: how the machine is known to others.
        discovery: what behaviour discovery it offers, in words.
    """

    def __init__(self, config: ServerConfig, report: Callable[[str], None]) -> None:
        self._config = config
        self._report = report
        self._trace: Trace = NoTrace()
        self._connections: dict[ConnectionId, ControlConnection] = {}
        self._names = map(ConnectionId, itertools.count(1))
        self._armed_for: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._all_ended = asyncio.Event()
        self._owner = ConnectionOwner(
            opened=self._connection_opened,
            received=self._data_received,
            lost=self._connection_lost,
            ended=self._connection_ended,
            read_buffer=bytearray(READ_SIZE),
        )
        self._limits = QueueLimits(
            size=config.max_queue_size,
            patience=config.queue_patience,
            close_timeout=config.drain_timeout,
        )

    async def __aenter__(self) -> Self:
        """Opens the sockets and begins to serve.

        Raises:
            CannotListen: the system does not let us.
            AlternateRefused: nor have a second address or port.
        """
        config = self._config
        self._loop = asyncio.get_running_loop()
        self._listening: Listening = listen(config.host, config.port)
        self._alternates: Alternates | None = None
        try:
            self._alternates = open_alternates(self._listening, config.alternate, asked_port=config.port)
            self._registry = Registry(
                config.registry, secrets.token_bytes, self._alternates.offer, self._alternates.link
            )
            if config.trace is not None:
                self._trace = FileTrace(config.trace)
            sockets = (self._listening.udp, *self._alternates.sockets)
            self._datagrams = DatagramSockets(sockets, self._datagram_received)
            self._tcp = await self._loop.create_server(self._new_connection, sock=self._listening.tcp)
            self._datagrams.start(self._loop)
            self._arm_timer()
        except BaseException:
            self._close_sockets()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Drains: stops listening, says goodbye, waits a moment for the last bytes."""
        self._tcp.close()
        self._registry.drain(self._loop.time())
        self._carry_out()
        try:
            async with asyncio.timeout(self._config.drain_timeout):
                while self._connections:
                    self._all_ended.clear()
                    await self._all_ended.wait()
        except TimeoutError:
            logger.info("x %d connections aborted", len(self._connections))
        finally:
            self._close()

    @property
    def address(self) -> TransportAddress:
        """Where the server listens, TCP and UDP."""
        return self._listening.address

    @property
    def primary_address(self) -> IPAddress:
        """The address by which the machine is known."""
        return primary_address(self.address)

    @property
    def discovery(self) -> str:
        """What behaviour discovery it offers, one line for the operator."""
        return "" if self._alternates is None else self._alternates.description

    def _close_sockets(self) -> None:
        self._listening.close()
        if self._alternates is not None:
            self._alternates.close()

    def _close(self) -> None:
        for connection in list(self._connections.values()):
            connection.abort()
        if self._timer is not None:
            self._timer.cancel()
        self._datagrams.stop(self._loop)
        self._close_sockets()
        counters = asdict(self._registry.counters)
        logger.info("= %s", ", ".join(f"{count} {name}" for name, count in counters.items()))
        self._trace("counted", **counters)
        self._trace.close()

    # --- from the sockets to the registry -------------------------------------------------------------

    def _new_connection(self) -> ControlConnection:
        return ControlConnection(next(self._names), self._owner, self._limits)

    def _connection_opened(self, connection: ControlConnection) -> None:
        self._connections[connection.id] = connection
        local = TransportAddress.from_sockaddr(connection.local_address)
        remote = connection.remote_address
        logger.debug("= connection %d from %s", connection.id, remote)
        self._trace("connection_opened", connection=connection.id, remote=remote)
        endpoint = TransportAddress(local.ip, self.address.port)
        self._registry.connection_opened(connection.id, (str(endpoint),), self._loop.time())
        self._carry_out()

    def _data_received(self, connection: ControlConnection, data: bytes) -> None:
        logger.debug("< connection %d: %d bytes", connection.id, len(data))
        self._registry.receive_data(connection.id, data, self._loop.time())
        self._carry_out()

    def _connection_lost(self, connection: ControlConnection, reason: str) -> None:
        logger.debug("x connection %d: %s", connection.id, reason)
        self._trace("connection_lost", connection=connection.id, reason=reason)
        self._registry.connection_lost(connection.id, reason, self._loop.time())
        self._carry_out()

    def _connection_ended(self, connection: ControlConnection) -> None:
        self._connections.pop(connection.id, None)
        if not self._connections:
            self._all_ended.set()

    def _datagram_received(self, data: bytes, source: TransportAddress, base: TransportAddress) -> None:
        logger.debug("< %s: %d bytes", source, len(data))
        self._trace("datagram_received", source=source, size=len(data))
        self._registry.receive_datagram(data, source, base, self._loop.time())
        self._carry_out()

    def _timer_fired(self) -> None:
        self._timer = self._armed_for = None
        self._registry.handle_timer(self._loop.time())
        self._carry_out()

    # --- from the registry to the sockets -------------------------------------------------------------

    def _carry_out(self) -> None:
        while (command := self._registry.next_command()) is not None:
            self._carry_out_one(command)
        self._arm_timer()

    def _carry_out_one(self, command: Command) -> None:
        match command:
            case SendControl(connection=connection, message=message):
                self._send((connection,), encode(message), type(message).__name__)
            case Broadcast(connections=connections, message=message):
                self._send(connections, encode(message), type(message).__name__)
            case CloseControl(connection=name, reason=reason):
                self._close_connection(name, reason)
            case SendDatagram(data=data, destination=destination, base=base):
                logger.debug("> %s: %d bytes", destination, len(data))
                self._trace("datagram_sent", destination=destination, size=len(data))
                self._datagrams.send(data, destination, base)
            case Report(line):
                self._trace("reported", line=line)
                self._report(line)
            case _:
                assert_never(command)

    def _send(self, connections: Iterable[ConnectionId], line: bytes, kind: str) -> None:
        for name in connections:
            logger.debug("> connection %d: %s, %d bytes", name, kind, len(line))
            self._trace("message_sent", connection=name, message=kind, size=len(line))
            if (connection := self._connections.get(name)) is not None:
                connection.send(line)

    def _close_connection(self, name: ConnectionId, reason: str) -> None:
        logger.debug("x connection %d: %s", name, reason)
        self._trace("connection_closed", connection=name, reason=reason)
        if (connection := self._connections.get(name)) is not None:
            connection.close()

    def _arm_timer(self) -> None:
        deadline = self._registry.get_timer()
        if deadline == self._armed_for:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._armed_for = deadline
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._timer_fired)
