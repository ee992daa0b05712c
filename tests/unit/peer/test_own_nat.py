"""When a node looks at its NAT again, at the ports of one that counts up above all, and what it tells."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from natcore.address import ReflexiveAddress, TransportAddress
from natcore.discovery import BURST_SIZE, DiscoveryReport, PortSamples
from natcore.discovery.allocation import Allocation
from natcore.discovery.finding import Known, Unknown
from natcore.hardnat import MAX_SAMPLES, HardNatLimits, SideSummary
from natcore.nat import PortAllocation
from peer import own_nat
from peer.driver import Driver
from peer.own_nat import FRESH_FOR, OwnNat
from tests.unit.natcore.discovery.reports import report_of

BASE = TransportAddress.parse("192.168.7.10:40000")
SERVER = TransportAddress.parse("198.51.100.10:10080")
COUNTS_UP = Allocation(
    kind=PortAllocation.SEQUENTIAL, step=1, confidence=0.9, samples=20, lowest=40000, highest=40019
)


class _Home:
    """A driver, its endpoint, and a NAT that counts up; the clock is the test's."""

    mapped_address = None
    base, server = BASE, SERVER

    def __init__(self) -> None:
        self.now = 100.0
        self.told: list[SideSummary] = []
        self.bursts: list[int] = []
        self.port = 40020
        self.is_server_busy = False
        self.discoveries = 0
        self.was_asked_again = asyncio.Event()

    @property
    def endpoint(self) -> _Home:
        return self

    def set_nat(self, nat: SideSummary, now: float, *, distance: int | None) -> None:
        self.told.append(nat)

    def set_mapping_lifetime(self, lifetime: float | None, now: float) -> None:
        pass

    def transmit(self) -> None:
        pass

    async def discover(self, *_: Any, **__: Any) -> DiscoveryReport:
        self.discoveries += 1
        if self.discoveries > 1:
            self.was_asked_again.set()
        known = replace(report_of(), allocation=Known(COUNTS_UP, "they do"))
        return replace(known, was_put_off=True, filtering=Unknown("busy")) if self.is_server_busy else known

    async def sample_ports(self, *_: Any, bursts: int) -> PortSamples:
        self.bursts.append(bursts)
        first, self.port = self.port, self.port + bursts * BURST_SIZE
        return tuple((port, self.now) for port in range(first, self.port))


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> _Home:
    scene = _Home()
    monkeypatch.setattr(own_nat, "discover", scene.discover)
    monkeypatch.setattr(own_nat, "sample_ports", scene.sample_ports)
    return scene


async def learned(home: _Home, tasks: asyncio.TaskGroup) -> OwnNat:
    nat = OwnNat(cast(Driver, home), tasks, HardNatLimits())
    nat.learn(ReflexiveAddress(TransportAddress.parse("203.0.113.7:40019")))
    await nat.learned()
    return nat


async def settle() -> None:
    """Lets every task run until it waits for time."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_the_first_look_takes_two_bursts_and_connecting_soon_after_none(home: _Home) -> None:
    async with asyncio.TaskGroup() as tasks:
        nat = await learned(home, tasks)
        home.now += FRESH_FOR - 0.01
        await nat.refresh()
        assert home.bursts == [2]
        assert [one.port for one in home.told[-1].samples] == list(range(40020, 40028))
        nat.cancel()


async def test_who_connects_later_looks_once_more_and_tells_the_earlier_ports_too(home: _Home) -> None:
    async with asyncio.TaskGroup() as tasks:
        nat = await learned(home, tasks)
        home.now += 5.0
        await nat.refresh()
        assert home.bursts == [2, 1]
        assert [one.age for one in home.told[-1].samples] == [5.0] * 8 + [0.0] * 4
        for _ in range(3):
            home.now += 5.0
            await nat.refresh()
        assert len(home.told[-1].samples) == MAX_SAMPLES
        assert home.told[-1].samples[-1].port == home.port - 1
        nat.cancel()


async def test_ports_from_before_an_attempt_are_forgotten_and_looked_at_anew(home: _Home) -> None:
    async with asyncio.TaskGroup() as tasks:
        nat = await learned(home, tasks)
        home.port += 256
        nat.ports_were_used()
        await settle()
        assert home.bursts == [2, 2]
        assert [one.port for one in home.told[-1].samples] == list(range(40284, 40292))
        nat.cancel()


async def test_what_a_busy_server_has_put_off_is_asked_again_later(
    home: _Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_nat, "TRIED_AGAIN_AFTER", (0.01, 0.01))
    home.is_server_busy = True
    async with asyncio.TaskGroup() as tasks:
        nat = await learned(home, tasks)
        home.is_server_busy = False
        async with asyncio.timeout(5.0):
            await home.was_asked_again.wait()
        await settle()
        assert home.told[0].filtering is None
        assert home.told[-1].filtering is not None
        await asyncio.sleep(0.05)
        assert home.discoveries == 2, "there is nothing left to ask"
        nat.cancel()


async def test_a_server_that_stays_busy_is_left_alone_in_the_end(
    home: _Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_nat, "TRIED_AGAIN_AFTER", (0.0, 0.0, 0.0))
    home.is_server_busy = True
    async with asyncio.TaskGroup() as tasks:
        nat = await learned(home, tasks)
        await settle()
        await asyncio.sleep(0.05)
        assert home.discoveries == 4
        nat.ports_were_used()
        await settle()
        assert len(home.bursts) == 5, "its ports are followed nevertheless"
        nat.cancel()
