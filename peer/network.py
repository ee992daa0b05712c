"""The sockets of a node, in step with the machine's addresses.

What enters: which addresses there are, whenever somebody looks. What leaves: the sockets to open and to
close, and host candidates in the order of preference. What is always true: an address that stays keeps its
socket, so its port, its NAT's mapping and the paths from it; a machine that has no address at the moment
keeps all it had, as a cable that is plugged in again brings back the same one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from natcore.address import IPAddress, TransportAddress
from natcore.ice import CandidateType, LocalCandidate
from natcore.ice.candidate import MAX_LOCAL_PREFERENCE
from peer.driver import Driver
from peer.interfaces import (
    Change,
    LocalInterface,
    choose_addresses,
    local_interfaces,
    network_changes,
    require_known,
)
from peer.link import ServerLink
from peer.sockets import UdpSocket, address_towards

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkChange:
    """What a look at the interfaces has led to.

    Attributes:
        candidates: host candidates, the best first.
        opened: sockets of new addresses.
        gone: bases of sockets whose address is gone.
    """

    candidates: tuple[LocalCandidate, ...]
    opened: list[UdpSocket]
    gone: tuple[TransportAddress, ...]


class LocalNetwork:
    """See the module. Whoever takes the sockets over closes them.

    Args:
        only: the names of the interfaces to use; empty for the default.
        interfaces: what there is.

    Attributes:
        own: every address of an interface that is up, used or not, as of the last look.
    """

    def __init__(
        self,
        only: Sequence[str] = (),
        *,
        interfaces: Callable[[], Sequence[LocalInterface]] = local_interfaces,
        towards: Callable[[IPAddress], IPAddress | None] = address_towards,
    ) -> None:
        self.own: frozenset[IPAddress] = frozenset()
        self._only = tuple(only)
        self._interfaces = interfaces
        self._towards = towards
        self._bases: dict[IPAddress, TransportAddress] = {}

    def require_known(self) -> None:
        """Checks the names that were chosen.

        Raises:
            UnknownInterface: there is no interface of one of them.
        """
        require_known(self._interfaces(), self._only)

    async def look(self, server_ip: IPAddress) -> NetworkChange | None:
        """Looks which addresses there are now; None where nothing is to be done.

        Args:
            server_ip: the address of the route to it comes first.
        """
        interfaces = self._interfaces()
        wanted = choose_addresses(
            interfaces, routed=self._towards(server_ip), on_loopback=server_ip.is_loopback, only=self._only
        )
        self.own = frozenset(one.ip for each in interfaces if each.is_up for one in each.addresses)
        if not wanted or wanted == list(self._bases):
            return None
        opened = await _opened([ip for ip in wanted if ip not in self._bases])
        known = self._bases | {udp.base.ip: udp.base for udp in opened if udp.base is not None}
        now = {ip: known[ip] for ip in wanted if ip in known}
        if list(now) == list(self._bases):
            return None
        gone = tuple(base for ip, base in self._bases.items() if ip not in now)
        self._bases = now
        logger.info("= local addresses: %s", ", ".join(map(str, now.values())))
        return NetworkChange(candidates=_candidates(now.values()), opened=opened, gone=gone)


class NetworkFollower:
    """Has a node follow its machine from network to network, until it is cancelled.

    Args:
        network: the addresses.
        driver: gets the sockets.
        link: cut where its own address is gone, or where the machine slept and the server has given us up:
            TCP would go on trying for a long time.

    """

    def __init__(self, network: LocalNetwork, driver: Driver, link: ServerLink) -> None:
        self._task: asyncio.Task[None] | None = None
        self._has_moved = asyncio.Event()
        self._network = network
        self._driver = driver
        self._link = link

    def begin(self, tasks: asyncio.TaskGroup, server_ip: IPAddress) -> None:
        """Looks at the interfaces whenever they may have changed, in the background.

        Args:
            tasks: where that runs.
            server_ip: where the server was found first; later it is wherever the link leads to.
        """
        self._task = tasks.create_task(self._run(server_ip))

    def cancel(self) -> None:
        """Looks no more."""
        if self._task is not None:
            self._task.cancel()

    async def moved_within(self, seconds: float) -> bool:
        """Waits so long, or until there are other addresses: then the server may be tried again at once.

        Addresses that came before count, once: it may be for them that the connection was cut.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._has_moved.wait()
        has_moved = self._has_moved.is_set()
        self._has_moved.clear()
        return has_moved

    async def _run(self, server_ip: IPAddress) -> None:
        async with contextlib.aclosing(network_changes()) as changes:
            async for change in changes:
                far_end = self._link.far_end
                server_ip = server_ip if far_end is None else far_end.ip
                await self._follow(change, server_ip)

    async def _follow(self, change: Change, server_ip: IPAddress) -> None:
        moved = await self._network.look(server_ip)
        if moved is not None:
            self._driver.replace_hosts(moved.candidates, opened=moved.opened, gone=moved.gone)
            self._has_moved.set()
        near_end = self._link.near_end
        is_stranded = near_end is not None and moved is not None and near_end.ip not in self._network.own
        if is_stranded or change is Change.SLEPT:
            logger.info("= the connection to the server is made anew: %s", change.value)
            self._link.cut()
            self._has_moved.set()


async def _opened(addresses: Iterable[IPAddress]) -> list[UdpSocket]:
    opened: list[UdpSocket] = []
    try:
        for ip in addresses:
            with contextlib.suppress(OSError):  # an address that is going away costs its candidate only
                opened.append(await UdpSocket.open(ip))
    except BaseException:
        for udp in opened:
            udp.close()
        raise
    return opened


def _candidates(bases: Iterable[TransportAddress]) -> tuple[LocalCandidate, ...]:
    return tuple(
        LocalCandidate.of(
            CandidateType.HOST, base, base=base, local_preference=MAX_LOCAL_PREFERENCE - position
        )
        for position, base in enumerate(bases)
    )
