"""One side of a meeting in a lab: ``python -m tests.lab.ice_side ours|aioice caller|callee [OPTIONS]``.

Both sides ask the lab's server for their reflexive address, tell each other over its line relay, and begin
when the caller's second line comes back: at the same moment, but for ``--late``. Who has a nominated pair
says a word to the other and waits for its word. The last line on stdout is a report in JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import socket
from dataclasses import dataclass
from typing import Any

import aioice

from natcore import stun
from natcore.address import TransportAddress
from natcore.agent import Transmit
from natcore.ice import (
    Candidate,
    CandidateType,
    ConnectivityFailed,
    Credentials,
    IceAgent,
    IceConfig,
    LocalCandidate,
    PathSelected,
)
from netlab.matrix.programs.aioice_agent import apply, describe
from tests.integration.ice_shell import IceShell, from_sdp, opened_shell, to_sdp

SERVER = "198.51.100.10"
RELAY_PORT = 8443
STUN_SERVER = TransportAddress.from_sockaddr((SERVER, 10080))

PATIENCE = 8.0
"""Seconds for all of it."""

LINGER = 0.5
"""Seconds that a side stays after it has what it wants, for the other may still need its answers."""


@dataclass(frozen=True, slots=True)
class Signalling:
    """The line relay: everybody hears everything, the own words included."""

    role: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def say(self, **words: Any) -> None:
        self.writer.write(json.dumps({"by": self.role, **words}).encode() + b"\n")

    async def hear(self, key: str, *, by: str) -> dict[str, Any]:
        while line := await self.reader.readline():
            words: dict[str, Any] = json.loads(line)
            if words["by"] == by and key in words:
                return words
        raise ConnectionError("the line relay has gone")

    async def exchange(self, own: dict[str, Any]) -> dict[str, Any]:
        """Tells of us, hears of the other side, and waits for the beginning."""
        if self.role == "caller":
            self.say(**own)
            theirs = await self.hear("username", by="callee")
            self.say(begin=True)
        else:
            theirs = await self.hear("username", by="caller")
            self.say(**own)
        await self.hear("begin", by="caller")
        return theirs


async def our_side(signalling: Signalling, options: argparse.Namespace) -> dict[str, Any]:
    """Our agent."""
    async with opened_shell(own_address()) as shell:
        base, credentials = shell.base, Credentials.generate(secrets.token_bytes)
        reflexive = await reflexive_address(shell)
        host = LocalCandidate.of(CandidateType.HOST, base, base=base)
        published: list[Candidate] = [host]
        if reflexive != base:
            published.append(LocalCandidate.of(CandidateType.SERVER_REFLEXIVE, reflexive, base=base))
        own = {
            "username": credentials.ufrag,
            "password": credentials.pwd,
            "candidates": [to_sdp(candidate) for candidate in published],
        }
        theirs = await signalling.exchange(own)
        agent = IceAgent(
            config=IceConfig(opener_lead=options.lead, give_up_after=options.give_up_after),
            is_controlling=signalling.role == "caller",
            local=credentials,
            remote=Credentials(theirs["username"], theirs["password"]),
            local_candidates=[host],
            random=secrets.token_bytes,
            opener_ttl=options.opener_ttl,
        )
        await asyncio.sleep(options.late)
        shell.start(agent, [from_sdp(line) for line in theirs["candidates"]])
        report: dict[str, Any] = {"outcome": "failed", "reason": None, "heard": None}
        while report["outcome"] == "failed" and report["reason"] is None:
            match await shell.events.get():
                case ConnectivityFailed() as failed:
                    report["reason"] = failed.reason.name
                case PathSelected() as selected:
                    report["outcome"] = "direct"
                    report["kind"] = selected.path.kind.value
                    report["remote"] = str(selected.path.remote)
                    shell.send(f"from the {signalling.role}".encode())
                    report["heard"] = (await shell.received.get()).decode()
                    await asyncio.sleep(LINGER)
        counters = agent.counters
        return report | {"openers": counters.openers_sent, "is_controlling": agent.is_controlling}


async def aioice_side(signalling: Signalling, options: argparse.Namespace) -> dict[str, Any]:
    """The real aioice."""
    is_controlling = signalling.role == "caller"
    connection = aioice.Connection(is_controlling, stun_server=(SERVER, STUN_SERVER.port), use_ipv6=False)
    await connection.gather_candidates()
    theirs = await signalling.exchange(describe(connection))
    await apply(theirs, connection)
    await asyncio.sleep(options.late)
    await connection.connect()
    await connection.send(f"from the {signalling.role}".encode())
    heard = (await connection.recv()).decode()
    await asyncio.sleep(LINGER)
    await connection.close()
    return {"outcome": "direct", "heard": heard, "is_controlling": connection.ice_controlling}


def own_address() -> str:
    """Of the interface towards the server."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect(STUN_SERVER.to_sockaddr())
        return str(udp.getsockname()[0])


async def reflexive_address(shell: IceShell) -> TransportAddress:
    """As the server sees the socket."""
    request = stun.Message(
        method=stun.Method.BINDING,
        message_class=stun.MessageClass.REQUEST,
        transaction_id=stun.TransactionId(secrets.token_bytes(12)),
    ).encode(fingerprint=True)
    for _ in range(10):
        shell.transmit(Transmit(data=request, destination=STUN_SERVER, base=shell.base))
        try:
            async with asyncio.timeout(0.5):
                answer = stun.Message.decode(await shell.answers.get())
        except TimeoutError:
            continue
        mapped = answer.get(stun.XorMappedAddress)
        assert mapped is not None
        return mapped.address
    raise ConnectionError("the server does not answer")


async def meet(options: argparse.Namespace) -> dict[str, Any]:
    reader, writer = await asyncio.open_connection(SERVER, RELAY_PORT)
    side = {"ours": our_side, "aioice": aioice_side}[options.agent]
    try:
        async with asyncio.timeout(PATIENCE):
            return await side(Signalling(options.role, reader, writer), options)
    except (TimeoutError, ConnectionError) as error:
        return {"outcome": "failed", "reason": str(error) or "it took too long"}
    finally:
        writer.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("agent", choices=["ours", "aioice"])
    parser.add_argument("role", choices=["caller", "callee"])
    parser.add_argument("--late", type=float, default=0.0)
    parser.add_argument("--opener-ttl", type=int)
    parser.add_argument("--lead", type=float, default=IceConfig().opener_lead)
    parser.add_argument("--give-up-after", type=float, default=PATIENCE)
    print(json.dumps(asyncio.run(meet(parser.parse_args()))), flush=True)


if __name__ == "__main__":
    main()
