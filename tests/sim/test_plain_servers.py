"""What can be known with less than two addresses of one server, exactly; and that nothing is ever wrong."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address

import pytest

from natcore.address import TransportAddress
from natcore.discovery import DiscoveryReport, Known, LifetimeConfig, value_of
from natcore.nat import FilteringBehavior, MappingBehavior
from netlab.model import NatModel
from netlab.profiles import PROFILES, Boundary, NatProfile
from tests.sim.discovery import ONE_ADDRESS, PRIMARY, RTT, Discoverer, PlainServer, PooledNat
from tests.sim.network import Link
from tests.sim.test_discovery import UDP, findings, truth

EIM, ADM, APDM = MappingBehavior
EIF, ADF, APDF = FilteringBehavior
SEEDS = range(4)
PLAIN = [TransportAddress(IPv4Address(f"198.51.100.{number}"), 3478) for number in (31, 32, 33)]


def ask_plain(count: int) -> Callable[[Discoverer], DiscoveryReport]:
    """A discovery that asks so many plain servers."""

    def discover(scene: Discoverer) -> DiscoveryReport:
        for server in PLAIN[:count]:
            PlainServer(scene.network, server)
        return scene.discover(*PLAIN[:count])

    return discover


def ask_two_ports(scene: Discoverer) -> DiscoveryReport:
    return scene.discover()


def ask_all(scene: Discoverer) -> DiscoveryReport:
    for server in PLAIN:
        PlainServer(scene.network, server)
    return scene.discover(*PLAIN, PRIMARY)


WORLDS: dict[str, Callable[[Discoverer], DiscoveryReport]] = {
    "one plain server": ask_plain(1),
    "two plain servers": ask_plain(2),
    "three plain servers": ask_plain(3),
    "one address with two ports": ask_two_ports,
    "two ports and three plain servers": ask_all,
}

TELLABLE: dict[str, tuple[set[MappingBehavior], set[FilteringBehavior]]] = {
    "one plain server": (set(), set()),
    "two plain servers": ({EIM}, set()),
    "three plain servers": ({EIM}, set()),
    "one address with two ports": ({APDM}, {APDF}),
    "two ports and three plain servers": ({EIM, ADM, APDM}, {APDF}),
}
"""Which mappings and which filters each world can tell; without translation every mapping is known."""


def knowable(world: str, profile: NatProfile) -> dict[str, object]:
    """The truth, as far as it can be seen there."""
    true = truth(profile)
    mappings, filters = TELLABLE[world]
    if true["mapping"] not in mappings and profile.boundary is Boundary.NAT:
        true["mapping"] = None
    if true["filtering"] not in filters:
        true["filtering"] = None
    return true


def scene_behind(profile: NatProfile, seed: int, drop: float = 0.0) -> Discoverer:
    return Discoverer(profile, offer=ONE_ADDRESS, seed=seed, link=Link(latency=RTT / 2, drop=drop))


@pytest.mark.parametrize("world", WORLDS)
def test_what_is_known_is_exactly_what_can_be_seen(world: str) -> None:
    different = []
    for name, profile in UDP.items():
        expected = knowable(world, profile)
        for seed in SEEDS:
            found = findings(WORLDS[world](scene_behind(profile, seed)))
            different += [
                f"{name}, seed {seed}: {what}: got {found[what]}, expected {value}"
                for what, value in expected.items()
                if found[what] != value
            ]
    assert not different


@pytest.mark.parametrize("drop", [0.2, 0.4])
@pytest.mark.parametrize("world", WORLDS)
def test_losses_make_nothing_wrong(world: str, drop: float) -> None:
    wrong = []
    for name, profile in UDP.items():
        true = truth(profile)
        for seed in SEEDS:
            found = findings(WORLDS[world](scene_behind(profile, seed, drop)))
            wrong += [
                f"{name}, seed {seed}: {what}: got {found[what]}, expected {value}"
                for what, value in true.items()
                if found[what] not in (None, value)
            ]
    assert not wrong


@pytest.mark.parametrize("drop", [0.2, 0.4])
def test_with_two_addresses_losses_make_nothing_wrong_either(drop: float) -> None:
    wrong = []
    for name, profile in UDP.items():
        true = truth(profile)
        for seed in range(10):
            scene = Discoverer(profile, seed=seed, link=Link(latency=RTT / 2, drop=drop))
            found = findings(scene.discover())
            wrong += [
                f"{name}, seed {seed}: {what}: got {found[what]}, expected {value}"
                for what, value in true.items()
                if found[what] not in (None, value)
            ]
    assert not wrong


# --- a NAT with several addresses ---------------------------------------------------------------------------


def behind_pool(seed: int, *, is_drawn_by_flow: bool) -> DiscoveryReport:
    scene = Discoverer("port-restricted", seed=seed, link=Link(latency=RTT / 2))
    members = [
        NatModel(scene.site.profile.behavior, IPv4Address(f"203.0.113.{100 + number}"), seed=seed)
        for number in range(4)
    ]
    scene.move_behind(PooledNat(members, is_drawn_by_flow=is_drawn_by_flow))
    return scene.discover()


def test_a_nat_that_draws_an_address_for_each_socket_maps_independently_and_has_several() -> None:
    for seed in range(10):
        report = behind_pool(seed, is_drawn_by_flow=False)
        assert value_of(report.several_addresses) is True
        assert len(report.reflexive_addresses) > 1
        assert value_of(report.mapping) is EIM
        assert value_of(report.filtering) is APDF


def test_a_nat_that_draws_an_address_for_each_flow_does_not_map_independently() -> None:
    for seed in range(10):
        report = behind_pool(seed, is_drawn_by_flow=True)
        assert value_of(report.several_addresses) is True
        assert value_of(report.mapping) in (None, ADM, APDM)


# --- lifetimes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in PROFILES if name in UDP])
def test_the_lifetime_of_each_profile_is_found(name: str) -> None:
    profile = UDP[name]
    finding = Discoverer(profile).measure_lifetime()
    assert isinstance(finding, Known), finding
    found = finding.value
    if profile.boundary is Boundary.NONE:
        assert (found.at_least, found.at_most) == (LifetimeConfig().limit, None)
    else:
        assert found.at_most is not None
        assert found.at_least <= profile.seen.mapping_lifetime <= found.at_most
