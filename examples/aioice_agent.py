"""A program that knows nothing of this toolkit: an ICE agent of aioice's that says hello to another one.

::

    python aioice_agent.py controlling SERVER PATIENCE
    python aioice_agent.py controlled SERVER PATIENCE

It prints one JSON object: what it heard over the path that ICE found, or null if there was none within
PATIENCE seconds. Its exit code says the same: 0 or 1.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from aioice import Candidate, Connection

STUN_PORT = 10080
RELAY_PORT = 10081


async def say_hello(role: str, server: str, patience: float) -> str | None:
    """What the other one said, or None if there is no path to it."""
    connection = Connection(role == "controlling", stun_server=(server, STUN_PORT), use_ipv6=False)
    try:
        await exchange_candidates(connection, role, server)
        async with asyncio.timeout(patience):
            await connection.connect()
            await connection.send(f"hello from {role}".encode())
            heard: bytes = await connection.recv()
            return heard.decode()
    except (ConnectionError, TimeoutError) as problem:
        print(f"no path: {problem!r}", file=sys.stderr)
        return None
    finally:
        await connection.close()


async def exchange_candidates(connection: Connection, role: str, server: str) -> None:
    """Tells the other one, over the line relay, where we may be reached, and is told the same."""
    await connection.gather_candidates()
    ours = {
        "role": role,
        "username": connection.local_username,
        "password": connection.local_password,
        "candidates": [candidate.to_sdp() for candidate in connection.local_candidates],
    }
    reader, writer = await asyncio.open_connection(server, RELAY_PORT)
    writer.write(json.dumps(ours).encode() + b"\n")
    theirs: dict[str, Any] = ours
    while theirs["role"] == role:
        theirs = json.loads(await reader.readline())
    writer.close()
    connection.remote_username = theirs["username"]
    connection.remote_password = theirs["password"]
    for candidate in theirs["candidates"]:
        await connection.add_remote_candidate(Candidate.from_sdp(candidate))
    await connection.add_remote_candidate(None)


if __name__ == "__main__":
    answer = asyncio.run(say_hello(sys.argv[1], sys.argv[2], float(sys.argv[3])))
    print(json.dumps({"heard": answer}), flush=True)
    sys.exit(answer is None)
