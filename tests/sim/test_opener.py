"""The low-TTL opener against routers that remap on early inbound packets, in virtual time, agents alone."""

from __future__ import annotations

import pytest

from natcore.agent import Transmit
from natcore.ice import (
    Candidate,
    CandidateType,
    CheckStarted,
    ConnectivityFailed,
    Credentials,
    IceAgent,
    IceConfig,
    LocalCandidate,
    PathConfirmed,
    PathSelected,
)
from netlab.model import models_of
from netlab.profiles import PROFILES
from tests.sim.conversation import Conversation
from tests.sim.network import Link, Network
from tests.sim.pair import SERVER, Site, attach, local_host, make_lan, make_sites, seeded

CONFIG = IceConfig()
LATENCY = 0.001
"""Seconds, one way: two peers in one city, where a packet takes less time than a busy machine."""

LATE = LATENCY + CONFIG.opener_lead / 2
"""Seconds from one side's start to the other's: its check would be too early without a lead, not with one."""

OPENER_TTL = 2
"""One hop to our own NAT, and one more."""


class IcePair(Conversation):
    """Two agents and nothing above them; the first one controls."""

    def __init__(
        self,
        sites: tuple[Site, Site],
        *,
        latency: float = LATENCY,
        opener_ttls: tuple[int | None, int | None] = (OPENER_TTL, OPENER_TTL),
    ) -> None:
        super().__init__(Network(Link(latency=latency), seed=1))
        self.sides = attach(self.network, sites, ("elsa", "anna"), 1)
        credentials = [Credentials.generate(seeded(f"{side.name}")) for side in self.sides]
        self.agents: list[IceAgent] = []
        self._candidates: list[list[Candidate]] = []
        for index, (site, side) in enumerate(zip(sites, self.sides, strict=True)):
            agent = IceAgent(
                config=CONFIG,
                is_controlling=index == 0,
                local=credentials[index],
                remote=credentials[1 - index],
                local_candidates=[local_host(site.host)],
                random=seeded(f"agent {index}"),
                opener_ttl=opener_ttls[index],
            )
            side.agent = agent
            self.agents.append(agent)
            self.take_part(side)
            seen = self.network.observe(site.host, side.place, SERVER, self.now)
            own = [local_host(site.host)]
            if seen is not None and seen != site.host:
                own.append(LocalCandidate.of(CandidateType.SERVER_REFLEXIVE, seen, base=site.host))
            self._candidates.append([Candidate.from_wire(one.to_wire()) for one in own])

    def start(self, *, skew: float = 0.0) -> None:
        for index, side in enumerate(self.sides):
            self.agents[index].start(self._candidates[1 - index], self.now)
            side.drain(self.now)
            if index == 0 and skew:
                self.advance(skew)

    def meets(self) -> bool:
        """Whether both have a path in the end."""
        self.drive_while(lambda: not all(map(self._is_decided, (0, 1))), limit=11.0)
        return all(side.events(PathConfirmed) for side in self.sides)

    def _is_decided(self, index: int) -> bool:
        return any(
            isinstance(event, PathConfirmed | ConnectivityFailed) for _, event in self.sides[index].log
        )

    def openers(self) -> list[tuple[float, Transmit]]:
        return [(at, one) for at, one in self.network.sent if one.ttl is not None]


def ttl_of(site: Site) -> int | None:
    """As whoever has counted the routers up to the outermost NAT would choose it."""
    hops = len(models_of(site.profile, site.public_ip, seed=1))
    return hops + 1 if hops else None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("naive", "naive"),
        ("port-restricted", "naive"),
        ("non-preserving-cone", "naive"),
        ("stateful-firewall", "naive"),
    ],
)
def test_a_naive_router_is_lost_to_a_late_start_and_saved_by_the_opener(first: str, second: str) -> None:
    sites = make_sites(first, second)
    without = IcePair(sites, opener_ttls=(None, None))
    without.start(skew=LATE)
    assert not without.meets(), "this skew is harmless, so it proves nothing"
    with_opener = IcePair(sites)
    with_opener.start(skew=LATE)
    assert with_opener.meets()


def test_the_opener_of_the_side_that_starts_first_is_the_one_that_counts() -> None:
    # It is its check that is early. The late side's comes when the other's NAT has long been open.
    sites = make_sites("port-restricted", "naive")
    for ttls, expected in (((OPENER_TTL, None), True), ((None, OPENER_TTL), False)):
        pair = IcePair(sites, opener_ttls=ttls)
        pair.start(skew=LATE)
        assert pair.meets() is expected, ttls


@pytest.mark.parametrize("skew", [0.0, LATENCY / 2, LATENCY, LATE, LATENCY + 0.99 * CONFIG.opener_lead])
def test_the_lead_covers_every_delay_up_to_itself_beyond_the_latency(skew: float) -> None:
    pair = IcePair(make_sites("naive", "naive"))
    pair.start(skew=skew)
    assert pair.meets()


@pytest.mark.parametrize("ttl", [3, 4])
def test_an_opener_that_reaches_the_peers_nat_does_the_harm_itself(ttl: int) -> None:
    # Which is why the distance must be known and not guessed.
    pair = IcePair(make_sites("port-restricted", "naive"), opener_ttls=(ttl, ttl))
    pair.start(skew=LATE)
    assert not pair.meets()


def test_an_opener_that_does_not_leave_our_own_nat_opens_nothing_and_costs_only_the_lead() -> None:
    pair = IcePair(make_sites("port-restricted", "port-restricted"), opener_ttls=(1, 1))
    pair.start()
    assert pair.meets()
    assert pair.now == pytest.approx(2 * LATENCY + CONFIG.opener_lead)


@pytest.mark.parametrize("first", PROFILES)
def test_no_pair_that_meets_without_an_opener_is_worse_off_for_it(first: str) -> None:
    latency = 0.02
    for second in PROFILES:
        took: list[float] = []
        sites = make_sites(first, second)
        for ttls in ((None, None), (ttl_of(sites[0]), ttl_of(sites[1]))):
            pair = IcePair(sites, latency=latency, opener_ttls=ttls)
            pair.start()
            met = pair.meets()
            took.append(pair.now if met else float("inf"))
        assert took[1] <= took[0] + CONFIG.opener_lead + 1e-9, f"{first} x {second}: {took}"


def test_an_easy_pair_of_40_ms_waits_for_the_lead_and_no_longer() -> None:
    latency = 0.02
    pair = IcePair(make_sites("port-restricted", "port-restricted"), latency=latency)
    pair.start()
    assert pair.meets()
    assert pair.now == pytest.approx(2 * latency + CONFIG.opener_lead)
    assert len(pair.openers()) == 2
    for side in pair.sides:
        started = [(at, event.destination) for at, event in side.log if isinstance(event, CheckStarted)]
        assert [at for at, _ in started] == [0.0, CONFIG.opener_lead], "the host candidate is not waited for"


def test_two_in_one_home_meet_there_and_lose_no_time() -> None:
    pair = IcePair(make_lan("port-restricted"))
    pair.start()
    pair.drive_until(PathSelected, *pair.sides)
    for side in pair.sides:
        (selected,) = side.events(PathSelected)
        assert selected.path.kind is CandidateType.HOST
        assert side.time_of(PathConfirmed) < CONFIG.opener_lead
