"""When an ordinary check may start: a small burst from each socket, then one every Ta from each.

Deviation from RFC 8445 section 6.1.4.2, which has one Ta for all pairs. Each socket stands on an address of
its own and mostly on a link of its own, and it is the NAT at the end of that link whom Ta spares. So what is
sent into a dead interface takes no turn of a live one's.
"""

from __future__ import annotations

from natcore.address import TransportAddress
from natcore.ice.config import IceConfig


class Pacing:
    """See the module. Bounded by the sockets of one session.

    Args:
        config: how large the burst is and how long Ta.
    """

    def __init__(self, config: IceConfig) -> None:
        self._config = config
        self._begun_at = float("inf")
        self._started: dict[TransportAddress, tuple[int, float]] = {}

    def begin(self, now: float) -> None:
        """There are pairs, or new ones: what a burst has room for may start from ``now`` on."""
        self._begun_at = now

    def due_at(self, base: TransportAddress) -> float:
        """The instant from which on a check may start from ``base``."""
        count, last_at = self._started.get(base, (0, self._begun_at))
        is_in_burst = count < self._config.initial_burst
        return self._begun_at if is_in_burst else last_at + self._config.pacing_interval

    def started(self, base: TransportAddress, now: float) -> None:
        """Notes that a check started from ``base``."""
        count, _ = self._started.get(base, (0, now))
        self._started[base] = count + 1, now
