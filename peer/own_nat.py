"""What a node's own NAT does: measured in the background while the node is Awake, and told to peers.

A discovery takes some six round trips and runs whenever the server sees us at a new IP address. Where the
ports of new mappings count up, fresh samples are taken again and again, since the next port is foretold from
the last ones, and how fast others take ports from those before. Elsewhere the lifetime of an idle mapping is
measured once, to refresh ours in time and no more often than that. What a busy server did not answer is asked
again later: it limits what one address may ask, and behind a carrier's NAT many share one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import deque
from dataclasses import replace

from natcore.address import IPAddress, ReflexiveAddress, TransportAddress
from natcore.discovery import DiscoveryReport, LifetimeConfig, value_of
from natcore.hardnat import MAX_SAMPLES, HardNatLimits, PortSample, SideSummary
from natcore.nat import PortAllocation
from peer.check.behavior import discover, measure_lifetime, sample_ports
from peer.driver import Driver

logger = logging.getLogger(__name__)

SAMPLE_INTERVAL = 10.0
"""Seconds between two looks at how far a sequential NAT has come; each takes eight of its ports."""

FRESH_FOR = 0.5
"""Seconds in which samples need not be renewed before we connect, which costs a round trip. At 20 strange
mappings a second the NAT is ten further then, three more or less."""

LEARNING_TIMEOUT = 2.0
"""Seconds; a measurement takes some six round trips."""

TRIED_AGAIN_AFTER = (20.0, 60.0, 180.0)
"""Seconds after which a discovery is repeated that a busy server has put off; half as long or half as long
again by chance, since those who share the address were put off with us."""

LIFETIME = LifetimeConfig(limit=64.0, precision=0.25)
"""Refreshing less often than twice in so long saves nobody anything, and a quarter is exact enough."""


class OwnNat:
    """See the module.

    Args:
        driver: of the endpoint that tells the peers.
        tasks: where the measurements run.
        limits: what we would spend on a hard pair.

    Attributes:
        report: what was found so far, or None.
    """

    def __init__(self, driver: Driver, tasks: asyncio.TaskGroup, limits: HardNatLimits) -> None:
        self.report: DiscoveryReport | None = None
        self._driver = driver
        self._tasks = tasks
        self._limits = limits
        self._learning: asyncio.Task[None] | None = None
        self._measured_at: IPAddress | None = None
        self._is_learned = asyncio.Event()
        self._ports_were_used = asyncio.Event()
        self._samples: deque[tuple[int, float]] = deque(maxlen=MAX_SAMPLES)

    def learn(self, observed: ReflexiveAddress) -> None:
        """Measures in the background, once for each public IP address: behind another there is another NAT.

        A mapping that moved to another port does not change what the NAT does.
        """
        base, server = self._driver.endpoint.base, self._driver.endpoint.server
        if base is None or server is None or base.ip.is_loopback or observed.ip == self._measured_at:
            return
        self.cancel()
        self._measured_at = observed.ip
        self._is_learned = asyncio.Event()
        self._learning = self._tasks.create_task(self._measure(base.ip, server, self._is_learned))

    async def learned(self, timeout: float = LEARNING_TIMEOUT) -> None:
        """Waits until it has been measured, or cannot be; at most ``timeout`` seconds."""
        if self._learning is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._is_learned.wait()

    async def refresh(self) -> None:
        """Takes fresh samples where they matter: the peer aims at our next port, so it must know the last."""
        is_fresh = bool(self._samples) and self._driver.now - self._samples[-1][1] < FRESH_FOR
        if self._counts_up and not is_fresh:
            with contextlib.suppress(OSError):
                await self._tell(bursts=1)

    def ports_were_used(self) -> None:
        """We have opened many mappings: what was sampled before is old."""
        self._samples.clear()
        self._ports_were_used.set()

    def cancel(self) -> None:
        """Stops measuring."""
        if self._learning is not None:
            self._learning.cancel()

    @property
    def _counts_up(self) -> bool:
        """Whether the next port can be foretold, from the last ones."""
        allocation = None if self.report is None else value_of(self.report.allocation)
        return allocation is not None and allocation.kind is PortAllocation.SEQUENTIAL

    async def _measure(self, local: IPAddress, server: TransportAddress, is_learned: asyncio.Event) -> None:
        self._driver.endpoint.set_mapping_lifetime(None, self._driver.now)
        self._samples.clear()
        try:
            await self._discover(local, server)
        finally:
            is_learned.set()
        for pause in TRIED_AGAIN_AFTER:
            if self.report is None or not self.report.was_put_off:
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause * random.uniform(0.5, 1.5)):
                    await self._follow_the_ports()
            await self._discover(local, server)
        if self._counts_up:
            await self._follow_the_ports()
        elif self.report is not None:
            with contextlib.suppress(OSError):
                await self._measure_lifetime(local, self.report)

    async def _discover(self, local: IPAddress, server: TransportAddress) -> None:
        try:
            self.report = await discover(local, [server], with_tcp=False)
            await self._tell()
        except OSError as exc:
            logger.info("! our NAT cannot be measured: %s", exc)

    async def _follow_the_ports(self) -> None:
        """Does so until it is cancelled, as long as they count up."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SAMPLE_INTERVAL):
                    await self._ports_were_used.wait()
            self._ports_were_used.clear()
            if self._counts_up:
                with contextlib.suppress(OSError):
                    await self._tell()

    async def _measure_lifetime(self, local: IPAddress, report: DiscoveryReport) -> None:
        if report.is_blocked or report.rtt is None:
            return
        finding = await measure_lifetime(local, report, LIFETIME)
        self.report = replace(report, mapping_lifetime=finding)
        lifetime = value_of(finding)
        if lifetime is not None:
            logger.info("= an idle mapping lives for %.3g s at least", lifetime.at_least)
            self._driver.endpoint.set_mapping_lifetime(lifetime.at_least, self._driver.now)
            self._driver.transmit()

    async def _tell(self, *, bursts: int = 2) -> None:
        """Publishes what it does, with fresh ports where those foretell the next.

        Args:
            bursts: one says where the NAT is, and two how fast others move it on, too.

        Raises:
            OSError: there are no sockets to be had.
        """
        endpoint, report = self._driver.endpoint, self.report
        base, server = endpoint.base, endpoint.server
        if report is None or base is None or server is None:
            return
        if self._counts_up:
            self._samples.extend(await sample_ports(base.ip, server, bursts=bursts))
        now = self._driver.now
        summary = SideSummary.from_report(
            report,
            samples=[PortSample(port=port, age=now - at) for port, at in self._samples],
            limits=self._limits,
            has_mapped_port=endpoint.mapped_address is not None,
        )
        endpoint.set_nat(summary, now, distance=report.nat_distance)
        self._driver.transmit()
