"""How long a mapping lives, in what the kernel's timers take: whole seconds."""

from __future__ import annotations

from natcore.nat import NatBehavior
from netlab.errors import UnsupportedBehavior

MAX_LIFETIME = 2_147_483
"""Seconds; ipset counts milliseconds in 31 bits."""


def whole_seconds(behavior: NatBehavior) -> int:
    """The mapping lifetime.

    Rounding would be a lie, and 0 means *for ever* to ipset.

    Raises:
        UnsupportedBehavior: it is a fraction, or out of bounds.
    """
    lifetime = behavior.mapping_lifetime
    if not 1 <= lifetime <= MAX_LIFETIME or lifetime != int(lifetime):
        expected = f"whole seconds, 1 to {MAX_LIFETIME:,}"
        raise UnsupportedBehavior(f"mapping lifetime: got {lifetime:g} s, expected {expected}")
    return int(lifetime)
