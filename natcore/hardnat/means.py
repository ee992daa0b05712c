"""What two sides bring to an attempt, and how probable and how soon it is that they meet by it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, islice

from natcore.hardnat.behavior import SideSummary
from natcore.hardnat.birthday import median_seconds, meeting_probability
from natcore.hardnat.drift import Drift, sweep
from natcore.hardnat.limits import OPENING_SPEED
from natcore.hardnat.plans import Role, Technique
from natcore.hardnat.ports import PortPool
from natcore.nat import MappingBehavior

PREDICTION_SOCKETS = 16
"""That hold next to a predictable NAT. More make a wider target, but 16 are opened in 64 ms, and the easy
side tries 250 ports a second; so even a NAT that is 100 ports off is hit within half a second."""

HOLD_ROUNDS = 3
"""How often each holding socket sends: twice to open, for the first may be lost in the home, and once to
speak."""

SWEEP_ROUNDS = 3
"""How often what was swept is sent: the mappings stay, and one packet of ten may be lost."""

MAX_POOL_SHARE = 4
"""At most one in so many of the ports that a NAT gives out are taken for an attempt. Carriers give a
subscriber 64 to 2,048, and whoever else is at home needs some, too."""

SETTLE_INTERVAL = 1.0
"""Seconds after the last packet in which an answer may come: longer than any round trip on earth, twice."""


@dataclass(frozen=True, slots=True)
class Means:
    """What one side brings to an attempt.

    Attributes:
        sockets: that it opens.
        packets: that it sends.
        packet_rate: in a second.
        pool: of its NAT's ports.
        drift: of its NAT where that is predictable.
    """

    sockets: int
    packets: int
    packet_rate: int
    pool: PortPool
    drift: Drift | None

    @classmethod
    def of(cls, side: SideSummary, technique: Technique, role: Role) -> Means:
        """What a role takes of what a side can give, without taking its NAT's last ports."""
        pool = PortPool.of(side)
        ports = pool.size // MAX_POOL_SHARE
        sockets, packets = min(side.sockets, ports), side.packets
        match role:
            case Role.HOLD:
                if technique is Technique.PREDICTION:
                    sockets = min(sockets, PREDICTION_SOCKETS)
                packets = min(packets, HOLD_ROUNDS * sockets)
            case Role.SWEEP:
                packets = min(packets, SWEEP_ROUNDS * sockets)
            case Role.SPRAY | Role.SCATTER:
                if role is Role.SPRAY:
                    sockets = 0
                if side.assumed().mapping is not MappingBehavior.ENDPOINT_INDEPENDENT:
                    packets = min(packets, ports)  # each takes one
            case _:
                pass
        return cls(sockets, packets, side.packet_rate, pool, Drift.of(side))


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides' means; but for ``aims`` everything is the same on either side."""

    technique: Technique
    own: Means
    peer: Means

    @property
    def rate(self) -> int:
        """Packets a second: the slower side's, so that both tell their bursts apart alike."""
        return min(self.own.packet_rate, self.peer.packet_rate)

    @property
    def duration(self) -> float:
        """Until the slower side has tried everything, a holding one has spoken, and all that has arrived."""
        packets = max(self.own.packets, self.peer.packets)
        return (packets + max(self.own.sockets, self.peer.sockets)) / self.rate + SETTLE_INTERVAL

    @property
    def aims(self) -> tuple[int, ...]:
        """Where each of our sockets aims when we sweep; nothing where we do not."""
        is_sweep = self.technique is Technique.PREDICTION and self.own.sockets and self.peer.sockets
        if not is_sweep or self.own.drift is None or self.peer.drift is None:
            return ()
        sockets = min(self.own.sockets, self.peer.sockets)
        return tuple(sweep(self.own.drift, self.peer.drift, sockets=sockets, rate=self.rate))

    def odds(self) -> tuple[float, float]:
        """The probability of meeting, and the median of the seconds until then."""
        if self.aims:
            return self._odds_of_sweeping()
        if self.own.sockets and self.peer.sockets:
            return self._odds_of_scattering()
        holder, sprayer = (self.own, self.peer) if self.own.sockets else (self.peer, self.own)
        if self.technique is Technique.BIRTHDAY or holder.drift is None:
            probability = meeting_probability(holder.sockets, sprayer.packets, holder.pool.size)
            median = median_seconds(holder.sockets, holder.pool.size, self.rate, speed=OPENING_SPEED)
            return probability, median
        # A pass over the likely ports may be for nothing where the sides start apart, so half are counted.
        opened_after = holder.sockets / self.rate
        within_reach = sum(islice(holder.drift.probabilities(opened_after), sprayer.packets // 2))
        median = (holder.sockets / 2 + holder.drift.deviation(opened_after)) / self.rate
        return min(1.0, within_reach) if holder.sockets else 0.0, median

    def _odds_of_sweeping(self) -> tuple[float, float]:
        """Each burst meets where no other host took one of the two ports that count."""
        bursts = [len(list(burst)) for _, burst in groupby(self.aims)]
        meets = 1.0
        for drift in (self.own.drift, self.peer.drift):
            meets *= 0.0 if drift is None else self.rate / (self.rate + drift.rate)
        return 1 - (1 - meets) ** len(bursts), bursts[0] / 2 / self.rate

    def _odds_of_scattering(self) -> tuple[float, float]:
        """Two birthday probings at once, one in each direction."""
        own, peer = self.own, self.peer
        missed = 1.0
        for holder, sprayer in ((own, peer), (peer, own)):
            missed *= 1 - meeting_probability(holder.sockets, sprayer.packets, holder.pool.size)
        sockets, ports = min(own.sockets, peer.sockets), max(own.pool.size, peer.pool.size)
        return 1 - missed, median_seconds(sockets, ports // 2, self.rate)
