from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address
from itertools import pairwise

import pytest

from natcore.nat import FilteringBehavior, MappingBehavior, NatBehavior, PortAllocation
from netlab.model import FIRST_PORT, LAST_PORT, Endpoint, NatModel, Packet, models_of
from netlab.profiles import COMBINATIONS, PROFILES, profile

WAN = IPv4Address("203.0.113.7")
ELSA = Endpoint(IPv4Address("192.168.1.10"), 40000)
ANNA = Endpoint(IPv4Address("192.168.1.20"), 40000)
SERVER = Endpoint(IPv4Address("198.51.100.10"), 3478)
SERVER_OTHER_PORT = SERVER._replace(port=3479)
PEER = Endpoint(IPv4Address("203.0.113.33"), 5555)

EIM, ADM, APDM = MappingBehavior
EIF, ADF, APDF = FilteringBehavior
LIFETIME = 120.0


class Home:
    """A router with hosts behind it, at an instant."""

    def __init__(self, behavior: NatBehavior, *, max_flows: int = 1000, seed: int = 1) -> None:
        self.model = NatModel(behavior, WAN, seed=seed, max_flows=max_flows)
        self.now = 0.0

    def send(self, inside: Endpoint, destination: Endpoint) -> Endpoint | None:
        """As what the destination sees a packet's source, if it arrives."""
        packet = self.model.outbound(Packet(inside, destination), self.now)
        return None if packet is None else packet.source

    def sent(self, inside: Endpoint, destination: Endpoint) -> Endpoint:
        source = self.send(inside, destination)
        assert source is not None, "the packet did not get out"
        return source

    def arrive(self, source: Endpoint, external: Endpoint) -> Endpoint | None:
        """Who inside gets a packet, if anybody."""
        packet = self.model.inbound(Packet(source, external), self.now)
        return None if packet is None else packet.destination

    def ports(self, destinations: Iterable[Endpoint], inside: Endpoint = ELSA) -> list[int]:
        return [self.sent(inside, destination).port for destination in destinations]


def of(name: str, **changes: object) -> Home:
    return Home(replace(profile(name).behavior, **changes))  # type: ignore[arg-type]


# --- mapping -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "distinct"),
    [("eim-apdf-random", 1), ("adm-apdf-random", 2), ("apdm-apdf-random", 3)],
)
def test_a_mapping_is_reused_as_its_behaviour_says(name: str, distinct: int) -> None:
    home = of(name)
    ports = home.ports([SERVER, SERVER_OTHER_PORT, PEER])
    assert len(set(ports)) == distinct
    assert home.ports([SERVER, SERVER_OTHER_PORT, PEER]) == ports


def test_two_hosts_with_one_source_port_get_two_ports() -> None:
    home = of("port-restricted")
    first, second = home.sent(ELSA, SERVER), home.sent(ANNA, SERVER)
    assert first.port == ELSA.port
    assert second.port != ANNA.port
    assert home.ports([SERVER, PEER], ELSA) == [first.port] * 2
    assert home.ports([SERVER, PEER], ANNA) == [second.port] * 2
    assert home.arrive(SERVER, first) == ELSA
    assert home.arrive(SERVER, second) == ANNA


def test_a_firewall_translates_nothing_and_filters() -> None:
    (firewall,) = models_of(profile("stateful-firewall"), WAN)
    own = Endpoint(WAN, 40000)
    assert firewall.inbound(Packet(SERVER, own), 0.0) is None
    assert firewall.outbound(Packet(own, SERVER), 0.0) == Packet(own, SERVER)
    assert firewall.inbound(Packet(SERVER, own), 0.0) == Packet(SERVER, own)
    assert firewall.inbound(Packet(PEER, own), 0.0) is None


def test_nothing_passes_where_udp_is_blocked() -> None:
    home = of("udp-blocked", hairpinning=True)
    assert home.send(ELSA, SERVER) is None
    assert home.arrive(SERVER, Endpoint(WAN, ELSA.port)) is None
    assert home.model.hairpin(Packet(ELSA, Endpoint(WAN, 1)), 0.0) is None


# --- filtering ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    # Elsa has sent to SERVER only. Who may send to her then?
    ("filtering", "server", "its_other_port", "peer"),
    [(EIF, True, True, True), (ADF, True, True, False), (APDF, True, False, False)],
)
@pytest.mark.parametrize("mapping", MappingBehavior)
def test_the_filter_lets_in_as_its_behaviour_says(
    mapping: MappingBehavior, filtering: FilteringBehavior, server: bool, its_other_port: bool, peer: bool
) -> None:
    home = Home(NatBehavior(mapping=mapping, filtering=filtering, allocation=PortAllocation.RANDOM))
    assert home.arrive(SERVER, Endpoint(WAN, ELSA.port)) is None, "nothing is open before she sends"
    external = home.sent(ELSA, SERVER)
    assert (home.arrive(SERVER, external) == ELSA) is server
    assert (home.arrive(SERVER_OTHER_PORT, external) == ELSA) is its_other_port
    assert (home.arrive(PEER, external) == ELSA) is peer
    unopened = external._replace(port=external.port ^ 1)
    assert home.arrive(SERVER, unopened) is None


@pytest.mark.parametrize("mapping", [ADM, APDM])
def test_an_answer_leaves_by_the_mapping_that_the_question_came_in_by(mapping: MappingBehavior) -> None:
    home = Home(NatBehavior(mapping=mapping, filtering=EIF, allocation=PortAllocation.RANDOM))
    published = home.sent(ELSA, SERVER)
    assert home.arrive(PEER, published) == ELSA
    assert home.sent(ELSA, PEER) == published


def test_a_remote_that_knocks_at_a_second_mapping_is_shown_with_another_port() -> None:
    home = of("apdm-eif-random")
    published, own = home.sent(ELSA, SERVER), home.sent(ELSA, PEER)
    arrived = home.model.inbound(Packet(PEER, published), 0.0)
    assert arrived is not None
    assert arrived.source.address == PEER.address
    assert arrived.source != PEER
    assert home.model.outbound(Packet(ELSA, arrived.source), 0.0) == Packet(published, PEER)
    assert home.sent(ELSA, PEER) == own, "her own flow stays as it was"
    assert home.model.inbound(Packet(PEER, published), 0.0) == arrived, "and so does the other one"


# --- allocation --------------------------------------------------------------------------------------------


def remotes(count: int) -> list[Endpoint]:
    return [SERVER._replace(port=10_000 + index) for index in range(count)]


@pytest.mark.parametrize("step", [1, 2, 7])
def test_sequential_ports_go_up_by_the_step(step: int) -> None:
    ports = of("symmetric-sequential", port_step=step).ports(remotes(20))
    assert [later - earlier for earlier, later in pairwise(ports)] == [step] * 19


@pytest.mark.parametrize("allocation", [PortAllocation.RANDOM, PortAllocation.SEQUENTIAL])
@pytest.mark.parametrize("step", [1, 3, 4, 5, 11, 12, 100])
def test_a_pool_is_used_up_and_then_nothing_gets_out(allocation: PortAllocation, step: int) -> None:
    home = of("symmetric", allocation=allocation, port_pool=12, port_step=step)
    ports = home.ports(remotes(12))
    assert sorted(ports) == list(range(min(ports), min(ports) + 12))
    assert home.send(ELSA, PEER) is None
    assert home.ports(remotes(12)) == ports, "what is open stays open"
    home.now += LIFETIME
    assert home.send(ELSA, PEER) is not None


def test_random_ports_come_from_the_whole_range() -> None:
    ports = of("symmetric").ports(remotes(500))
    assert min(ports) < FIRST_PORT + 2000
    assert max(ports) > LAST_PORT - 2000
    assert min(ports) >= FIRST_PORT


def test_equal_seeds_choose_equal_ports_and_others_do_not() -> None:
    behavior = profile("symmetric").behavior
    drawn = [Home(behavior, seed=seed).ports(remotes(5)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


# --- lifetime ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMBINATIONS)
@pytest.mark.parametrize("refreshes", [True, False])
def test_what_is_idle_for_a_lifetime_is_gone_and_not_before(name: str, refreshes: bool) -> None:
    home = of(name, inbound_refresh=refreshes)
    external = home.sent(ELSA, SERVER)
    home.now = LIFETIME - 0.001
    assert home.arrive(SERVER, external) == ELSA
    home.now = LIFETIME if not refreshes else 2 * LIFETIME - 0.001
    assert home.arrive(SERVER, external) is None


@pytest.mark.parametrize("name", COMBINATIONS)
def test_what_is_sent_keeps_a_mapping_alive(name: str) -> None:
    home = of(name)
    external = home.sent(ELSA, SERVER)
    for _ in range(5):
        home.now += LIFETIME - 0.001
        assert home.sent(ELSA, SERVER) == external


@pytest.mark.parametrize(("refreshes", "is_let_in"), [(True, True), (False, False)])
def test_what_comes_in_keeps_a_mapping_alive_where_the_behaviour_says_so(
    refreshes: bool, is_let_in: bool
) -> None:
    home = of("eim-eif-random", inbound_refresh=refreshes)
    external = home.sent(ELSA, SERVER)
    for _ in range(3):
        home.now += 0.4 * LIFETIME
        arrived = home.arrive(PEER, external)
    assert (arrived == ELSA) is is_let_in


def test_one_permission_dies_while_its_mapping_lives() -> None:
    home = of("non-preserving-cone")
    external = home.sent(ELSA, SERVER)
    home.now = 100.0
    assert home.sent(ELSA, PEER) == external
    home.now = 130.0
    assert home.arrive(SERVER, external) is None
    assert home.arrive(PEER, external) == ELSA
    assert home.sent(ELSA, SERVER) == external


# --- a router that takes what is not for it ----------------------------------------------------------------


def test_an_early_packet_moves_the_mapping_for_its_sender_and_for_whoever_comes_later() -> None:
    home = of("naive")
    published = home.sent(ELSA, SERVER)
    assert home.arrive(PEER, published) is None
    moved = home.sent(ELSA, PEER)
    assert moved.port != published.port
    assert home.sent(ELSA, SERVER) == published, "a flow that is there stays where it is"
    assert home.sent(ELSA, SERVER_OTHER_PORT) == moved
    assert home.arrive(PEER, published) is None, "the router has this flow"
    assert home.arrive(PEER, moved) == ELSA


def test_a_mapping_that_has_moved_moves_back_where_only_the_old_port_will_do() -> None:
    home = of("naive")
    published = home.sent(ELSA, SERVER)
    home.arrive(PEER, published)
    moved = home.sent(ELSA, PEER)
    home.arrive(SERVER_OTHER_PORT, moved)
    assert home.ports([SERVER_OTHER_PORT, PEER._replace(port=1)]) == [published.port] * 2


def test_an_early_packet_does_nothing_where_it_is_dropped() -> None:
    home = of("port-restricted")
    published = home.sent(ELSA, SERVER)
    assert home.arrive(PEER, published) is None
    assert home.sent(ELSA, PEER) == published


def test_what_a_router_took_for_itself_is_forgotten_after_a_lifetime_of_silence() -> None:
    home = of("naive")
    for home.now in (0.0, 0.9 * LIFETIME):
        assert home.arrive(PEER, Endpoint(WAN, ELSA.port)) is None
    home.now = 1.8 * LIFETIME
    assert home.sent(ELSA, PEER).port != ELSA.port
    home.now = 4 * LIFETIME
    assert home.sent(ELSA, PEER).port == ELSA.port


def test_a_packet_in_time_moves_nothing() -> None:
    home = of("naive")
    published = home.sent(ELSA, PEER)
    assert home.arrive(PEER, published) == ELSA
    assert home.sent(ELSA, PEER) == published


# --- hairpinning -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMBINATIONS)
def test_two_hosts_meet_through_their_external_endpoints_and_see_only_these(name: str) -> None:
    home = of(name, hairpinning=True)
    elsas, annas = home.sent(ELSA, SERVER), home.sent(ANNA, SERVER)
    question = home.model.hairpin(Packet(ELSA, annas), 0.0)
    assert question is not None
    assert question.destination == ANNA
    assert question.source.address == WAN
    if profile(name).behavior.mapping is EIM:
        assert question.source == elsas
    assert home.model.hairpin(Packet(ANNA, question.source), 0.0) == Packet(annas, ELSA)


def test_an_answer_turns_around_also_where_its_port_is_not_the_owner_s() -> None:
    home = of("symmetric", hairpinning=True)
    elsas, annas = home.sent(ELSA, SERVER), home.sent(ANNA, SERVER)
    first = home.model.hairpin(Packet(ELSA, annas), 0.0)
    assert first is not None
    other = home.model.hairpin(Packet(ANNA, elsas), 0.0)
    assert other is not None
    assert home.model.hairpin(Packet(ANNA, first.source), 0.0) == Packet(annas, ELSA)
    assert home.model.hairpin(Packet(ELSA, other.source), 0.0) == Packet(elsas, ANNA)


def test_a_second_way_around_to_one_host_is_closed_where_it_would_look_like_the_first() -> None:
    home = of("adm-adf-random", hairpinning=True)
    first, second = home.sent(ANNA, SERVER), home.sent(ANNA, PEER)
    assert home.model.hairpin(Packet(ELSA, first), 0.0) is not None
    assert home.model.hairpin(Packet(ELSA, second), 0.0) is None
    assert home.model.hairpin(Packet(ELSA, first), 0.0) is not None


def test_nothing_turns_around_without_hairpinning_or_an_owner() -> None:
    home = of("full-cone")
    annas = home.sent(ANNA, SERVER)
    assert home.model.hairpin(Packet(ELSA, annas), 0.0) is None
    home = of("full-cone", hairpinning=True)
    assert home.model.hairpin(Packet(ELSA, annas), 0.0) is None
    assert home.model.flow_count == 0, "a packet that goes nowhere leaves nothing behind"


# --- events and limits -------------------------------------------------------------------------------------


def test_a_reboot_forgets_everything() -> None:
    home = of("symmetric-sequential")
    external = home.sent(ELSA, SERVER)
    home.model.reboot()
    assert home.model.flow_count == 0
    assert home.arrive(SERVER, external) is None
    assert home.sent(ELSA, SERVER) == external, "it counts from the first port again"


def test_forgetting_the_mappings_does_not_turn_back_the_count() -> None:
    home = of("symmetric-sequential")
    external = home.sent(ELSA, SERVER)
    home.model.forget_mappings()
    assert home.arrive(SERVER, external) is None
    assert home.sent(ELSA, SERVER).port == external.port + 1


def test_after_a_change_of_address_only_the_new_one_is_known() -> None:
    home = of("full-cone")
    old = home.sent(ELSA, SERVER)
    home.model.change_address(PEER.address)
    assert home.arrive(SERVER, old) is None
    assert home.sent(ELSA, SERVER) == Endpoint(PEER.address, ELSA.port)


@pytest.mark.parametrize("name", ["full-cone", "symmetric", "naive"])
def test_a_full_table_drops_what_is_new_and_keeps_what_is_known(name: str) -> None:
    home = Home(profile(name).behavior, max_flows=5)
    known = home.ports(remotes(5))
    assert home.send(ELSA, PEER) is None
    assert home.arrive(PEER, Endpoint(WAN, known[0])) is None
    assert home.ports(remotes(5)) == known
    assert home.model.flow_count == 5
    home.now = LIFETIME
    assert home.send(ELSA, PEER) is not None
    assert home.model.flow_count == 1


# --- chains ------------------------------------------------------------------------------------------------


def test_a_profile_has_as_many_routers_as_stand_in_the_way() -> None:
    assert {name: len(models_of(entry, WAN)) for name, entry in PROFILES.items()} == {
        name: 0 if name == "open" else 2 if name.startswith("cgn") else 1 for name in PROFILES
    }


def test_behind_a_carrier_both_routers_translate_and_both_filter() -> None:
    home, carrier = models_of(profile("cgn-cone"), WAN)
    middle = home.outbound(Packet(ELSA, SERVER), 0.0)
    assert middle is not None
    assert middle.source.address == home.address != WAN
    outer = carrier.outbound(middle, 0.0)
    assert outer is not None
    assert outer.source.address == WAN
    back = carrier.inbound(Packet(SERVER, outer.source), 0.0)
    assert back is not None
    assert home.inbound(back, 0.0) == Packet(SERVER, ELSA)
    strange = carrier.inbound(Packet(SERVER_OTHER_PORT, outer.source), 0.0)
    assert strange is not None, "the carrier goes by addresses"
    assert home.inbound(strange, 0.0) is None, "and the home router by ports"
