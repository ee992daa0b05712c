"""Runs one behaviour discovery on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Sequence

from natcore.address import IPAddress, TransportAddress
from natcore.discovery import (
    BURST_SIZE,
    LIFETIME_SOCKETS,
    SOCKET_COUNT,
    Discovery,
    DiscoveryReport,
    Finding,
    Known,
    LifetimeConfig,
    LifetimeDiscovery,
    LifetimeProgress,
    MappingLifetime,
    PortSampler,
    PortSamples,
    Unknown,
    value_of,
)
from peer.check.drive import Drive

TCP_TIMEOUT = 3.0
"""Seconds for a connection; a lost SYN is repeated after one."""

TCP_ATTEMPTS = 3
"""Connections that are tried, so that a lost SYN does not decide."""

TCP_STAGGER = 0.25
"""Seconds between two of them, as in RFC 8305."""


async def discover(
    local: IPAddress, servers: Sequence[TransportAddress], *, with_tcp: bool = True
) -> DiscoveryReport:
    """Asks servers what the NAT does.

    Args:
        local: the address to ask from.
        servers: STUN servers of its family, best first.
        with_tcp: whether TCP connections are tried, too; else a silent server leaves open whether UDP is
            blocked.

    Raises:
        OSError: the sockets cannot be opened.
    """
    drive = Drive(local, SOCKET_COUNT)
    with contextlib.closing(drive):
        agent = Discovery(bases=drive.bases, servers=servers, random=secrets.token_bytes, now=drive.now)
        async with asyncio.TaskGroup() as tasks:
            connecting = [tasks.create_task(_try_tcp(one, agent, drive)) for one in servers if with_tcp]
            if not with_tcp:
                for server in servers:
                    agent.tcp_failed(server, drive.now)
            async for report in drive.run(agent):
                for task in connecting:
                    task.cancel()
                return report
    raise AssertionError("a discovery ends with a report")


async def sample_ports(local: IPAddress, server: TransportAddress, *, bursts: int = 2) -> PortSamples:
    """The ports that the NAT gives to new mappings now; instants are those of the event loop's clock.

    Args:
        local: the address to ask from.
        server: a STUN server of its family.
        bursts: of :data:`BURST_SIZE` mappings each.

    Raises:
        OSError: the sockets cannot be opened.
    """
    drive = Drive(local, bursts * BURST_SIZE)
    with contextlib.closing(drive):
        agent = PortSampler(bases=drive.bases, server=server, random=secrets.token_bytes, now=drive.now)
        async for samples in drive.run(agent):
            return samples
    raise AssertionError("a sampling ends with samples")


async def measure_lifetime(
    local: IPAddress,
    report: DiscoveryReport,
    config: LifetimeConfig,
    progress: Callable[[LifetimeProgress], None] = lambda _: None,
) -> Finding[MappingLifetime]:
    """Measures how long an idle mapping lives, of a NAT that ``report`` is about.

    Args:
        local: the address to ask from.
        report: says whether there is anything to measure, and by which server.
        config: how exact, and how long at most.
        progress: hears how far it has come.

    Raises:
        OSError: the sockets cannot be opened.
    """
    if not value_of(report.translated) and _lets_all_in(report):
        return Unknown("nothing is translated or filtered, so nothing expires")
    drive = Drive(local, LIFETIME_SOCKETS)
    with contextlib.closing(drive):
        best = max(report.servers, key=lambda server: server.quality)
        agent = LifetimeDiscovery(
            bases=drive.bases, server=best.primary, random=secrets.token_bytes, now=drive.now, config=config
        )
        async for event in drive.run(agent):
            match event:
                case LifetimeProgress():
                    progress(event)
                case Known() | Unknown():
                    return event
    raise AssertionError("a measurement of the lifetime ends with a finding")


def _lets_all_in(report: DiscoveryReport) -> bool:
    own = report.behavior()
    return own is not None and own.filtering.value == "endpoint-independent"


async def _try_tcp(server: TransportAddress, agent: Discovery, drive: Drive) -> None:
    attempts = [
        asyncio.create_task(_connect(server, position * TCP_STAGGER)) for position in range(TCP_ATTEMPTS)
    ]
    try:
        for attempt in asyncio.as_completed(attempts):
            seconds = await attempt
            if seconds is not None:
                agent.tcp_connected(server, seconds, drive.now)
                break
        else:
            agent.tcp_failed(server, drive.now)
        drive.turn()
    finally:
        for each in attempts:
            each.cancel()


async def _connect(server: TransportAddress, delay: float) -> float | None:
    """Seconds that a connection takes, or None where it does not come about."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(delay)
    began_at = loop.time()
    try:
        async with asyncio.timeout(TCP_TIMEOUT):
            _, writer = await asyncio.open_connection(str(server.ip), server.port)
    except (OSError, TimeoutError):
        return None
    writer.transport.abort()
    return loop.time() - began_at
