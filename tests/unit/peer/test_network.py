from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import cast

import pytest

from natcore.address import IPAddress, TransportAddress
from natcore.ice import LocalCandidate
from peer import network
from peer.driver import Driver
from peer.errors import UnknownInterface
from peer.interfaces import Change, LocalAddress, LocalInterface
from peer.link import ServerLink
from peer.network import LocalNetwork, NetworkChange, NetworkFollower
from peer.server_address import ServerAddress
from peer.sockets import UdpSocket

SERVER = ip_address("127.0.0.1")


class Machine:
    """Interfaces with addresses of the real loopback interface, so that sockets can be opened."""

    def __init__(self, *addresses: str) -> None:
        self.routed: IPAddress | None = None
        self.has(*addresses)
        self.network = LocalNetwork(interfaces=lambda: self.interfaces, towards=lambda _: self.routed)
        self.opened: list[UdpSocket] = []

    def has(self, *addresses: str) -> None:
        self.interfaces = [
            LocalInterface(name=f"eth{number}", is_up=True, addresses=(LocalAddress(ip=ip_address(address)),))
            for number, address in enumerate(addresses)
        ]

    async def look(self) -> NetworkChange | None:
        change = await self.network.look(SERVER)
        self.opened += [] if change is None else change.opened
        return change


@pytest.fixture
async def machine() -> AsyncIterator[Machine]:
    one = Machine("127.0.0.2", "127.0.0.3")
    yield one
    for udp in one.opened:
        udp.close()
    await asyncio.sleep(0)  # asyncio closes in its next round


def ips(change: NetworkChange | None) -> list[str]:
    assert change is not None
    return [str(one.base.ip) for one in change.candidates]


async def test_each_address_gets_a_socket_and_the_best_the_highest_priority(machine: Machine) -> None:
    change = await machine.look()
    assert change is not None
    assert ips(change) == ["127.0.0.2", "127.0.0.3"]
    assert [one.base for one in change.opened] == [one.address for one in change.candidates]
    assert change.candidates[0].priority > change.candidates[1].priority
    assert machine.network.own == {ip_address("127.0.0.2"), ip_address("127.0.0.3")}


async def test_where_nothing_has_changed_there_is_nothing_to_do(machine: Machine) -> None:
    await machine.look()
    assert await machine.look() is None


async def test_an_address_that_stays_keeps_its_socket(machine: Machine) -> None:
    first = await machine.look()
    machine.has("127.0.0.3", "127.0.0.4")
    second = await machine.look()
    assert first is not None
    assert second is not None
    assert ips(second) == ["127.0.0.3", "127.0.0.4"]
    assert second.candidates[0].base == first.candidates[1].base
    assert second.gone == (first.candidates[0].base,)
    assert [str(one.base.ip) for one in second.opened if one.base is not None] == ["127.0.0.4"]


async def test_another_route_to_the_server_is_another_order(machine: Machine) -> None:
    await machine.look()
    machine.routed = ip_address("127.0.0.3")
    change = await machine.look()
    assert change is not None
    assert ips(change) == ["127.0.0.3", "127.0.0.2"]
    assert (change.opened, change.gone) == ([], ())


async def test_a_machine_without_any_address_keeps_what_it_had(machine: Machine) -> None:
    await machine.look()
    machine.has()
    assert await machine.look() is None
    machine.has("127.0.0.2", "127.0.0.3")
    assert await machine.look() is None


async def test_an_address_that_cannot_be_bound_costs_its_candidate_and_is_tried_again(
    machine: Machine,
) -> None:
    machine.has("127.0.0.2", "192.0.2.1")
    machine.network = LocalNetwork(interfaces=lambda: machine.interfaces, towards=lambda _: None)
    machine.interfaces[1] = LocalInterface(
        name="eth1", is_up=True, addresses=(LocalAddress(ip=ip_address("127.0.0.3")),)
    )
    with refusing("127.0.0.3"):
        assert ips(await machine.look()) == ["127.0.0.2"]
        assert await machine.look() is None
    assert ips(await machine.look()) == ["127.0.0.2", "127.0.0.3"]


@contextmanager
def refusing(address: str) -> Iterator[None]:
    real = UdpSocket.open

    async def refuse(ip: IPAddress) -> UdpSocket:
        if str(ip) == address:
            raise OSError
        return await real(ip)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(UdpSocket, "open", refuse)
        yield


def test_a_name_that_no_interface_has_is_an_error() -> None:
    with pytest.raises(UnknownInterface):
        LocalNetwork(["no-such-one"]).require_known()


# --- following ----------------------------------------------------------------------------------------------


class FakeLink(ServerLink):
    """A connection that begins at an address of the test's choice."""

    def __init__(self, near_end: str) -> None:
        super().__init__(ServerAddress("192.0.2.1"))
        self.near_end = TransportAddress.parse(near_end)
        self.cuts = 0

    def cut(self) -> None:
        self.cuts += 1


class FakeDriver:
    """Notes which addresses it was given."""

    def __init__(self) -> None:
        self.told: list[list[str]] = []

    def replace_hosts(
        self, candidates: Iterable[LocalCandidate], *, opened: list[UdpSocket], gone: object
    ) -> None:
        self.told.append([str(one.base.ip) for one in candidates])
        for udp in opened:
            udp.close()


async def follow(
    machine: Machine, link: FakeLink, change: Change, monkeypatch: pytest.MonkeyPatch
) -> tuple[NetworkFollower, FakeDriver]:
    """Follows one change to its end."""
    is_followed = asyncio.Event()

    async def once() -> AsyncGenerator[Change, None]:
        yield change
        is_followed.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(network, "network_changes", once)
    driver = FakeDriver()
    follower = NetworkFollower(machine.network, cast(Driver, driver), link)
    async with asyncio.TaskGroup() as tasks:
        follower.begin(tasks, SERVER)
        await is_followed.wait()
        follower.cancel()
    return follower, driver


async def test_a_connection_whose_own_address_is_gone_is_cut_and_made_anew_at_once(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await machine.look()
    link = FakeLink("127.0.0.2:1000")
    machine.has("127.0.0.4")
    follower, driver = await follow(machine, link, Change.INTERFACES, monkeypatch)
    assert (driver.told, link.cuts) == ([["127.0.0.4"]], 1)
    assert await follower.moved_within(3600.0)
    assert not await follower.moved_within(0.0), "once"


async def test_a_connection_whose_address_stays_is_kept(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await machine.look()
    link = FakeLink("127.0.0.2:1000")
    machine.has("127.0.0.2", "127.0.0.4")
    _, driver = await follow(machine, link, Change.INTERFACES, monkeypatch)
    assert (driver.told, link.cuts) == ([["127.0.0.2", "127.0.0.4"]], 0)


async def test_after_a_sleep_the_connection_is_made_anew_wherever_the_machine_is(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await machine.look()
    link = FakeLink("127.0.0.2:1000")
    follower, driver = await follow(machine, link, Change.SLEPT, monkeypatch)
    assert (driver.told, link.cuts) == ([], 1)
    assert await follower.moved_within(3600.0)
