"""The product as a contestant: ``python -m benchmarks.peer_contestant ROLE SERVER WHEN``.

Each run has a node of its own on either side, hence fresh ports, and both are registered and Awake before the
clock starts, as running programs are. WHEN is ``early``, the payload travels with the first checks as that of
``peer connect --message`` does, or ``late``, it is sent on the confirmed path, as any stack could send it.
Its arrival is when the application reads it, which is a little later than when the datagram came.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.awake_node import awake_node
from benchmarks.contestant import PAYLOAD, Instants, Play, Role, check_payload, obey
from natcore.control.messages import Status
from peer import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerContestant:
    """See the module."""

    role: Role
    server: str
    is_early: bool

    @asynccontextmanager
    async def prepared(self, run: int) -> AsyncIterator[Play]:
        """A node that is registered and Awake, the caller's also aware that the callee's is."""
        when = "early" if self.is_early else "late"  # both contestants are with one server
        async with awake_node(f"{self.role}-{when}-{run}", self.server) as node:
            if self.role is Role.CALLEE:
                yield lambda: _receive(node)
                return
            callee = f"{Role.CALLEE}-{when}-{run}"
            while node.clients.get(callee) is not Status.AWAKE:
                await node.next_event()
            yield lambda: _connect(node, callee, is_early=self.is_early)


async def _connect(node: Node, callee: str, *, is_early: bool) -> Instants:
    started_at = time.monotonic()
    channel = await node.connect(callee, early_data=PAYLOAD if is_early else None)
    if not is_early:
        channel.send(PAYLOAD)
    return {"started_at": started_at}


async def _receive(node: Node) -> Instants:
    channel = await node.accept()
    received = await channel.receive()
    arrived_at = time.monotonic()
    check_payload(received)
    return {"arrived_at": arrived_at, "read_at": arrived_at}


def _main(role: Role, server: str, when: str) -> None:
    asyncio.run(obey(PeerContestant(role=role, server=server, is_early=when == "early")))


if __name__ == "__main__":
    _main(Role(sys.argv[1]), sys.argv[2], sys.argv[3])
