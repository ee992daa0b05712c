"""When to look at the interfaces again.

Linux tells of every change to links, addresses and routes through a netlink socket (rtnetlink(7)), without
any privilege. What it tells is not read: it comes in pieces, may be cut short when there is much of it, and a
scan is needed anyway to know what is there now. So a change is only a reason to look; after it nothing is
looked at for a moment, as interfaces change in steps. Where there is no netlink, and in case something was
missed, there is a look every few seconds.

A machine that slept is told by its clocks: one counts while it sleeps (CLOCK_BOOTTIME), the other does not.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from enum import Enum

logger = logging.getLogger(__name__)

SETTLING_TIME = 0.1
"""Seconds from the first sign of a change to the look: an address and its route come one after the other."""

POLL_INTERVAL = 2.0
"""Seconds between two looks where no change is told."""

SLEPT_AT_LEAST = 5.0
"""Seconds; less is no sleep that a connection would notice."""

_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
"""RTMGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR and _IPV6_ROUTE of linux/rtnetlink.h."""

_READ_SIZE = 64 * 1024
_MAX_READS = 64
"""Then the event loop gets a turn."""


class Change(Enum):
    """What may have happened."""

    INTERFACES = "interfaces"
    SLEPT = "slept"


def time_asleep() -> float:
    """Seconds that this machine has slept since it started; 0 where it cannot be told."""
    if sys.platform != "linux":
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()


async def network_changes(
    *, poll_interval: float = POLL_INTERVAL, asleep: Callable[[], float] = time_asleep
) -> AsyncGenerator[Change, None]:
    """Comes back whenever there is a reason to look at the interfaces, for ever.

    Args:
        poll_interval: seconds after which there always is.
        asleep: seconds that this machine has slept in all.
    """
    slept_before = asleep()
    with _signs_of_change() as sign:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(poll_interval):
                    await sign.wait()
                    await asyncio.sleep(SETTLING_TIME)
            sign.clear()
            now = asleep()
            slept, slept_before = now - slept_before, now
            yield Change.SLEPT if slept >= SLEPT_AT_LEAST else Change.INTERFACES


@contextlib.contextmanager
def _signs_of_change() -> Iterator[asyncio.Event]:
    sign = asyncio.Event()
    netlink = _open_netlink()
    if netlink is None:
        yield sign
        return
    loop = asyncio.get_running_loop()
    with netlink:
        loop.add_reader(netlink, lambda: _drain(netlink, sign))
        try:
            yield sign
        finally:
            loop.remove_reader(netlink)


def _open_netlink() -> socket.socket | None:
    if sys.platform != "linux":
        return None
    try:
        netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    except OSError as exc:
        logger.debug("! changes of interfaces are not told: %s", exc)
        return None
    try:
        netlink.setblocking(False)
        netlink.bind((0, _GROUPS))
    except OSError as exc:
        logger.debug("! changes of interfaces are not told: %s", exc)
        netlink.close()
        return None
    return netlink


def _drain(netlink: socket.socket, sign: asyncio.Event) -> None:
    sign.set()
    for _ in range(_MAX_READS):
        try:
            netlink.recv(_READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            continue  # there was more than the socket could hold: that is a change, too
