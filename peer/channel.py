"""A channel: what two programs that have found each other talk through."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Generator
from typing import TYPE_CHECKING, Self, assert_never

from natcore.channel import (
    MAX_PAYLOAD_SIZE,
    DataReceived,
    MessageConfirmed,
    MessageUnconfirmed,
    PeerSession,
    SessionConfirmed,
    SessionDoubted,
    SessionEnded,
    SessionEvent,
    SessionLost,
    SessionMoved,
    SocketsReleased,
    TimelineEntry,
)
from natcore.errors import MisuseError, PeerError
from natcore.hardnat import Plan, SideSummary, Technique
from natcore.ice import Path
from peer.errors import ChannelClosed, NoPath, Undelivered

if TYPE_CHECKING:
    from peer.driver import Driver

logger = logging.getLogger(__name__)

MAX_UNREAD = 1_024
"""Payloads that wait to be read, 1.2 MB; further ones are dropped and counted, as a full socket does."""


class Delivery:
    """What became of one message. Await it to know that the peer has it, or leave it.

    Awaiting raises :class:`~peer.errors.Undelivered` when the peer did not confirm the message.
    """

    def __init__(self, peer: str) -> None:
        self._peer = peer
        self._confirmed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def __await__(self) -> Generator[None, None, None]:
        # Shielded: one waiter that is cancelled must not decide for the others.
        confirmed = yield from asyncio.shield(self._confirmed).__await__()
        if not confirmed:
            raise Undelivered(peer=self._peer)

    @property
    def is_confirmed(self) -> bool | None:
        """True or False once it is known, None before."""
        return self._confirmed.result() if self._confirmed.done() else None

    def settle(self, *, confirmed: bool) -> None:
        """Decides it, once; for the channel."""
        if not self._confirmed.done():
            self._confirmed.set_result(confirmed)


class Channel:
    """Both directions between us and one peer, over a direct path.

    ``send`` repeats a message until the peer confirms it, in order, one a round trip; ``send_datagram`` sends
    once. Either way the peer iterates over whole payloads. A channel outlives its path: a rebooted NAT, a new
    network or a machine that slept lead to a new one. It ends when one side closes it, or when there has been
    no path for ten minutes; iterating then ends, and sending raises.

    Attributes:
        peer: the id of the other side.
        unread_dropped: payloads that came while ``MAX_UNREAD`` waited.
        first_delivery: of the ``early_data`` given to ``connect``, or None.
        is_lost: whether there is no path now and another is looked for; messages wait meanwhile.
    """

    def __init__(self, session: PeerSession, driver: Driver) -> None:
        self.peer = session.peer
        self.unread_dropped = 0
        self.first_delivery: Delivery | None = None
        self.is_lost = False
        self._session = session
        self._driver = driver
        self._deliveries: dict[int, Delivery] = {}
        self._unread: deque[bytes] = deque()
        self._changed = asyncio.Event()
        self._ended: SessionEnded | None = None
        self._last_path: Path | None = None

    # --- using it ----------------------------------------------------------------------------------------

    def send(self, data: bytes) -> Delivery:
        """Sends a message; await the result to know that the peer has it.

        Args:
            data: at most 1,200 bytes.

        Raises:
            ChannelClosed: the channel has ended.
            PeerError: the message is too long, or 1,000 messages are waiting already.
        """
        self._check_open(data)
        try:
            number = self._driver.endpoint.send_message(self._session, data, self._driver.now)
        except MisuseError as exc:
            raise PeerError(str(exc)) from exc
        delivery = self._deliveries[number] = Delivery(self.peer)
        self._driver.transmit()
        return delivery

    def send_datagram(self, data: bytes) -> None:
        """Sends a datagram, once: it may be lost, and may overtake another.

        Args:
            data: at most 1,200 bytes.

        Raises:
            ChannelClosed: the channel has ended.
            PeerError: the datagram is too long, or no path is confirmed yet.
        """
        self._check_open(data)
        try:
            self._driver.endpoint.send_datagram(self._session, data, self._driver.now)
        except MisuseError as exc:
            raise PeerError(str(exc)) from exc
        self._driver.transmit()

    async def receive(self) -> bytes:
        """The next payload.

        Raises:
            ChannelClosed: the channel has ended and everything was read.
        """
        while not self._unread:
            if self._ended is not None:
                raise ChannelClosed(peer=self.peer, detail=self._ended.detail)
            await self._wait()
        return self._unread.popleft()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Payloads as they come, until the channel ends."""
        while True:
            try:
                data = await self.receive()
            except ChannelClosed:
                return
            yield data

    @property
    def path(self) -> Path | None:
        """The path that data takes; the last one where the channel has ended."""
        return self._session.path or self._last_path

    @property
    def technique(self) -> Technique:
        """By what the two have met; a port counts as mapped where a gateway was asked to forward it."""
        path = self.path
        own = self._driver.endpoint.mapped_address
        if path is not None and (path.is_mapped or path.local == own):
            return Technique.MAPPED_PORT
        return self._session.technique

    @property
    def rtt(self) -> float | None:
        """Seconds to the peer and back, or None before anything has measured it."""
        if self._session.rtt is not None:
            return self._session.rtt
        return None if self._last_path is None else self._last_path.rtt

    @property
    def packets_sent(self) -> int:
        """Datagrams of all kinds that we sent for this channel."""
        return self._session.packets_sent

    @property
    def peer_nat(self) -> SideSummary | None:
        """What the peer told of its NAT, or None."""
        return self._session.peer_nat

    @property
    def plan(self) -> Plan | None:
        """What was made of both NATs, or None where one of them is not known."""
        return self._session.plan

    @property
    def timeline(self) -> tuple[TimelineEntry, ...]:
        """What happened so far, oldest first, at most 64; times count from the introduction."""
        return self._session.timeline.entries

    @property
    def is_in_doubt(self) -> bool:
        """Whether the peer answers nothing on the path at the moment; another is looked for."""
        return self.is_open and self._session.is_in_doubt

    @property
    def is_open(self) -> bool:
        """Whether the channel can be used; a path may be yet to come."""
        return self._ended is None

    @property
    def closing_detail(self) -> str | None:
        """Why the channel ended, or None while it is open."""
        return None if self._ended is None else self._ended.detail

    @property
    def failure(self) -> PeerError | None:
        """Why the channel ended, as what waiting for it raises; None while it is open."""
        return None if self._ended is None else self._failure(self._ended)

    def close(self) -> None:
        """Ends the channel and tells the peer. What is unconfirmed stays so."""
        if self._ended is None:
            self._driver.endpoint.close_session(self._session, self._driver.now)
            self._driver.transmit()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close()

    # --- waiting for its states --------------------------------------------------------------------------

    async def confirmed(self) -> Path:
        """Waits for a path.

        Raises:
            NoPath: there is none.
            ChannelClosed: one of the two sides closed before there was one.
        """
        while self._session.path is None:
            if self._ended is not None:
                raise self._failure(self._ended)
            await self._wait()
        return self._session.path

    async def closed(self) -> None:
        """Waits until the channel has ended."""
        while self._ended is None:
            await self._wait()

    # --- for the node ------------------------------------------------------------------------------------

    def expect_early(self, number: int) -> None:
        """Notes that ``early_data`` is under way as this message."""
        self.first_delivery = self._deliveries[number] = Delivery(self.peer)

    def handle_event(self, event: SessionEvent) -> None:
        """Takes an event of the session."""
        match event:
            case SessionConfirmed() | SessionMoved():
                self._last_path = event.path
                self.is_lost = False
            case DataReceived():
                if len(self._unread) < MAX_UNREAD:
                    self._unread.append(event.payload)
                else:
                    self.unread_dropped += 1
            case MessageConfirmed() | MessageUnconfirmed():
                delivery = self._deliveries.pop(event.number, None)
                if delivery is not None:
                    delivery.settle(confirmed=isinstance(event, MessageConfirmed))
            case SocketsReleased():
                pass  # the node closes them
            case SessionDoubted():
                logger.info("= the path to %s is in doubt", self.peer)
            case SessionLost():
                logger.info("= the path to %s is lost (%s); looking for another", self.peer, event.detail)
                self.is_lost = True
            case SessionEnded():
                self._ended = event
            case _:
                assert_never(event)
        self._changed.set()

    def _failure(self, ended: SessionEnded) -> PeerError:
        if ended.reason is None:
            return ChannelClosed(peer=self.peer, detail=ended.detail)
        return NoPath(
            peer=self.peer,
            reason=ended.reason.value,
            detail=ended.detail,
            packets_sent=self.packets_sent,
        )

    def _check_open(self, data: bytes) -> None:
        if self._ended is not None:
            raise ChannelClosed(peer=self.peer, detail=self._ended.detail)
        if len(data) > MAX_PAYLOAD_SIZE:
            raise PeerError(f"payload: got {len(data)} bytes, expected at most {MAX_PAYLOAD_SIZE}")

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()
