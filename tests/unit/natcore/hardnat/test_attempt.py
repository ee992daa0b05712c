from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from natcore.address import TransportAddress
from natcore.hardnat import (
    AttemptState,
    HardAttempt,
    HardNatLimits,
    HostBudget,
    Probe,
    SideSummary,
    VerifiedAddress,
    plan,
)
from natcore.hardnat.attempt import REOPEN_AFTER
from tests.sim.pair import seeded
from tests.unit.natcore.hardnat.sides import EASY, HARD, HARD_OPEN, NEXT

PEER = VerifiedAddress(TransportAddress.parse("203.0.113.8:40000"))
LIMITS = HardNatLimits()


class Scene:
    """One side and its host's budget."""

    def __init__(self, own: SideSummary, peer: SideSummary, limits: HardNatLimits = LIMITS) -> None:
        self.host = HostBudget(limits)
        budget = self.host.begin()
        assert budget is not None
        self.attempt = HardAttempt(
            plan(own, peer, limits), peer=PEER, budget=budget, random=seeded(1), now=100.0
        )
        self.sent: list[tuple[float, Probe]] = []

    def drive(self, *, until: float = float("inf")) -> None:
        """Time goes on to each timer, up to so many seconds after the start."""
        for _ in range(10_000):
            due = self.attempt.get_timer()
            if due is None or due > 100.0 + until:
                return
            self.attempt.handle_timer(due)
            self.sent += [(due - 100.0, probe) for probe in self.attempt.probes_to_send()]
        raise AssertionError("an attempt without an end")

    @property
    def ports(self) -> list[int]:
        return [probe.destination.port for _, probe in self.sent]


def test_a_spraying_side_sends_from_its_one_socket_to_each_port_once() -> None:
    scene = Scene(EASY, HARD)
    scene.drive()
    assert len(scene.sent) == len(set(scene.ports)) == LIMITS.max_packets
    assert {probe.socket_index for _, probe in scene.sent} == {0}
    assert {probe.destination.ip for _, probe in scene.sent} == {PEER.ip}
    assert {probe.ttl for _, probe in scene.sent} == {None}
    assert scene.sent[-1][0] == pytest.approx(LIMITS.max_packets / LIMITS.packet_rate, abs=0.1)
    assert scene.attempt.state is AttemptState.FAILED


def test_a_holding_side_opens_twice_and_speaks_last() -> None:
    scene = Scene(HARD, EASY)
    scene.drive()
    rounds = [scene.sent[:256], scene.sent[256:512], scene.sent[512:]]
    for turn in rounds:
        assert [probe.socket_index for _, probe in turn] == list(range(1, 257))
        assert {probe.destination for _, probe in turn} == {PEER}
    assert [{probe.ttl for _, probe in turn} for turn in rounds] == [{5}, {5}, {None}]
    starts = [turn[0][0] for turn in rounds]
    assert starts[:2] == [0.0, REOPEN_AFTER]
    assert starts[2] >= 8.0, "when the peer has tried its ports"


def test_a_predicting_side_begins_with_the_next_ports() -> None:
    scene = Scene(EASY, NEXT)
    scene.drive(until=0.2)
    assert set(scene.ports[:16]) <= set(range(40003, 40035))


def test_a_sweeping_side_sends_from_fresh_sockets_and_then_again_the_same() -> None:
    scene = Scene(NEXT, NEXT)
    scene.drive()
    pairs = [(probe.socket_index, probe.destination.port) for _, probe in scene.sent]
    assert [index for index, _ in pairs[:256]] == list(range(1, 257))
    assert pairs[:256] == pairs[256:512] == pairs[512:]
    assert len(pairs) == 768


def test_a_scattering_side_sends_from_all_its_sockets_to_different_ports() -> None:
    scene = Scene(HARD_OPEN, HARD_OPEN)
    scene.drive()
    assert len(set(scene.ports)) == LIMITS.max_packets
    per_socket = Counter(probe.socket_index for _, probe in scene.sent)
    assert set(per_socket) == set(range(1, 257))
    assert max(per_socket.values()) - min(per_socket.values()) <= 1


def test_success_stops_everything() -> None:
    scene = Scene(EASY, HARD)
    scene.attempt.handle_timer(100.0)
    scene.attempt.succeed()
    assert scene.attempt.state is AttemptState.SUCCEEDED
    assert scene.attempt.probes_to_send() == [], "what was waiting is not sent any more"
    assert scene.attempt.get_timer() is None
    scene.attempt.handle_timer(101.0)
    scene.attempt.fail()
    assert scene.attempt.probes_to_send() == []
    assert scene.attempt.state is AttemptState.SUCCEEDED, "the end is final"
    assert not scene.host.is_taken


def test_failure_is_final_too_and_frees_the_host() -> None:
    scene = Scene(EASY, HARD)
    scene.attempt.fail()
    scene.attempt.succeed()
    assert scene.attempt.state is AttemptState.FAILED
    assert not scene.host.is_taken


def test_too_early_a_timer_does_nothing_and_a_late_one_all_that_is_allowed() -> None:
    scene = Scene(EASY, HARD)
    scene.drive(until=0.0)
    assert len(scene.sent) == 1
    scene.attempt.handle_timer(100.001)
    assert scene.attempt.probes_to_send() == []
    scene.attempt.handle_timer(105.0)
    assert len(scene.attempt.probes_to_send()) == 5, "10 ms of lateness at 2 ms a packet"


def test_who_gives_up_sends_nothing_and_fails_soon() -> None:
    scene = Scene(HARD, HARD)
    assert scene.attempt.get_timer() == 102.0
    scene.attempt.handle_timer(101.9)
    assert scene.host.is_taken, "plain checks may go on"
    scene.attempt.handle_timer(102.0)
    assert scene.attempt.state is AttemptState.FAILED
    assert scene.attempt.sent == 0


def test_the_budget_is_the_limit_whatever_the_plan_says() -> None:
    budget = HostBudget(HardNatLimits(max_packets=30)).begin()
    assert budget is not None
    attempt = HardAttempt(plan(EASY, HARD, LIMITS), peer=PEER, budget=budget, random=seeded(1), now=0.0)
    for _ in range(10_000):
        due = attempt.get_timer()
        if due is None:
            break
        attempt.handle_timer(due)
    assert attempt.sent == 30


def test_a_plan_may_be_slower_than_the_budget() -> None:
    scene = Scene(EASY, replace(HARD, packet_rate=50))
    scene.drive(until=2.0)
    assert len(scene.sent) == 101


def test_the_same_randomness_gives_the_same_probes() -> None:
    scenes = [Scene(EASY, HARD) for _ in range(2)]
    for scene in scenes:
        scene.drive(until=1.0)
    assert scenes[0].sent == scenes[1].sent


def test_openers_that_die_behind_our_nat_leave_twice_as_fast() -> None:
    """But for what one second may see; those that go all the way keep to the rate."""
    for ttl, seconds in ((5, 0.5), (None, 1.0)):
        limits = HardNatLimits(packet_rate=200, max_packets=600, opener_ttl=ttl)
        scene = Scene(replace(HARD, packet_rate=200), EASY, limits)
        scene.drive()
        times = [at for at, _ in scene.sent]
        assert times[199] == pytest.approx(seconds, abs=0.01)
        assert times[200] >= 1.0 - 1e-6
        spoken = [at for at, probe in scene.sent[2 * 256 :]]
        assert spoken[50] - spoken[0] == pytest.approx(50 / 200, abs=0.01)
