"""Any packets through any model: what is always true of a router, whatever it does."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

from hypothesis import given, settings
from hypothesis import strategies as st

from natcore.nat import (
    EarlyInbound,
    FilteringBehavior,
    MappingBehavior,
    NatBehavior,
    PortAllocation,
)
from netlab.model import Endpoint, NatModel, Packet

WAN = IPv4Address("203.0.113.7")
MAX_FLOWS = 6
LIFETIME = 10.0

BEHAVIORS = st.builds(
    NatBehavior,
    mapping=st.sampled_from(MappingBehavior),
    filtering=st.sampled_from(FilteringBehavior),
    allocation=st.sampled_from(PortAllocation),
    port_step=st.integers(1, 9),
    port_pool=st.sampled_from([None, 1, 5]),
    hairpinning=st.booleans(),
    mapping_lifetime=st.just(LIFETIME),
    inbound_refresh=st.booleans(),
    early_inbound=st.sampled_from(EarlyInbound),
)
INSIDE = st.builds(
    Endpoint, st.sampled_from([IPv4Address("192.168.1.10"), IPv4Address("192.168.1.20")]), st.just(1024)
)
REMOTE = st.builds(
    Endpoint,
    st.sampled_from([IPv4Address("198.51.100.10"), IPv4Address("198.51.100.20")]),
    st.integers(5000, 5001),
)
EXTERNAL = st.builds(Endpoint, st.just(WAN), st.integers(1024, 1028))
STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 4.0, LIFETIME]),
        st.one_of(
            st.tuples(st.just("out"), INSIDE, REMOTE),
            st.tuples(st.just("in"), REMOTE, EXTERNAL),
            st.tuples(st.just("around"), INSIDE, EXTERNAL),
        ),
    ),
    max_size=40,
)
Step = tuple[float, tuple[str, Endpoint, Endpoint]]


def play(model: NatModel, steps: list[Step]) -> list[Packet | None]:
    now, results = 0.0, []
    verbs = {"out": model.outbound, "in": model.inbound, "around": model.hairpin}
    for pause, (verb, source, destination) in steps:
        now += pause
        results.append(verbs[verb](Packet(source, destination), now))
    return results


@given(behavior=BEHAVIORS, steps=STEPS)
def test_equal_packets_and_seeds_give_equal_answers(behavior: NatBehavior, steps: list[Step]) -> None:
    one, other = (play(NatModel(behavior, WAN, seed=7), steps) for _ in range(2))
    assert one == other


@given(behavior=BEHAVIORS, steps=STEPS)
def test_no_table_grows_over_the_limit(behavior: NatBehavior, steps: list[Step]) -> None:
    model = NatModel(behavior, WAN, max_flows=MAX_FLOWS)
    play(model, steps)
    assert model.flow_count <= MAX_FLOWS
    assert model.entry_count <= 5 * MAX_FLOWS, "five tables, none longer than the flows are many"


@given(behavior=BEHAVIORS, steps=STEPS)
def test_addresses_are_only_what_a_router_may_write(behavior: NatBehavior, steps: list[Step]) -> None:
    for (_, (verb, source, destination)), packet in zip(
        steps, play(NatModel(behavior, WAN), steps), strict=True
    ):
        if packet is None:
            continue
        match verb:
            case "out":
                assert packet.source.address == WAN
                assert packet.destination == destination
            case "in":
                assert packet.source.address == source.address
                assert packet.destination.address.is_private
            case _:
                assert packet.source.address == WAN
                assert packet.destination.address.is_private


@given(behavior=BEHAVIORS, steps=STEPS, inside=INSIDE, remote=REMOTE)
def test_whoever_gets_out_gets_the_answer(
    behavior: NatBehavior, steps: list[Step], inside: Endpoint, remote: Endpoint
) -> None:
    model = NatModel(behavior, WAN)
    play(model, steps)
    now = sum(pause for pause, _ in steps)
    there = model.outbound(Packet(inside, remote), now)
    if there is not None:
        assert model.inbound(Packet(remote, there.source), now) == Packet(remote, inside)
        assert model.outbound(Packet(inside, remote), now + LIFETIME / 2) == there


@given(behavior=BEHAVIORS, steps=STEPS)
def test_no_external_endpoint_has_two_owners_at_an_instant(behavior: NatBehavior, steps: list[Step]) -> None:
    steps = [(0.0, step) for _, step in steps]
    owners: dict[Endpoint, Endpoint] = {}
    for (_, (verb, source, _)), packet in zip(steps, play(NatModel(behavior, WAN), steps), strict=True):
        if verb == "out" and packet is not None:
            assert owners.setdefault(packet.source, source) == source


@settings(max_examples=30)
@given(behavior=BEHAVIORS, steps=STEPS)
def test_after_a_lifetime_of_silence_nothing_is_left(behavior: NatBehavior, steps: list[Step]) -> None:
    model = NatModel(behavior, WAN)
    play(model, steps)
    now = sum(pause for pause, _ in steps) + LIFETIME
    nobody = Packet(Endpoint(IPv4Address("192.0.2.9"), 9), Endpoint(WAN, 9))
    model.inbound(nobody, now)
    strangers = 1 if behavior.early_inbound is EarlyInbound.REMAPS else 0
    assert model.entry_count == strangers


@given(steps=STEPS)
def test_a_blocked_router_lets_nothing_through(steps: list[Step]) -> None:
    model = NatModel(replace(NatBehavior(), udp_blocked=True, hairpinning=True), WAN)
    assert not any(play(model, steps))
    assert model.entry_count == 0
