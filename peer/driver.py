"""Sockets and one timer around a :class:`~natcore.endpoint.ClientEndpoint`; no decision of protocol in here.

After every call into the endpoint, :meth:`Driver.transmit` hands out its events, sends its datagrams and its
control bytes, and arms the one timer anew. The endpoint's clock is the event loop's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from natcore.address import TransportAddress
from natcore.endpoint import ClientEndpoint, EndpointEvent
from natcore.ice import LocalCandidate
from peer.sockets import UdpSocket
from peer.trace import Trace

logger = logging.getLogger(__name__)

CLOSING_TIME = 5.0
"""Seconds that the socket of an address lives on when the address is not used any more."""


class Driver:
    """Runs one endpoint.

    Args:
        endpoint: the pure object; touched from this task's loop only.
        sockets: by base; the driver takes them over and closes them.
        handle_event: gets each event, in order.
        send_control: gets the bytes for the TCP connection.
    """

    def __init__(
        self,
        *,
        endpoint: ClientEndpoint,
        sockets: list[UdpSocket],
        handle_event: Callable[[EndpointEvent], None],
        send_control: Callable[[bytes], None],
        trace: Trace,
    ) -> None:
        self.endpoint = endpoint
        self._loop = asyncio.get_running_loop()
        self._sockets = {socket.base: socket for socket in sockets}
        self._handle_event = handle_event
        self._send_control = send_control
        self._trace = trace
        self._timer: asyncio.TimerHandle | None = None
        for socket in sockets:
            socket.receiver = self._receive

    @property
    def now(self) -> float:
        """Seconds on the endpoint's clock."""
        return self._loop.time()

    def transmit(self) -> None:
        """Drains the endpoint and arms the timer; to be called after every call into the endpoint."""
        while (event := self.endpoint.next_event()) is not None:
            self._handle_event(event)
        # Control first: what we publish shall be there when a datagram makes us Awake and others call us.
        control = self.endpoint.data_to_send()
        if control:
            self._send_control(control)
        for transmit in self.endpoint.datagrams_to_send():
            socket = self._sockets.get(transmit.base)
            # One of many for a hard NAT may be closed by now, and one whose address is gone as well.
            name = "sent" if socket is not None and socket.send(transmit) else "refused"
            logger.debug("> %d bytes to %s: %s", len(transmit.data), transmit.destination, name)
            self._trace.event(
                self.now,
                name,
                length=len(transmit.data),
                base=transmit.base,
                destination=transmit.destination,
            )
        self._arm()

    def replace_hosts(
        self,
        candidates: Iterable[LocalCandidate],
        *,
        opened: list[UdpSocket],
        gone: Sequence[TransportAddress],
    ) -> None:
        """The machine's addresses have changed.

        A socket that goes may still work for a while (a temporary IPv6 address that is deprecated, a cable
        that is only half out), and a path from it is used until there is another.
        """
        self.add_sockets(opened)
        self.endpoint.set_host_candidates(candidates, self.now)
        self.transmit()
        self._loop.call_later(CLOSING_TIME, self.close_sockets, gone)

    def add_sockets(self, sockets: list[UdpSocket]) -> None:
        """Takes further sockets over."""
        for socket in sockets:
            socket.receiver = self._receive
            self._sockets[socket.base] = socket

    def close_sockets(self, bases: Iterable[TransportAddress]) -> None:
        """Closes some of them."""
        for base in bases:
            socket = self._sockets.pop(base, None)
            if socket is not None:
                socket.close()

    def close(self) -> None:
        """Stops the timer and closes the sockets."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for socket in self._sockets.values():
            socket.close()

    def _receive(self, data: bytes, source: TransportAddress, base: TransportAddress) -> None:
        logger.debug("< %d bytes from %s", len(data), source)
        self._trace.event(self.now, "received", length=len(data), source=source)
        self.endpoint.receive_datagram(data, source, base, self.now)
        self.transmit()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = self.endpoint.get_timer()
        self._timer = None if due is None else self._loop.call_at(due, self._handle_timer)

    def _handle_timer(self) -> None:
        self._timer = None
        self.endpoint.handle_timer(self.now)
        self.transmit()
