"""A node of ours that is as ready as that of a program that has run for a while."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from natcore.errors import PeerError
from peer import Node
from peer.trace import Trace

PREPARATIONS = 3
"""Nodes that are tried; with loss the server now and then cannot be reached in time."""

UNPREPARED = (PeerError, TimeoutError, OSError)
"""What can go wrong before a call."""


@asynccontextmanager
async def awake_node(client_id: str, server: str, *, trace: Trace | None = None) -> AsyncIterator[Node]:
    """A node with fresh sockets that is registered, Awake, and knows its NAT.

    Raises:
        PeerError: the server could not be reached, or did not see it, several times.
    """
    async with AsyncExitStack() as stack:
        for left in reversed(range(PREPARATIONS)):
            node = Node(client_id, server, trace=trace)
            try:
                await stack.enter_async_context(node)
                await node.awake()
                break
            except UNPREPARED:
                await stack.aclose()
                if not left:
                    raise
        await node.nat_learned()
        yield node
