"""The numbers of hard attempts that an owner may choose, each with its unit, source and reason."""

from __future__ import annotations

from dataclasses import dataclass

OPENING_SPEED = 2
"""How much faster than the rate packets may leave for less than a second, as those do that open our NAT and
die behind it. Each waits for the peer's probes, so the earlier the better: the median meeting of birthday
probing comes a fifth earlier. Only our own router sees them, and what a second may see holds for them, too.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HardNatLimits:
    """What one host may cost others while it looks for a port. Times are in seconds.

    Attributes:
        packet_rate: packets in any one second, all attempts of a host together. With the checks, the early
            data and what the server is told beside them, up to 31 in the first second, there are 250 at most,
            0.26 Mbit/s, a voice call; EasyTier's 1,000 a second was
            taken for a flood by a campus network (EasyTier#2165), and hyperdht's 50 need 35 s for what this
            does in 8.
        max_packets_a_minute: all attempts of a host together. Whoever asks for one attempt after the other
            gets two long ones, or fifteen for which it opens 256 sockets; 67 packets a second, on average.
        max_packets: of one attempt and one side; with what leaves beside them there are 2,000 at most. 256
            sockets and 1,715 random ports of 64,512 meet in 99.9 of 100 attempts; the rest is for what gets
            lost, and all of it fits into the ten seconds that ICE takes.
        max_sockets: that a side opens beside the one it has. 256 as hyperdht does: a process may usually have
            1,024 open files, and more sockets would save the median attempt 0.1 s.
        opener_ttl: hops after which the first packet of each holding socket dies, so that it opens our NAT
            and disturbs no other, where the distance to our NAT is not known; None for no limit, whether it
            is or not. 5 as hyperdht does: a home router and a carrier's NAT are within it, and the peer's
            home hardly ever is.
        quiet_duration: how long a side whose plan has no packets of its own lets plain checks go on: the
            peer's measurement may be wrong, and in this time plain checks have been repeated ten times.
        max_duration: of an attempt. The default numbers need 10 s; a peer that says it is slower must not
            keep this host from other attempts.
    """

    packet_rate: int = 215
    max_packets_a_minute: int = 4000
    max_packets: int = 1850
    max_sockets: int = 256
    opener_ttl: int | None = 5
    quiet_duration: float = 2.0
    max_duration: float = 15.0
