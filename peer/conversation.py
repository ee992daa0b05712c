"""The chat's lines to one peer: queued, sent in order, each one confirmed or said to be undelivered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from natcore.errors import PeerError
from peer.channel import Channel, Delivery
from peer.errors import ChannelClosed
from peer.node import Node

REMINDER_DELAY = 3.0
"""Seconds without an outcome after which a line is said to be on its way still."""

MAX_QUEUED = 100
"""Lines that wait for one peer; one more is refused to the face of who types it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a line.

    Attributes:
        text: the line.
        failure: why it is undelivered, or None.
        is_final: False where the line is on its way still and has been for a while.
    """

    text: str
    failure: str | None
    is_final: bool = True


class Conversation:
    """Lines to one peer, and the channel that they take.

    Attributes:
        peer: its id.
        channel: the newest one that is open, whoever opened it.
    """

    def __init__(self, node: Node, peer: str, report: Callable[[Conversation, Outcome], None]) -> None:
        self.peer = peer
        self.channel: Channel | None = None
        self._is_doubtful = False
        self._node = node
        self._report = report
        self._queue: asyncio.Queue[str] = asyncio.Queue(MAX_QUEUED)
        self._under_way: str | None = None

    def say(self, text: str) -> bool:
        """Queues a line; False where too many are waiting."""
        try:
            self._queue.put_nowait(text)
        except asyncio.QueueFull:
            return False
        return True

    @property
    def undecided(self) -> int:
        """Lines that have had no outcome yet."""
        return self._queue.qsize() + (self._under_way is not None)

    @property
    def is_idle(self) -> bool:
        """Whether nothing would be lost by forgetting it."""
        return self.undecided == 0 and not self._has_open_channel()

    def adopt(self, channel: Channel) -> None:
        """Uses a channel that the peer opened: the newest one has the least doubtful far end."""
        self.channel = channel
        self._is_doubtful = False

    def doubt(self) -> None:
        """The peer registered anew, so the far end of our channel may be a program that is gone."""
        self._is_doubtful = True

    def stop(self) -> list[str]:
        """Takes out the lines that have had no outcome, oldest first, for when :meth:`run` is cancelled."""
        left = [] if self._under_way is None else [self._under_way]
        while not self._queue.empty():
            left.append(self._queue.get_nowait())
        return left

    async def drained(self) -> None:
        """Waits until every queued line has had its outcome."""
        await self._queue.join()

    async def run(self, opened: Callable[[Channel], None]) -> None:
        """Sends what is queued, for ever; ``opened`` hears of each channel that this side opens."""
        while True:
            text = self._under_way = await self._queue.get()
            reminder = asyncio.get_running_loop().call_later(REMINDER_DELAY, self._remind, text)
            try:
                failure = await self._deliver(text, opened)
            finally:
                reminder.cancel()
            self._report(self, Outcome(text, failure))
            self._under_way = None
            self._queue.task_done()

    def _remind(self, text: str) -> None:
        self._report(self, Outcome(text, None, is_final=False))

    async def _deliver(self, text: str, opened: Callable[[Channel], None]) -> str | None:
        try:
            if self._has_open_channel() and not self._is_doubtful:
                delivery = self._send(text)
            else:
                delivery = await self._connect(text, opened)
            await delivery
        except PeerError as exc:
            return str(exc)
        return None

    def _has_open_channel(self) -> bool:
        return self.channel is not None and self.channel.is_open

    def _send(self, text: str) -> Delivery:
        if self.channel is None:
            raise ChannelClosed(peer=self.peer, detail="there is none")
        return self.channel.send(text.encode())

    async def _connect(self, text: str, opened: Callable[[Channel], None]) -> Delivery:
        try:
            channel = await self._node.connect(self.peer, early_data=text.encode())
        except PeerError:
            if self._has_open_channel():  # no new one to be had, so the doubtful one gets its chance
                return self._send(text)
            raise
        self.adopt(channel)
        opened(channel)
        if channel.first_delivery is None:
            raise ChannelClosed(peer=self.peer, detail="the line did not travel with the connection")
        return channel.first_delivery
