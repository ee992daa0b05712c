"""Several interfaces in virtual time: dead ones cost nothing, and a path moves to another when one goes."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from natcore.address import TransportAddress
from natcore.channel import (
    DataReceived,
    MessageConfirmed,
    SessionConfirmed,
    SessionDoubted,
    SessionEnded,
    SessionMoved,
)
from natcore.endpoint import Awoke, SessionStarted
from natcore.ice import CandidateType, LocalCandidate
from netlab.model import NatModel, models_of
from netlab.profiles import profile
from tests.sim.network import Link
from tests.sim.pair import EndpointPair, make_sites, session_events, timed_session_events

CELL_IP, CELL_HOST = IPv4Address("203.0.113.99"), TransportAddress(IPv4Address("10.0.0.10"), 41000)
RTT = 0.04


def hosts(*bases: TransportAddress) -> list[LocalCandidate]:
    return [
        LocalCandidate.of(CandidateType.HOST, base, base=base, local_preference=65535 - position)
        for position, base in enumerate(bases)
    ]


def dead(index: int, count: int) -> list[TransportAddress]:
    """Addresses of interfaces that are plugged in nowhere."""
    return [TransportAddress(IPv4Address(f"172.2{index}.{number}.1"), 40000) for number in range(count)]


def pair_with_dead_interfaces(first: str, second: str, count: int) -> EndpointPair:
    """Both sides have so many of them, and like them better than the one that works."""
    sites = make_sites(first, second)
    pair = EndpointPair(sites, link=Link(latency=RTT / 2))
    for index, endpoint in enumerate(pair.endpoints):
        endpoint.set_host_candidates(hosts(*dead(index, count), sites[index].host), pair.now)
    pair.start()
    return pair


@pytest.mark.parametrize(
    ("first", "second"), [("port-restricted", "port-restricted"), ("symmetric", "address-restricted")]
)
def test_seven_dead_interfaces_on_either_side_cost_no_time_at_all(first: str, second: str) -> None:
    took = []
    for count in (0, 7):
        pair = pair_with_dead_interfaces(first, second, count)
        began_at = pair.now
        pair.connect(early_data=b"hello")
        pair.advance(1.0)
        took.append([one.time_of(Awoke) for one in (pair.elsa, pair.anna)])
        took[-1] += [
            timed_session_events(side, SessionConfirmed)[0][0] - began_at for side in (pair.elsa, pair.anna)
        ]
    (*woke, _, _), (*woke_late, _, _) = took
    assert took[1][2:] == pytest.approx(took[0][2:])
    # Each dead way to the server costs one interval of the schedule, once, when waking: 0.1, 0.3, 0.7 s ...
    assert all(late >= early for early, late in zip(woke, woke_late, strict=True))


def test_a_dead_way_to_the_server_costs_one_interval() -> None:
    pair = pair_with_dead_interfaces("port-restricted", "port-restricted", 1)
    for side in (pair.elsa, pair.anna):
        assert side.time_of(Awoke) == pytest.approx(0.1 + 2 * RTT), "registering is the other round trip"


def switching_pair(cell: str = "port-restricted") -> tuple[EndpointPair, NatModel]:
    """A pair that is connected, and the router of elsa's other interface."""
    pair = EndpointPair(make_sites("port-restricted", "port-restricted"), link=Link(latency=RTT / 2))
    (router,) = models_of(profile(cell), CELL_IP, seed=77)
    pair.network.connect(router, None)
    pair.start()
    pair.connect()
    pair.advance(1.0)
    return pair, router


def switch(pair: EndpointPair, router: NatModel) -> None:
    """Elsa leaves her one network and is in the other, and her TCP connection survives that."""
    pair.elsa.unplug(pair.elsa.ip)
    pair.elsa.plug(CELL_HOST.ip, router)
    pair.elsas.set_host_candidates(hosts(CELL_HOST), pair.now)
    pair.drain(pair.elsa)


def test_a_path_moves_to_the_new_interface_at_once_and_nothing_is_lost() -> None:
    pair, router = switching_pair()
    switched_at = pair.now
    switch(pair, router)
    pair.elsas.send_message(pair.elsas.sessions[0], b"on the way", pair.now)
    pair.annas.send_message(pair.annas.sessions[0], b"where are you?", pair.now)
    for side in (pair.elsa, pair.anna):
        pair.drain(side)
    pair.advance(2.0)
    doubted_at, _ = timed_session_events(pair.elsa, SessionDoubted)[0]
    assert doubted_at == switched_at, "nobody waits for silence"
    moved_at, moved = timed_session_events(pair.elsa, SessionMoved)[0]
    assert moved_at - switched_at == pytest.approx(4 * RTT, abs=RTT)
    assert moved.path.base == CELL_HOST
    assert pair.elsas.reflexive_address is not None
    assert pair.elsas.reflexive_address.ip == CELL_IP
    heard = [[one.payload for one in session_events(side, DataReceived)] for side in (pair.elsa, pair.anna)]
    assert heard == [[b"where are you?"], [b"on the way"]]
    for side in (pair.elsa, pair.anna):
        assert len(session_events(side, MessageConfirmed)) == 1
        assert not session_events(side, SessionEnded)


def test_a_path_is_found_from_the_new_interface_where_none_was_found_yet() -> None:
    pair = EndpointPair(make_sites("port-restricted", "port-restricted"), link=Link(latency=RTT / 2))
    (router,) = models_of(profile("port-restricted"), CELL_IP, seed=77)
    pair.network.connect(router, None)
    pair.start()
    pair.elsas.connect("anna", pair.now, early_data=b"from the door")
    pair.drain(pair.elsa)
    pair.drive_until(SessionStarted, pair.elsa)
    switch(pair, router)
    pair.advance(2.0)
    (confirmed,) = session_events(pair.elsa, SessionConfirmed)
    assert confirmed.path.base == CELL_HOST
    assert [one.payload for one in session_events(pair.anna, DataReceived)] == [b"from the door"]
    assert len(session_events(pair.elsa, MessageConfirmed)) == 1


def test_who_has_no_interface_for_a_while_goes_on_with_the_next_one() -> None:
    pair, router = switching_pair()
    pair.elsa.unplug(pair.elsa.ip)
    pair.elsas.send_message(pair.elsas.sessions[0], b"from the train", pair.now)
    pair.advance(8.0)
    back_at = pair.now
    pair.elsas.connection_lost(pair.now)
    pair.elsa.plug(CELL_HOST.ip, router)
    pair.elsas.set_host_candidates(hosts(CELL_HOST), pair.now)
    pair.drain(pair.elsa)
    pair.dial(0)
    pair.advance(2.0)
    assert timed_session_events(pair.elsa, SessionMoved)[0][0] - back_at < 1.0, "the next asking is far off"
    assert [one.payload for one in session_events(pair.anna, DataReceived)] == [b"from the train"]


def test_other_addresses_beside_the_path_s_own_disturb_nobody() -> None:
    pair, router = switching_pair()
    path = pair.elsas.sessions[0].path
    pair.elsa.plug(CELL_HOST.ip, router)
    assert path is not None
    pair.elsas.set_host_candidates(hosts(CELL_HOST, path.base), pair.now)
    pair.drain(pair.elsa)
    pair.advance(10.0)
    assert not session_events(pair.elsa, SessionDoubted)
    assert pair.elsas.sessions[0].path is not None
    assert pair.elsas.reflexive_address is not None
    assert pair.elsas.reflexive_address.ip == CELL_IP, "but who calls now finds the better one"
