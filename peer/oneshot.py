"""``peer connect`` and ``peer listen``: one attempt, one report."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from natcore.control.messages import Status
from natcore.errors import PeerError
from peer.attempts import evidence_of
from peer.channel import Channel
from peer.errors import ChannelClosed
from peer.node import Node
from peer.report import Report
from peer.text import decoded

logger = logging.getLogger(__name__)

LINGER = 0.5
"""Seconds that a channel stays open after its work is done: the peer may have missed our last answer, and
the side that connects first must not leave the other one checking alone."""

GOODBYE_TIMEOUT = 2.0
"""Seconds that a listener waits for the peer to close, so that a lost confirmation can be asked for again."""


async def connect(node: Node, peer: str, *, message: str | None, timeout: float, wait: float) -> Report:
    """Connects to ``peer``, delivers ``message`` and reports.

    Args:
        node: entered.
        peer: whom to connect to.
        message: travels with the first checks.
        timeout: seconds for the attempt.
        wait: seconds to wait for the peer to be Awake before the attempt.
    """
    await node.awake()
    await node.nat_learned()
    await _wait_for(node, peer, wait)
    started_at = asyncio.get_running_loop().time()
    early_data = None if message is None else message.encode()
    async with await node.connect(peer, timeout=timeout, early_data=early_data) as channel:
        path = await channel.confirmed()
        elapsed = asyncio.get_running_loop().time() - started_at
        logger.info("= path %s after %.3f s", path, elapsed)
        reason = await _failure_of(channel.first_delivery)
        received = await _receive_within(channel, LINGER)
        return Report.direct(
            channel,
            channel.path or path,
            elapsed=elapsed,
            message=received,
            reason=reason,
            evidence=evidence_of(channel, node.nat),
        )


async def listen(node: Node, *, once: bool, tell: Callable[[Report], None]) -> Report | None:
    """Waits for peers and reports each one; returns the report of the first where ``once`` is set.

    Args:
        node: Awake.
        once: whether to wait for one only.
        tell: gets each report.
    """
    async with asyncio.TaskGroup() as tasks:
        while True:
            channel = await node.accept()
            if once:
                report = await _receive_from(node, channel)
                tell(report)
                return report
            tasks.create_task(_receive_and_tell(node, channel, tell))


async def _receive_and_tell(node: Node, channel: Channel, tell: Callable[[Report], None]) -> None:
    tell(await _receive_from(node, channel))


async def _receive_from(node: Node, channel: Channel) -> Report:
    """Takes the first message of a channel, or its end."""
    started_at = asyncio.get_running_loop().time()
    message = None
    async with channel:
        try:
            path = await channel.confirmed()
            elapsed = asyncio.get_running_loop().time() - started_at
            with contextlib.suppress(ChannelClosed):
                message = decoded(await channel.receive())
        except PeerError as exc:
            return Report.failed(channel.peer, exc, evidence_of(channel, node.nat))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_TIMEOUT):
                await channel.closed()
        return Report.direct(
            channel,
            channel.path or path,
            elapsed=elapsed,
            message=message,
            evidence=evidence_of(channel, node.nat),
        )


async def _wait_for(node: Node, peer: str, wait: float) -> None:
    """Waits until the peer is Awake, or the time is over: the server then says what is the matter."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wait):
            while node.clients.get(peer) is not Status.AWAKE:
                await node.next_event()


async def _failure_of(delivery: Awaitable[None] | None) -> str | None:
    if delivery is not None:
        try:
            await delivery
        except PeerError as exc:
            return str(exc)
    return None


async def _receive_within(channel: Channel, seconds: float) -> str | None:
    with contextlib.suppress(TimeoutError, ChannelClosed):
        async with asyncio.timeout(seconds):
            return decoded(await channel.receive())
    return None
