"""How many reflected answers there may be: so many for one source, and so many in all.

A source is an IPv4 address, or the /64 of an IPv6 address, which is what one subscriber has at least. The
table of sources is bounded: the one that asked least recently goes, and is a stranger with a full bucket when
it comes back. Who forges more sources than it holds is stopped by the bucket of all.
"""

from __future__ import annotations

from collections import OrderedDict

from natcore.address import IPAddress
from natcore.registry.token_bucket import TokenBucket

_IPV6_HOST_BITS = 64


class Allowance:
    """Token buckets, of each source and of all.

    Args:
        rate: reflected answers a second to one source, in the long run.
        burst: so many at once.
        total_rate: reflected answers a second to everybody, in the long run; a second's worth at once.
        max_sources: that are remembered.
    """

    def __init__(self, *, rate: float, burst: int, total_rate: float, max_sources: int) -> None:
        self._rate = rate
        self._burst = burst
        self._max_sources = max_sources
        self._total = TokenBucket(rate=total_rate, burst=int(total_rate), now=0.0)
        self._sources: OrderedDict[int, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sources)

    def take(self, source: IPAddress, now: float) -> bool:
        """Whether one more may go to ``source``, which then is counted."""
        return self._bucket(source, now).take(now) and self._total.take(now)

    def _bucket(self, source: IPAddress, now: float) -> TokenBucket:
        name = _name(source)
        bucket = self._sources.get(name)
        if bucket is None:
            if len(self._sources) >= self._max_sources:
                self._sources.popitem(last=False)
            bucket = self._sources[name] = TokenBucket(rate=self._rate, burst=self._burst, now=now)
        self._sources.move_to_end(name)
        return bucket


def _name(source: IPAddress) -> int:
    """A number for each source; IPv6 counts from 2^32 on, so that no two families meet."""
    number = int(source)
    return number if source.version == 4 else (number >> _IPV6_HOST_BITS) + (1 << 32)
