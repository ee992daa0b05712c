"""aioice as a program of the matrix: ``python3 aioice_agent.py caller|callee SERVER PORT``.

A stand-alone script that knows the lab only by its contract. SERVER has a line relay on TCP port PORT for
signalling, and STUN on UDP port 10080. Both sides gather their candidates before the clock starts, as both
sides of ``peer`` have been seen by their server before it does; the caller's clock runs from its offer to the
moment when aioice has a nominated pair. IPv6 is off, because the lab's homes have none.

The last line on stdout is the report, and exit code 0 means that there is a direct path. There is no TURN
server, so no path can be anything else.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

from aioice import Candidate, Connection

STUN_PORT = 10080
LINGER = 0.5
"""Seconds that a side stays after its path is there, because the other side may still be checking."""

CLOSE_TIMEOUT = 2.0
"""Seconds for aioice to send its goodbyes."""

PAYLOAD = b"hello"


class Progress:
    """What has been reached, for the timeline of the report; seconds count from the caller's offer."""

    def __init__(self) -> None:
        self.started_at = time.monotonic()
        self.timeline: list[dict[str, Any]] = []

    def note(self, event: str) -> None:
        """Something has happened."""
        self.timeline.append({"at": round(time.monotonic() - self.started_at, 6), "event": event})

    def start(self) -> None:
        """The clock starts now; what was before has happened at a negative time."""
        shift = time.monotonic() - self.started_at
        for event in self.timeline:
            event["at"] = round(event["at"] - shift, 6)
        self.started_at += shift


async def attempt(role: str, server: str, port: int, timeout: float) -> dict[str, Any]:
    """One attempt; returns the report."""
    progress = Progress()
    try:
        reader, writer = await asyncio.open_connection(server, port)
    except OSError as error:
        return _failed(f"no signalling: {error}", progress)
    connection = Connection(role == "caller", stun_server=(server, STUN_PORT), use_ipv6=False)
    try:
        await connection.gather_candidates()
        progress.note(f"gathered {', '.join(candidate.type for candidate in connection.local_candidates)}")
        print("READY", flush=True)
        if role == "caller":
            progress.start()
        async with asyncio.timeout(timeout if role == "caller" else None):
            return await _connect(connection, role, reader, writer, progress)
    except TimeoutError:
        return _failed(f"no nominated pair within {timeout:g} s", progress)
    except (ConnectionError, ValueError) as error:
        return _failed(str(error) or type(error).__name__, progress)
    finally:
        writer.close()
        await _close(connection)


async def _connect(
    connection: Connection,
    role: str,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    progress: Progress,
) -> dict[str, Any]:
    ours = json.dumps({"by": role, **describe(connection)}).encode() + b"\n"
    if role == "caller":
        writer.write(ours)
        progress.note("offered")
        await apply(await _description_of_other(role, reader), connection)
    else:
        await apply(await _description_of_other(role, reader), connection)
        progress.start()
        writer.write(ours)
    progress.note("has the other side's candidates")
    await connection.connect()
    elapsed = time.monotonic() - progress.started_at
    progress.note("has a nominated pair")
    await connection.send(PAYLOAD)
    await asyncio.sleep(LINGER)
    return {
        "outcome": "direct",
        "elapsed": round(elapsed, 6),
        "technique": "plain-checks",
        "path": _path(connection),
        "timeline": progress.timeline,
    }


def _failed(reason: str, progress: Progress) -> dict[str, Any]:
    return {"outcome": "failed", "reason": reason, "timeline": progress.timeline}


async def _description_of_other(role: str, reader: asyncio.StreamReader) -> dict[str, Any]:
    """The next line that is not our own: the relay tells everybody everything."""
    while line := await reader.readline():
        description: dict[str, Any] = json.loads(line)
        if description["by"] != role:
            return description
    raise ConnectionError("the line relay has gone")


def describe(connection: Connection) -> dict[str, Any]:
    """What the other side has to know of ours, once the candidates are gathered."""
    return {
        "username": connection.local_username,
        "password": connection.local_password,
        "candidates": [candidate.to_sdp() for candidate in connection.local_candidates],
    }


async def apply(description: dict[str, Any], connection: Connection) -> None:
    """Tells a connection all there is to know of the other side."""
    connection.remote_username = description["username"]
    connection.remote_password = description["password"]
    for candidate in description["candidates"]:
        await connection.add_remote_candidate(Candidate.from_sdp(candidate))
    await connection.add_remote_candidate(None)


def _path(connection: Connection) -> dict[str, str]:
    """The pair, as aioice has it: the local end is a host's address, for it sees no NAT of its own."""
    pair = connection._nominated.get(1)  # it has no public name for what it chose
    if pair is None:
        return {}
    remote = pair.remote_addr
    return {"kind": pair.remote_candidate.type, "remote": f"{remote[0]}:{remote[1]}"}


async def _close(connection: Connection) -> None:
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await connection.close()
    except TimeoutError:
        return  # the process ends, and with it the sockets


def main() -> int:
    """The program; returns its exit code."""
    role, server, port = sys.argv[1:]
    report = asyncio.run(attempt(role, server, int(port), float(os.environ.get("NETLAB_TIMEOUT", "5"))))
    print(json.dumps(report), flush=True)
    return 0 if report["outcome"] == "direct" else 1


if __name__ == "__main__":
    sys.exit(main())
