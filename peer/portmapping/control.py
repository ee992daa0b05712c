"""NAT-PMP and PCP over a UDP socket: drives the pure clients of :mod:`natcore.portmap`.

The socket is connected to the gateway, so the kernel drops what comes from elsewhere, and tells at once where
nobody listens.
"""

from __future__ import annotations

import asyncio
import logging

from natcore.address import IPAddress, TransportAddress
from natcore.portmap import (
    GatewayAnswered,
    GatewayRestarted,
    MappingProtocol,
    NatPmpClient,
    PcpClient,
    PortMapEvent,
    PortMapped,
    PortUnmapped,
    RequestFailed,
)
from peer.errors import MappingFailed
from peer.portmapping.gateway import Gateway
from peer.portmapping.method import Mapping, Wanted

logger = logging.getLogger(__name__)

Outcome = GatewayAnswered | PortMapped | PortUnmapped


class ControlSocket(asyncio.DatagramProtocol):
    """The socket and the timer of one client, opened for the first request.

    Attributes:
        client: the pure object.
        base: the local address.
        restarts: how often the gateway was seen to have restarted.
    """

    def __init__(self, client: NatPmpClient | PcpClient, base: TransportAddress) -> None:
        self.client = client
        self.base = base
        self.restarts = 0
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.DatagramTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._outcome: asyncio.Future[Outcome] | None = None

    @classmethod
    async def open(cls, protocol: MappingProtocol, gateway: Gateway, nonce: bytes) -> ControlSocket:
        """Connects a socket to the gateway.

        Raises:
            MappingFailed: it cannot be reached from our address.
        """
        loop = asyncio.get_running_loop()
        remote = (str(gateway.ip), gateway.control_port)

        base = TransportAddress(gateway.local_ip, 0)  # of its port only the kernel needs to know
        port = gateway.control_port
        client: NatPmpClient | PcpClient
        if protocol is MappingProtocol.PCP:
            client = PcpClient(gateway=gateway.ip, base=base, nonce=nonce, server_port=port)
        else:
            client = NatPmpClient(gateway=gateway.ip, base=base, server_port=port)
        try:
            transport, made = await loop.create_datagram_endpoint(
                lambda: cls(client, base), local_addr=(str(gateway.local_ip), 0), remote_addr=remote
            )
        except OSError as exc:
            raise MappingFailed(reason=f"the gateway {gateway.ip} cannot be reached: {exc}") from exc
        made._transport = transport
        return made

    @property
    def now(self) -> float:
        """Seconds on the client's clock."""
        return self._loop.time()

    async def outcome(self) -> Outcome:
        """What becomes of the request that the client has just been given.

        Raises:
            MappingFailed: nothing.
        """
        outcome: asyncio.Future[Outcome] = self._loop.create_future()
        self._outcome = outcome
        try:
            self._transmit()
            return await outcome
        finally:
            self._outcome = None

    def close(self) -> None:
        """Closes the socket."""
        self._disarm()
        if self._transport is not None:
            self._transport.abort()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Passes a datagram on; asyncio calls this."""
        self.client.receive_datagram(data, TransportAddress.from_sockaddr(addr), self.base, self.now)
        self._transmit()

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there: the gateway's kernel says so; asyncio calls this."""
        self._fail(f"nothing listens at {self.client.server}")

    def _transmit(self) -> None:
        while (event := self.client.next_event()) is not None:
            self._settle(event)
        for transmit in self.client.datagrams_to_send():
            if self._transport is not None and not self._transport.is_closing():
                self._transport.sendto(transmit.data)
        self._disarm()
        due = self.client.get_timer()
        self._timer = None if due is None else self._loop.call_at(due, self._handle_timer)

    def _settle(self, event: PortMapEvent) -> None:
        match event:
            case GatewayRestarted():
                logger.info("= the gateway has restarted")
                self.restarts += 1
            case RequestFailed():
                self._fail(event.reason)
            case _:
                if self._outcome is not None and not self._outcome.done():
                    self._outcome.set_result(event)

    def _fail(self, reason: str) -> None:
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_exception(MappingFailed(reason=reason))

    def _handle_timer(self) -> None:
        self._timer = None
        self.client.handle_timer(self.now)
        self._transmit()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class ControlMethod:
    """NAT-PMP or PCP, as a :class:`~peer.portmapping.method.Method`, whose words are not repeated here.

    Args:
        protocol: which of the two.
        gateway: who it is.
        nonce: by which PCP knows whose a mapping is.
    """

    def __init__(self, protocol: MappingProtocol, gateway: Gateway, *, nonce: bytes) -> None:
        self.protocol = protocol
        self._gateway = gateway
        self._nonce = nonce
        self._socket: ControlSocket | None = None

    async def find(self) -> IPAddress | None:  # noqa: D102
        control = await self._open()
        control.client.probe(control.now)
        answer = await control.outcome()
        return answer.external_ip if isinstance(answer, GatewayAnswered) else None

    async def map(self, wanted: Wanted) -> Mapping:  # noqa: D102
        control = await self._open()
        control.client.map(
            internal_port=wanted.internal.port,
            external_port=wanted.external_port,
            lifetime=wanted.lifetime,
            now=control.now,
        )
        granted = await control.outcome()
        if not isinstance(granted, PortMapped):
            raise MappingFailed(reason="the gateway answers what it was not asked")
        return Mapping(
            protocol=self.protocol,
            gateway=self._gateway.ip,
            internal=wanted.internal,
            external=granted.external,
            lifetime=granted.lifetime,
        )

    async def is_there(self, mapping: Mapping) -> bool:  # noqa: D102
        control = await self._open()
        restarts = control.restarts
        external_ip = await self.find()
        return control.restarts == restarts and external_ip in (None, mapping.external.ip)

    async def unmap(self, mapping: Mapping) -> None:  # noqa: D102
        control = await self._open()
        control.client.unmap(internal_port=mapping.internal.port, now=control.now)
        await control.outcome()

    async def close(self) -> None:  # noqa: D102
        if self._socket is not None:
            self._socket.close()

    async def _open(self) -> ControlSocket:
        if self._socket is None:
            self._socket = await ControlSocket.open(self.protocol, self._gateway, self._nonce)
        return self._socket
