"""The external ports that a NAT hands out, and in which order."""

from __future__ import annotations

from random import Random

from natcore.nat import NatBehavior, PortAllocation
from netlab.errors import UnsupportedBehavior

ALL_PORTS = range(1024, 65536)
"""What a NAT chooses from by default: all but the well-known ports (RFC 4787 section 4.2.2)."""

MAX_LISTED_PORTS = 4096
"""Ports that are listed one by one. In a user namespace, where nft may send the kernel some 200 KiB at once,
6,000 fit and 8,192 do not; a list of 4,096 costs 13 ms to load, which every lab with such a NAT pays.
"""


def port_list(behavior: NatBehavior, *, seed: int) -> tuple[int, ...] | None:
    """The ports in the order in which they are tried, over and over; None to draw from :func:`port_range`.

    Sequential ports go up by ``port_step`` from the first one of the pool; at the end of the pool they go on
    with the ports that were stepped over, so that every one has its turn. Random ports are a permutation.
    Without a ``port_pool`` sequential ports have one of :data:`MAX_LISTED_PORTS`, or as many as the step
    leaves room for. None of them comes again while it is in use, so with mappings of 120 s they last for
    34 new ones a second, for however long.

    Args:
        behavior: what the NAT does.
        seed: decides where the pool lies, and the permutation.

    Raises:
        UnsupportedBehavior: the step or the pool is out of bounds.
    """
    step, pool = behavior.port_step, behavior.port_pool
    if not 1 <= step < len(ALL_PORTS):
        raise UnsupportedBehavior(f"port step: got {step}, expected 1 to {len(ALL_PORTS) - 1}")
    if pool is not None and not 1 <= pool <= len(ALL_PORTS):
        raise UnsupportedBehavior(f"port pool: got {pool} ports, expected 1 to {len(ALL_PORTS)}")
    if behavior.allocation is PortAllocation.SEQUENTIAL:
        return _sequence(step, pool, Random(seed))
    if pool is None or pool > MAX_LISTED_PORTS or behavior.allocation is PortAllocation.PRESERVING:
        return None
    random = Random(seed)
    ports = list(_place(pool, random))
    random.shuffle(ports)
    return tuple(ports)


def port_range(behavior: NatBehavior, *, seed: int) -> range:
    """The ports to draw from where they are not listed."""
    if behavior.port_pool is None or behavior.allocation is PortAllocation.PRESERVING:
        return ALL_PORTS
    return _place(behavior.port_pool, Random(seed))


def _sequence(step: int, pool: int | None, random: Random) -> tuple[int, ...]:
    if pool is not None and pool > MAX_LISTED_PORTS:
        expected = f"at most {MAX_LISTED_PORTS} where they are sequential"
        raise UnsupportedBehavior(f"port pool: got {pool} ports, expected {expected}")
    if pool is None:
        count = min(MAX_LISTED_PORTS, len(ALL_PORTS) // step)
        first = _place(count * step, random).start
        return tuple(range(first, first + count * step, step))
    ports = _place(pool, random)
    return tuple(port for offset in range(step) for port in ports[offset::step])


def _place(count: int, random: Random) -> range:
    """Contiguous ports, somewhere."""
    first = ALL_PORTS.start + random.randrange(len(ALL_PORTS) - count + 1)
    return range(first, first + count)
