from __future__ import annotations

import asyncio
from typing import cast

import pytest

from natcore.address import ReflexiveAddress, TransportAddress
from peer import forwarding
from peer.driver import Driver
from peer.forwarding import Forwarding
from peer.portmapping import MapperConfig, Wanted
from peer.trace import Trace

HOME, CELL = TransportAddress.parse("192.168.1.10:4000"), TransportAddress.parse("10.0.0.10:5000")
OUTSIDE = ReflexiveAddress(TransportAddress.parse("203.0.113.7:4000"))


class FakeEndpoint:
    base: TransportAddress | None = None

    def set_mapped(self, address: TransportAddress | None) -> None:
        pass


class FakeDriver:
    def __init__(self) -> None:
        self.endpoint = FakeEndpoint()


class FakeMapper:
    """Maps for ever, and notes what, and when it was told to stop."""

    log: list[tuple[str, TransportAddress]]
    mapping = None
    reason = None

    def __init__(self, wanted: Wanted, **_options: object) -> None:
        self.wanted = wanted

    async def run(self) -> None:
        self.log.append(("asked", self.wanted.internal))
        try:
            await asyncio.Event().wait()
        finally:
            self.log.append(("given back", self.wanted.internal))


async def test_in_another_network_the_port_is_given_back_and_another_gateway_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    FakeMapper.log = []
    monkeypatch.setattr(forwarding, "PortMapper", FakeMapper)
    driver = FakeDriver()
    async with asyncio.TaskGroup() as tasks:
        asking = Forwarding(cast(Driver, driver), tasks, MapperConfig(), Trace())
        asking.begin()
        driver.endpoint.base = HOME
        asking.begin()
        asking.judge(OUTSIDE)
        await asyncio.sleep(0)
        assert FakeMapper.log == [("asked", HOME)], "once for each socket"
        driver.endpoint.base = CELL
        asking.judge(OUTSIDE)
        for _ in range(3):
            await asyncio.sleep(0)
        assert sorted(FakeMapper.log[1:]) == [("asked", CELL), ("given back", HOME)]
        asking.cancel()


async def test_where_the_server_sees_no_nat_the_gateway_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeMapper.log = []
    monkeypatch.setattr(forwarding, "PortMapper", FakeMapper)
    driver = FakeDriver()
    driver.endpoint.base = HOME
    async with asyncio.TaskGroup() as tasks:
        asking = Forwarding(cast(Driver, driver), tasks, MapperConfig(), Trace())
        asking.begin()
        await asyncio.sleep(0)
        asking.judge(ReflexiveAddress(HOME))
    assert FakeMapper.log == [("asked", HOME), ("given back", HOME)]
