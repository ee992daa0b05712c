"""One meeting of two peers whose circumstances a seed has chosen, and what it ought to come to."""

from __future__ import annotations

import random
from dataclasses import dataclass

from natcore.channel import SessionConfirmed, SessionEnded
from natcore.ice import IceConfig
from natcore.nat import EarlyInbound, Outcome, expected_outcome
from netlab.profiles import NatProfile
from tests.sim.conversation import Participant
from tests.sim.network import Link
from tests.sim.pair import SessionPair, make_sites

GIVE_UP_AFTER = IceConfig().give_up_after

SKEWS = (0.0, 0.002, 0.02, 0.06, 0.3, 2.0)
"""Seconds from one side's start to the other's: at once, within any latency, around it, far beyond it."""

LATENCIES = (0.0005, 0.01, 0.04, 0.15)
"""Seconds, one way: one city, one country, one ocean, a bad mobile network."""

MAX_DROP = 0.1
"""Of a lossy link. Fifteen checks in ten seconds leave one chance in 10^15 that all are lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encounter:
    """A meeting.

    Attributes:
        first: what the side that starts first sits behind.
        second: the same for the other.
        skew: seconds between their starts.
        link: what lies between them.
        first_controls: whether the side that starts first is the controlling one.
        seed: chose all this, and everything random in the meeting.
    """

    first: NatProfile
    second: NatProfile
    skew: float
    link: Link
    first_controls: bool
    seed: int

    @classmethod
    def drawn(cls, one: NatProfile, other: NatProfile, seed: int) -> Encounter:
        """The meeting of that seed."""
        chance = random.Random(f"{one.name} {other.name} {seed}")
        first, second = (one, other) if chance.random() < 0.5 else (other, one)
        link = Link(latency=chance.choice(LATENCIES))
        if chance.random() < 0.5:
            link.jitter = link.latency * chance.random()
            link.duplicate = chance.choice((0.0, 0.3))
        is_certain = expected_outcome(one.seen, other.seen) is not Outcome.TIMING
        if is_certain and chance.random() < 0.25:
            link.drop = MAX_DROP
        return cls(
            first=first,
            second=second,
            skew=chance.choice(SKEWS),
            link=link,
            first_controls=chance.random() < 0.5,
            seed=seed,
        )

    @property
    def expected(self) -> Outcome:
        """What the law says, and where it leaves it to the timing, what that says.

        The side that starts second is late when the other's first packet is at its NAT before it has sent.
        That is harmful where this NAT remaps. A first packet that is as late as the jitter allows, or not,
        leaves the meeting open.
        """
        by_law = expected_outcome(self.first.seen, self.second.seen)
        if by_law is not Outcome.TIMING:
            return by_law
        if self.second.seen.early_inbound is EarlyInbound.DROPS or self.skew < self.link.latency:
            return Outcome.DIRECT
        return Outcome.IMPOSSIBLE if self.skew > self.link.latency + self.link.jitter else Outcome.TIMING

    def hold(self) -> str:
        """Holds the meeting; returns what is wrong with how it ended, or nothing."""
        roles = self.first_controls, not self.first_controls
        pair = SessionPair(make_sites(self.first, self.second), link=self.link, seed=self.seed, roles=roles)
        pair.start(skew=self.skew)
        sides = pair.elsa, pair.anna
        pair.drive_while(
            lambda: not all(map(_is_decided, sides)), limit=GIVE_UP_AFTER + 1.0, what=f"an end of {self}"
        )
        came_to = [bool(side.events(SessionConfirmed)) for side in sides]
        if came_to[0] is not came_to[1]:
            return f"{self}: only {sides[came_to.index(True)].name} has a path"
        wanted = self.expected
        if wanted is Outcome.TIMING or came_to[0] is (wanted is Outcome.DIRECT):
            return ""
        return f"{self}: expected {wanted.value}, and they {'met' if came_to[0] else 'did not meet'}"

    def __str__(self) -> str:
        link = self.link
        return (
            f"{self.first.name} x {self.second.name}, seed {self.seed} (the second {self.skew * 1e3:g} ms"
            f" later, {link.latency * 1e3:g} + {link.jitter * 1e3:.1f} ms one way, {link.drop:.0%} lost,"
            f" {link.duplicate:.0%} doubled, {'first' if self.first_controls else 'second'} controls)"
        )


def _is_decided(side: Participant) -> bool:
    return any(isinstance(event, SessionConfirmed | SessionEnded) for _, event in side.log)
