"""What a link does to the packets on it, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

from netlab.errors import BadTopology


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The link between an interface and what it is plugged into; the same in both directions.

    Attributes:
        delay: seconds, one way.
        jitter: each packet takes up to so many seconds more or less; packets may overtake each other.
        loss: the probability that a packet is lost.
        rate: bits a second, or None for no limit.

    Raises:
        BadTopology: a value makes no sense.
    """

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    rate: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.delay <= 60:
            raise BadTopology(f"delay of a link: got {self.delay:g} s, expected 0 to 60 s")
        if not 0 <= self.jitter <= self.delay:
            raise BadTopology(f"jitter of a link: got {self.jitter:g} s, expected 0 to the delay")
        if not 0 <= self.loss < 1:
            raise BadTopology(f"loss of a link: got {self.loss:g}, expected 0 or more and less than 1")
        if self.rate is not None and not 1e3 <= self.rate <= 1e11:
            raise BadTopology(f"rate of a link: got {self.rate:g} bit/s, expected 1 kbit/s to 100 Gbit/s")


PERFECT = Link()
"""Does nothing to packets."""
