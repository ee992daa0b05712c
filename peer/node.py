"""A node: one program's presence at a rendezvous server, and the channels that it has with others.

::

    async with Node("elsa", "rendezvous.example.org") as node:
        channel = await node.connect("anna")
        await channel.send(b"hello")
        async for data in channel:
            ...

Entering registers, leaving unregisters. The connection to the server comes back by itself when it is lost;
channels do not depend on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from natcore.address import IPAddress, ReflexiveAddress, TransportAddress
from natcore.channel import MAX_PAYLOAD_SIZE, SessionLost, SocketsReleased
from natcore.control.messages import Status
from natcore.discovery import DiscoveryReport
from natcore.endpoint import (
    Awoke,
    ClientEndpoint,
    ClientsChanged,
    ConnectFailed,
    ConnectionUnusable,
    EndpointConfig,
    EndpointEvent,
    FaultReceived,
    RegistrationConfirmed,
    RegistrationRefused,
    ServerLeaving,
    SessionEventOccurred,
    SessionNoted,
    SessionStarted,
    SocketsWanted,
    WakingFailed,
)
from natcore.errors import MisuseError, PeerError
from peer.attempts import Attempts
from peer.channel import Channel
from peer.driver import Driver
from peer.errors import AwakeFailed, NoPath, PeerUnavailable, RegistrationFailed, ServerUnreachable
from peer.events import NodeEvent, PathFound, PathLost, ServerBack, ServerLost, ServerRefuses
from peer.forwarding import Forwarding
from peer.link import ServerLink, retry_delays
from peer.network import LocalNetwork, NetworkFollower
from peer.own_nat import LEARNING_TIMEOUT, OwnNat
from peer.portmapping import MapperConfig
from peer.server_address import ServerAddress
from peer.sockets import UdpSocket
from peer.text import printable
from peer.trace import Trace
from peer.why import Evidence

logger = logging.getLogger(__name__)

MAX_UNHEARD_EVENTS = 1024
"""Node events kept for a listener that does not come; the oldest go first."""

MAX_UNACCEPTED = 256
"""Channels opened by peers that wait for ``accept``; the oldest go first, as nobody seems to want them."""

REGISTER_TIMEOUT = 10.0
"""Seconds for the server to answer ``register`` on the first connection."""

CONNECT_TIMEOUT = 15.0
"""Seconds; a little more than ICE's own giving up, so that its reason is heard first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """What can be chosen about a node.

    Attributes:
        endpoint: of the protocol core.
        port_mapping: whether the gateway is asked to forward the node's port, while it is Awake.
        mapper: how.
        learn_nat: whether the NAT is measured when the node wakes, to plan for hard pairs.
        interfaces: names of the network interfaces to use; empty for all that are of use to a peer.
    """

    endpoint: EndpointConfig = field(default_factory=EndpointConfig)
    port_mapping: bool = True
    learn_nat: bool = True
    mapper: MapperConfig = field(default_factory=MapperConfig)
    interfaces: tuple[str, ...] = ()


class Node:
    """See the module.

    Args:
        client_id: 1 to 32 of letters, digits, ``_``, ``.`` and ``-``.
        server: ``HOST`` or ``HOST:PORT``.
        config: the defaults suit.
        trace: where events are recorded.

    Raises:
        DecodeError: ``server`` cannot be understood.
    """

    def __init__(
        self,
        client_id: str,
        server: str | ServerAddress,
        *,
        config: NodeConfig | None = None,
        trace: Trace | None = None,
    ) -> None:
        self.id = client_id
        self.server = ServerAddress.parse(server) if isinstance(server, str) else server
        self._config = config or NodeConfig()
        self._trace = trace or Trace()
        self._link = ServerLink(self.server)
        self._network = LocalNetwork(self._config.interfaces)
        self._follower: NetworkFollower | None = None
        self._driver: Driver | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._link_task: asyncio.Task[None] | None = None
        self._own_nat: OwnNat | None = None
        self._forwarding: Forwarding | None = None
        self._registration: asyncio.Future[None] | None = None
        self._awake_waiters: set[asyncio.Future[ReflexiveAddress]] = set()
        self._pending: dict[str, asyncio.Future[Channel]] = {}
        self._channels: dict[str, Channel] = {}
        self._attempts = Attempts()
        self._incoming: deque[Channel] = deque(maxlen=MAX_UNACCEPTED)
        self._events: deque[NodeEvent] = deque(maxlen=MAX_UNHEARD_EVENTS)
        self._changed = asyncio.Event()
        self._lost_reason = ""

    # --- entering and leaving ----------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Connects to the server and registers.

        Raises:
            ServerUnreachable: there is no server, or it makes no sense.
            RegistrationFailed: the server does not take the id.
            UnknownInterface: one that was chosen is not there.
        """
        self._network.require_known()
        far_end = await self._link.open()
        try:
            self._driver = await self._open_driver(far_end.ip)
            self._registration = asyncio.get_running_loop().create_future()
            self._tasks = await asyncio.TaskGroup().__aenter__()
            self._begin_helpers(self._driver, self._tasks, far_end.ip)
            self._link_task = self._tasks.create_task(self._run_link(far_end))
            try:
                async with asyncio.timeout(REGISTER_TIMEOUT):
                    await self._registration
            except TimeoutError:
                detail = f"it accepts the connection but has not answered in {REGISTER_TIMEOUT:.0f} s"
                raise ServerUnreachable(server=str(self.server), detail=detail) from None
        except BaseException:
            await self._release()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes all channels, unregisters, and waits a moment for the server to hear it."""
        driver = self._running()
        for channel in list(self._channels.values()):
            channel.close()
        driver.endpoint.unregister()
        driver.transmit()
        await self._release()

    def _begin_helpers(self, driver: Driver, tasks: asyncio.TaskGroup, server_ip: IPAddress) -> None:
        self._follower = NetworkFollower(self._network, driver, self._link)
        self._follower.begin(tasks, server_ip)
        if self._config.port_mapping:
            self._forwarding = Forwarding(driver, tasks, self._config.mapper, self._trace)
        if self._config.learn_nat:
            self._own_nat = OwnNat(driver, tasks, self._config.endpoint.hard_nat)

    async def _release(self) -> None:
        for helper in (self._link_task, self._follower, self._forwarding, self._own_nat):
            if helper is not None:
                helper.cancel()
        await self._link.close()
        if self._tasks is not None:
            tasks, self._tasks = self._tasks, None
            await tasks.__aexit__(None, None, None)
        if self._driver is not None:
            self._driver.close()

    async def _open_driver(self, server_ip: IPAddress) -> Driver:
        found = await self._network.look(server_ip)
        if found is None:
            raise ServerUnreachable(server=str(self.server), detail="no local address can be used")
        endpoint = ClientEndpoint(
            client_id=self.id,
            host_candidates=found.candidates,
            config=self._config.endpoint,
            random=secrets.token_bytes,
        )
        return Driver(
            endpoint=endpoint,
            sockets=found.opened,
            handle_event=self._handle_event,
            send_control=self._link.send,
            trace=self._trace,
        )

    # --- what the server knows ---------------------------------------------------------------------------

    @property
    def clients(self) -> Mapping[str, Status]:
        """Everybody who is registered, ourselves included, as the server said last."""
        return self._running().endpoint.registration.clients

    @property
    def is_registered(self) -> bool:
        """Whether the server knows us now; False between a lost connection and the next."""
        return self._running().endpoint.registration.is_registered

    @property
    def reflexive_address(self) -> ReflexiveAddress | None:
        """Our public endpoint, or None while Asleep."""
        return self._running().endpoint.reflexive_address

    @property
    def mapped_address(self) -> TransportAddress | None:
        """The port that our gateway forwards to us, while it is offered to peers."""
        return self._running().endpoint.mapped_address

    async def next_event(self) -> NodeEvent:
        """The oldest event that nobody has heard."""
        while not self._events:
            self._changed.clear()
            await self._changed.wait()
        return self._events.popleft()

    async def awake(self) -> ReflexiveAddress:
        """Lets the server observe our UDP endpoint; returns it, at once when we are Awake already.

        Raises:
            AwakeFailed: the server saw none of our datagrams.
            ServerUnreachable: there is no connection to the server now, or it was lost meanwhile.
        """
        driver = self._running()
        if not self.is_registered:
            raise self._server_lost()
        if driver.endpoint.reflexive_address is not None:
            return driver.endpoint.reflexive_address
        waiter: asyncio.Future[ReflexiveAddress] = asyncio.get_running_loop().create_future()
        self._awake_waiters.add(waiter)
        try:
            driver.endpoint.wake(driver.now)
            driver.transmit()
            if self._forwarding is not None:
                self._forwarding.begin()
            return await waiter
        finally:
            self._awake_waiters.discard(waiter)

    @property
    def nat(self) -> DiscoveryReport | None:
        """What our own NAT does, as far as it was measured; see :meth:`nat_learned`."""
        return None if self._own_nat is None else self._own_nat.report

    async def nat_learned(self, timeout: float = LEARNING_TIMEOUT) -> None:
        """Waits until our NAT has been measured, or cannot be; at most ``timeout`` seconds."""
        if self._own_nat is not None:
            await self._own_nat.learned(timeout)

    # --- channels ----------------------------------------------------------------------------------------

    async def connect(
        self, peer: str, *, timeout: float = CONNECT_TIMEOUT, early_data: bytes | None = None
    ) -> Channel:
        """Opens a direct channel to ``peer``; wakes first where we are Asleep.

        Args:
            peer: its id.
            timeout: seconds, from now to a confirmed path.
            early_data: a first message, at most 1,200 bytes, that travels with the first checks and so
                arrives before the path is even confirmed; ``channel.first_delivery`` tells what became of it.

        Raises:
            PeerUnavailable: the server does not introduce us.
            NoPath: the server did, but no datagram finds a way.
            AwakeFailed: we cannot be observed over UDP.
            ServerUnreachable: no connection to the server, or no answer of its in time.
            PeerError: an earlier ``connect`` to this peer is still pending.
        """
        if early_data is not None and len(early_data) > MAX_PAYLOAD_SIZE:
            raise PeerError(f"early data: got {len(early_data)} bytes, expected at most {MAX_PAYLOAD_SIZE}")
        channel: Channel | None = None
        try:
            async with asyncio.timeout(timeout):
                await self.awake()
                if self._own_nat is not None:
                    await self._own_nat.refresh()
                channel = await self._introduce(peer, early_data)
                try:
                    await channel.confirmed()
                except BaseException:
                    channel.close()
                    raise
        except TimeoutError:
            late = self._late(peer, timeout, channel)
            self._attempts.remember(peer, channel=channel, error=late)
            raise late from None
        except PeerError as exc:
            self._attempts.remember(peer, channel=channel, error=exc)
            raise
        return channel

    def evidence(self, peer: str) -> Evidence | None:
        """What is known of the newest channel or attempt with ``peer``, or None where there was none.

        :func:`peer.why.explain` puts it in words.
        """
        return self._attempts.evidence(peer, self.nat)

    async def accept(self) -> Channel:
        """The next channel that a peer opened to us; its path may be yet to be confirmed."""
        while not self._incoming:
            self._changed.clear()
            await self._changed.wait()
        return self._incoming.popleft()

    def _late(self, peer: str, timeout: float, channel: Channel | None) -> PeerError:
        """Who kept ``connect`` waiting: the peer, or the server."""
        if channel is None:
            detail = f"it has not introduced us to {peer} in {timeout:g} s"
            return ServerUnreachable(server=str(self.server), detail=detail)
        return NoPath(
            peer=peer,
            reason="none was found in time",
            detail=f"given up after {timeout:g} s",
            packets_sent=channel.packets_sent,
        )

    async def _introduce(self, peer: str, early_data: bytes | None) -> Channel:
        driver = self._running()
        introduced: asyncio.Future[Channel] = asyncio.get_running_loop().create_future()
        try:
            driver.endpoint.connect(peer, driver.now, early_data=early_data)
        except MisuseError as exc:
            raise PeerError(str(exc)) from exc
        self._pending[peer] = introduced
        try:
            driver.transmit()
            return await introduced
        finally:
            driver.endpoint.abandon_connect(peer)
            self._pending.pop(peer, None)

    # --- events of the endpoint --------------------------------------------------------------------------

    def _handle_event(self, event: EndpointEvent) -> None:
        self._record(event)
        match event:
            case SessionEventOccurred() | SessionNoted():
                self._handle_session_event(event)
            case SessionStarted() | SocketsWanted():
                self._handle_session(event)
            case ConnectFailed():
                _fail(
                    self._pending.get(event.target),
                    PeerUnavailable(peer=event.target, code=event.code, reason=event.reason),
                )
            case Awoke() | WakingFailed():
                self._handle_awake(event)
                self._tell(event)
            case ClientsChanged():
                self._tell(event)
            case _:
                self._handle_server_event(event)

    def _handle_awake(self, event: Awoke | WakingFailed) -> None:
        for waiter in self._awake_waiters:
            if isinstance(event, WakingFailed):
                _fail(waiter, AwakeFailed(detail=event.reason))
            elif not waiter.done():
                waiter.set_result(event.address)
        if isinstance(event, Awoke):
            if self._forwarding is not None:
                self._forwarding.judge(event.address)
            if self._own_nat is not None:
                self._own_nat.learn(event.address)

    def _record(self, event: EndpointEvent) -> None:
        inner = event.event if isinstance(event, SessionEventOccurred) else event
        fields: dict[str, str | float] = {}
        if isinstance(inner, SessionNoted):
            entry = inner.entry
            fields = {"peer": inner.session.peer, "session": inner.session.name, "at": round(entry.at, 6)}
            fields |= {"what": entry.event.value, "detail": entry.detail}
        self._trace.event(self._running().now, type(inner).__name__, **fields)

    def _handle_server_event(
        self,
        event: RegistrationConfirmed
        | RegistrationRefused
        | ServerLeaving
        | ConnectionUnusable
        | FaultReceived,
    ) -> None:
        match event:
            case RegistrationConfirmed():
                if self._registration is not None and not self._registration.done():
                    self._registration.set_result(None)
                else:
                    self._tell(ServerBack())
            case RegistrationRefused():
                refused = RegistrationFailed(client_id=self.id, code=event.code, reason=event.reason)
                if not _fail(self._registration, refused):
                    self._tell(ServerRefuses(reason=event.reason))
                self._lost_reason = event.reason
                self._link.cut()
            case ServerLeaving():
                self._lost_reason = event.reason
            case ConnectionUnusable():
                self._lost_reason = event.reason
                _fail(self._registration, ServerUnreachable(server=str(self.server), detail=event.reason))
                self._link.cut()
            case FaultReceived():
                reason = printable(event.reason)
                logger.warning("! the server turned something down: %s (%s)", event.code.value, reason)

    def _handle_session(self, event: SessionStarted | SocketsWanted) -> None:
        driver = self._running()
        if isinstance(event, SocketsWanted):
            if self._tasks is not None:
                self._tasks.create_task(self._open_sockets_for(event))
            return
        channel = Channel(event.session, driver)
        self._channels[event.session.name] = channel
        self._attempts.remember(channel.peer, channel=channel)
        if event.early_number is not None:
            channel.expect_early(event.early_number)
        introduced = self._pending.get(event.session.peer)
        if event.was_asked and introduced is not None and not introduced.done():
            introduced.set_result(channel)
        else:
            self._incoming.append(channel)
            self._changed.set()

    async def _open_sockets_for(self, wanted: SocketsWanted) -> None:
        """Opens what a hard attempt needs, on the address from which the server sees us."""
        driver = self._running()
        base = driver.endpoint.base
        sockets: list[UdpSocket] = []
        with contextlib.suppress(OSError):  # too many open files: the attempt is not made then
            while base is not None and len(sockets) < wanted.count:
                sockets.append(await UdpSocket.open(base.ip))
        driver.add_sockets(sockets)
        bases = [one.base for one in sockets if one.base is not None]
        driver.endpoint.open_for(wanted.session, bases, driver.now)
        driver.transmit()

    def _handle_session_event(self, event: SessionEventOccurred | SessionNoted) -> None:
        if isinstance(event, SessionNoted):
            return  # it is on record
        if isinstance(event.event, SocketsReleased):
            # Not now: what the session has to say through them is sent right after its events.
            asyncio.get_running_loop().call_soon(self._running().close_sockets, event.event.bases)
            if self._own_nat is not None:
                self._own_nat.ports_were_used()
            return
        channel = self._channels.get(event.session.name)
        if channel is None:
            return
        logger.info("= %s: %s", event.session.peer, type(event.event).__name__)
        was_lost = channel.is_lost
        channel.handle_event(event.event)
        if not channel.is_open:
            del self._channels[event.session.name]
        elif isinstance(event.event, SessionLost):
            self._tell(PathLost(peer=channel.peer, reason=event.event.detail))
        elif was_lost and not channel.is_lost:
            self._tell(PathFound(peer=channel.peer))

    def _tell(self, event: NodeEvent) -> None:
        self._events.append(event)
        self._changed.set()

    # --- the connection to the server --------------------------------------------------------------------

    async def _run_link(self, far_end: TransportAddress | None) -> None:
        """Reads from the server, and connects again whenever the connection has ended."""
        driver = self._running()
        delays = retry_delays()
        while True:
            while far_end is None:
                delay = next(delays)
                self._tell(ServerLost(reason=self._lost_reason, retry_in=delay))
                if self._follower is not None and await self._follower.moved_within(delay):
                    delays = retry_delays()
                try:
                    far_end = await self._link.open()
                except ServerUnreachable as exc:
                    self._lost_reason = exc.detail
            self._lost_reason = "the connection was closed"
            driver.endpoint.connection_made(far_end.ip, driver.now)
            driver.transmit()
            while data := await self._link.receive():
                driver.endpoint.receive_data(data, driver.now)
                driver.transmit()
            await self._link.close()
            far_end = None
            if self.is_registered:
                delays = retry_delays()  # a server that refuses us is as bad as none: keep backing off
            driver.endpoint.connection_lost(driver.now)
            driver.transmit()
            for waiter in self._awake_waiters:
                _fail(waiter, self._server_lost())
            if _fail(self._registration, self._server_lost()):
                return

    def _server_lost(self) -> ServerUnreachable:
        return ServerUnreachable(server=str(self.server), detail=self._lost_reason)

    def _running(self) -> Driver:
        if self._driver is None:
            raise PeerError("the node has not been entered: use `async with Node(...) as node`")
        return self._driver


def _fail(
    future: asyncio.Future[Channel] | asyncio.Future[None] | asyncio.Future[ReflexiveAddress] | None,
    error: PeerError,
) -> bool:
    if future is None or future.done():
        return False
    future.set_exception(error)
    return True
