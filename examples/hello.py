"""Two programs that talk directly: run one with ``anna``, the other with ``elsa anna hello``.

::

    python examples/hello.py SERVER anna
    python examples/hello.py SERVER elsa anna hello
"""

from __future__ import annotations

import asyncio
import sys

import peer


async def answer(server: str, own_id: str) -> None:
    """Waits for a peer and echoes what it says until it leaves."""
    async with peer.Node(own_id, server) as node:
        print(f"{own_id} is seen at {await node.awake()}", flush=True)
        channel = await node.accept()
        async for data in channel:
            print(f"{channel.peer} says {data!r}", flush=True)
            await channel.send(b"you said " + data)


async def greet(server: str, own_id: str, peer_id: str, text: str) -> None:
    """Connects, says something and waits for the answer."""
    async with peer.Node(own_id, server) as node, await node.connect(peer_id) as channel:
        print(f"direct path to {channel.path}", flush=True)
        await channel.send(text.encode())
        print(f"{channel.peer} answers {await channel.receive()!r}", flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case [server, own_id]:
            asyncio.run(answer(server, own_id))
        case [server, own_id, peer_id, text]:
            asyncio.run(greet(server, own_id, peer_id, text))
        case _:
            sys.exit("usage: hello.py SERVER ID [PEER TEXT]")
