"""aioice as a contestant: ``python -m benchmarks.aioice_contestant ROLE SERVER RELAY_PORT PREPARATION``.

Each run has an ``aioice.Connection`` of its own on either side, with our rendezvous server as its STUN server
and the matrix's line relay, connected beforehand, for signalling. IPv6 is off, since the lab has none and its
link-local candidates would only cost aioice time. Neither side knows of a TURN server, so any path is direct.

How much is done before the clock starts is the *preparation*, from what a program that uses aioice plainly
does to the most that a signalling server like ours could do for it:

=============  ==================================  ======================================================
preparation    before the clock starts             after
=============  ==================================  ======================================================
``none``       nothing                             gather, offer, callee gathers, answer, checks, payload
``gathered``   both gather                         offer, answer, checks, payload
``exchanged``  both gather, and know each other's  relay tells both to begin at once, checks, payload
=============  ==================================  ======================================================
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aioice import Connection

from benchmarks.contestant import PAYLOAD, Instants, Play, Role, check_payload, obey
from netlab.matrix.programs.aioice_agent import STUN_PORT, apply, describe


class Preparation(StrEnum):
    """See the module."""

    NONE = "none"
    GATHERED = "gathered"
    EXCHANGED = "exchanged"


class Signalling:
    """The line relay as seen by one side. It tells everybody everything, so a line says whose it is."""

    def __init__(self, role: Role, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._role = role
        self._reader = reader
        self._writer = writer

    def send(self, run: int, **values: Any) -> None:
        """Tells both sides something about a run."""
        line = json.dumps({"run": run, "by": self._role, **values})
        self._writer.write(line.encode() + b"\n")

    async def receive(self, run: int, *, by: Role) -> dict[str, Any]:
        """The next line of one side about this run; those of an earlier, failed run are passed over."""
        while line := await self._reader.readline():
            message: dict[str, Any] = json.loads(line)
            if (message["run"], message["by"]) == (run, by):
                return message
        raise ConnectionError("the line relay has gone")


class TimedConnection(Connection):
    """Notes when data comes from the network; ``recv`` gives it out only once ``connect`` has returned.

    Attributes:
        arrived_at: of the first payload, or None.
    """

    arrived_at: float | None = None

    def data_received(self, data: bytes, component: int) -> None:
        """Called by aioice for each datagram that is not STUN."""
        self.arrived_at = self.arrived_at or time.monotonic()
        super().data_received(data, component)


@dataclass(frozen=True, slots=True, kw_only=True)
class AioiceContestant:
    """See the module."""

    role: Role
    server: str
    preparation: Preparation
    signalling: Signalling

    @asynccontextmanager
    async def prepared(self, run: int) -> AsyncIterator[Play]:
        """A connection, as far as the preparation goes."""
        is_caller = self.role is Role.CALLER
        connection = TimedConnection(is_caller, stun_server=(self.server, STUN_PORT), use_ipv6=False)
        try:
            if self.preparation is not Preparation.NONE:
                await connection.gather_candidates()
            if self.preparation is Preparation.EXCHANGED:
                await self._exchange(connection, run)
            yield lambda: self._call(connection, run) if is_caller else self._answer(connection, run)
        finally:
            await connection.close()

    async def _call(self, connection: TimedConnection, run: int) -> Instants:
        started_at = time.monotonic()
        if self.preparation is Preparation.EXCHANGED:
            self.signalling.send(run)
            await self.signalling.receive(run, by=Role.CALLER)
        else:
            await self._exchange(connection, run)
        await connection.connect()
        await connection.send(PAYLOAD)
        return {"started_at": started_at}

    async def _answer(self, connection: TimedConnection, run: int) -> Instants:
        if self.preparation is Preparation.EXCHANGED:
            await self.signalling.receive(run, by=Role.CALLER)
        else:
            await self._exchange(connection, run)
        await connection.connect()
        received = await connection.recv()
        read_at = time.monotonic()
        check_payload(received)
        return {"arrived_at": connection.arrived_at or read_at, "read_at": read_at}

    async def _exchange(self, connection: Connection, run: int) -> None:
        """Offer and answer; gathers what has not been gathered, the callee once it has the offer."""
        if self.role is Role.CALLER:
            await connection.gather_candidates()
            self.signalling.send(run, **describe(connection))
            await apply(await self.signalling.receive(run, by=Role.CALLEE), connection)
        else:
            await apply(await self.signalling.receive(run, by=Role.CALLER), connection)
            await connection.gather_candidates()
            self.signalling.send(run, **describe(connection))


async def _main(role: Role, server: str, relay_port: int, preparation: Preparation) -> None:
    signalling = Signalling(role, *await asyncio.open_connection(server, relay_port))
    await obey(AioiceContestant(role=role, server=server, preparation=preparation, signalling=signalling))


if __name__ == "__main__":
    asyncio.run(_main(Role(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Preparation(sys.argv[4])))
