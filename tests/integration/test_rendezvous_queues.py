from __future__ import annotations

import asyncio
import json

from natcore.registry import RegistryConfig
from rendezvous.config import ServerConfig
from rendezvous.server import Server

TALKATIVE = RegistryConfig(line_rate=1e9, line_burst=10**9)
"""So that a client can ask for more than it reads: by default its lines run out first."""

REGISTER = b'{"type":"register","id":"%s","version":1}\n'


async def until_reported(reports: asyncio.Queue[str], line: str) -> None:
    async with asyncio.timeout(20):
        while await reports.get() != line:
            pass


async def test_a_client_that_does_not_read_is_dropped_with_a_reason() -> None:
    reports: asyncio.Queue[str] = asyncio.Queue()
    config = ServerConfig(
        host="127.0.0.1", port=0, max_queue_size=4096, queue_patience=0.05, registry=TALKATIVE
    )
    async with Server(config, reports.put_nowait) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.address.port)
        writer.write(REGISTER % b"elsa")
        await reader.readline()
        _, deaf = await asyncio.open_connection("127.0.0.1", server.address.port, limit=1024)
        deaf.write(REGISTER % b"deaf" + b'{"type":"ping"}\n' * 2_000_000)
        await until_reported(reports, "deaf is disconnected")
        deaf.transport.abort()
        async with asyncio.timeout(20):
            while True:
                message = json.loads(await reader.readline())
                changes = message.get("changes", [])
                if changes and changes[-1]["change"] == "disconnected":
                    break
        assert changes[-1] == {
            "id": "deaf",
            "change": "disconnected",
            "reason": "does not read: 4 KiB are waiting",
        }
        writer.close()


async def test_a_slow_reader_within_its_patience_loses_nothing() -> None:
    reports: asyncio.Queue[str] = asyncio.Queue()
    config = ServerConfig(
        host="127.0.0.1", port=0, max_queue_size=4096, queue_patience=20, registry=TALKATIVE
    )
    count = 200_000
    async with Server(config, reports.put_nowait) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.address.port, limit=1024)
        writer.write(REGISTER % b"slow" + b'{"type":"ping"}\n' * count)
        async with asyncio.timeout(60):
            assert b"registered" in await reader.readline()
            for _ in range(count):
                assert await reader.readline() == b'{"type":"pong"}\n'
        writer.close()
        await until_reported(reports, "slow is disconnected")
