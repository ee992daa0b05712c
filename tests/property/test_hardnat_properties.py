"""Any two sides: plans fit together, ports are in range and without repetition, budgets hold."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from natcore.address import TransportAddress
from natcore.hardnat import (
    AttemptState,
    HardAttempt,
    HardNatLimits,
    HostBudget,
    PortSample,
    Role,
    SideSummary,
    Technique,
    VerifiedAddress,
    plan,
)
from natcore.hardnat.behavior import MAX_SAMPLES
from natcore.hardnat.drift import Drift, predicted
from natcore.hardnat.ports import FIRST_PORT, LAST_PORT, PortPool, shuffled
from natcore.nat import FilteringBehavior, MappingBehavior, PortAllocation
from tests.sim.pair import seeded

PORTS = st.integers(1, 65535)
AGES = st.one_of(st.floats(0, 2), st.floats(0, 86_400))
SIDES = st.builds(
    SideSummary,
    mapping=st.none() | st.sampled_from(MappingBehavior),
    filtering=st.none() | st.sampled_from(FilteringBehavior),
    allocation=st.none() | st.sampled_from(PortAllocation),
    step=st.none() | st.integers(-32, 32),
    lowest=st.none() | PORTS,
    highest=st.none() | PORTS,
    seen=st.integers(0, 40),
    samples=st.lists(st.builds(PortSample, port=PORTS, age=AGES), max_size=MAX_SAMPLES).map(tuple),
    sockets=st.sampled_from([0, 1, 16, 256, 65536]),
    packets=st.sampled_from([0, 1, 100, 2000]),
    packet_rate=st.sampled_from([1, 50, 250, 10_000]),
    has_mapped_port=st.sampled_from([False, False, False, True]),
    udp_blocked=st.sampled_from([False, False, False, True]),
)
LIMITS = st.builds(
    HardNatLimits,
    packet_rate=st.sampled_from([1, 250]),
    max_packets=st.sampled_from([1, 300, 2000]),
    max_sockets=st.sampled_from([1, 256]),
)
MATCHING = {
    Role.CHECK: {Role.CHECK},
    Role.WAIT: {Role.CALL},
    Role.CALL: {Role.CALL, Role.WAIT},
    Role.HOLD: {Role.SPRAY},
    Role.SPRAY: {Role.HOLD},
    Role.SWEEP: {Role.SWEEP},
    Role.SCATTER: {Role.SCATTER},
    Role.REST: {Role.REST},
}


@given(one=SIDES, other=SIDES, ours=LIMITS, theirs=LIMITS)
def test_two_plans_fit_together(
    one: SideSummary, other: SideSummary, ours: HardNatLimits, theirs: HardNatLimits
) -> None:
    mine, yours = plan(one, other, ours), plan(other, one, theirs)
    assert mine.technique is yours.technique
    assert yours.role in MATCHING[mine.role]
    assert mine.reason is yours.reason
    assert (mine.reason is None) is (mine.technique is not Technique.GIVE_UP)
    assert 0.0 <= mine.probability <= 1.0
    assert abs(mine.probability - yours.probability) < 1e-9
    assert mine.sockets <= min(one.sockets, ours.max_sockets)
    assert mine.packets <= min(one.packets, ours.max_packets)


@given(side=SIDES)
def test_a_summary_that_is_valid_survives_the_wire(side: SideSummary) -> None:
    assert msgspec.json.decode(msgspec.json.encode(side), type=SideSummary) == side


@given(low=st.integers(1, 300), size=st.integers(1, 300), seed=st.integers(0, 99))
def test_random_ports_are_each_port_once(low: int, size: int, seed: int) -> None:
    ports = list(shuffled(low, low + size - 1, seeded(seed)))
    assert sorted(ports) == list(range(low, low + size))


@given(side=SIDES, seed=st.integers(0, 99))
def test_likely_ports_are_in_range_and_none_comes_twice(side: SideSummary, seed: int) -> None:
    ports = list(islice(PortPool.of(side).likely_first(seeded(seed)), 3000))
    assert len(set(ports)) == len(ports) == 3000
    assert all(FIRST_PORT <= port <= LAST_PORT for port in ports)


@given(side=SIDES, sockets=st.integers(0, 256), rate=st.sampled_from([1.0, 250.0]))
def test_predicted_ports_are_in_range(side: SideSummary, sockets: int, rate: float) -> None:
    drift = Drift.of(side)
    if drift is not None:
        ports = list(islice(predicted(drift, sockets, rate), 3000))
        assert all(FIRST_PORT <= port <= LAST_PORT for port in ports)


@st.composite
def watched_nats(draw: st.DrawFn) -> tuple[SideSummary, Drift]:
    """A sequential side's bursts, out of order and each with at most one old mapping; and the truth."""
    step = draw(st.integers(1, 32)) * draw(st.sampled_from([1, -1]))
    nat = Drift(port=draw(st.integers(FIRST_PORT, LAST_PORT)), step=step, age=0.0)
    ages = draw(st.sampled_from([(0.3,), (0.3, 0.15), (10.3, 10.15, 0.3, 0.15)]))
    taken, made = 0, 0
    samples: list[PortSample] = []
    for index, age in enumerate(ages):
        others = draw(st.integers(0, 40)) if index else 0
        old = draw(st.lists(st.integers(100, 1000), max_size=1))
        taken, first = taken + others, made + others + 1
        made = first + 3 - len(old)
        places = draw(st.permutations([*range(first, made + 1), *(made - behind for behind in old)]))
        samples += [PortSample(port=nat.port_after(place), age=age) for place in places]
    side = SideSummary(allocation=PortAllocation.SEQUENTIAL, step=step, samples=tuple(samples))
    port, watched = nat.port_after(made), ages[0] - ages[-1]
    return side, Drift(port=port, step=step, age=ages[-1], taken=taken, watched=watched)


@given(nat=watched_nats())
def test_a_sequential_nat_is_found_in_disordered_bursts_with_old_mappings(
    nat: tuple[SideSummary, Drift],
) -> None:
    side, truth = nat
    assert Drift.of(side) == truth


@given(nat=watched_nats(), data=st.data())
def test_what_is_lost_makes_others_seem_as_much_busier_and_no_more(
    nat: tuple[SideSummary, Drift], data: st.DataObject
) -> None:
    side, truth = nat
    lost = data.draw(st.sampled_from(side.samples))
    found = Drift.of(replace(side, samples=tuple(one for one in side.samples if one != lost)))
    assert found is not None
    assert abs(found.taken - truth.taken) <= 1
    assert truth.port in (found.port, found.port_after(1))


@given(one=SIDES, other=SIDES, limits=LIMITS, lateness=st.sampled_from([0.0, 0.003, 0.4]))
def test_no_attempt_is_beyond_its_budget_and_each_ends(
    one: SideSummary, other: SideSummary, limits: HardNatLimits, lateness: float
) -> None:
    budget = HostBudget(limits).begin()
    assert budget is not None
    peer = VerifiedAddress(TransportAddress.parse("203.0.113.8:40000"))
    chosen = plan(one, other, limits)
    attempt = HardAttempt(chosen, peer=peer, budget=budget, random=seeded(1), now=0.0)
    sent: list[float] = []
    for _ in range(5000):
        due = attempt.get_timer()
        if due is None:
            break
        attempt.handle_timer(due + lateness)
        for probe in attempt.probes_to_send():
            sent.append(due + lateness)
            assert probe.destination.ip == peer.ip
            assert 0 <= probe.socket_index <= chosen.sockets
    assert attempt.state is AttemptState.FAILED
    assert len(sent) <= limits.max_packets
    rate = limits.packet_rate
    assert all(later - earlier >= 1.0 - 1e-9 for earlier, later in zip(sent, sent[rate:], strict=False))
