"""Two whole clients and the real registry: crossing wishes, a server that goes away, many sessions."""

from __future__ import annotations

import pytest

from natcore.channel import DataReceived, MessageConfirmed, SessionConfirmed, SessionEnded
from natcore.control.messages import FaultCode, Status
from natcore.endpoint import (
    ConnectFailed,
    ConnectionUnusable,
    RegistrationConfirmed,
    SessionStarted,
    WakingFailed,
)
from tests.sim.network import Link
from tests.sim.pair import EndpointPair, make_lan, make_sites, session_events


@pytest.fixture
def pair() -> EndpointPair:
    pair = EndpointPair(make_sites("port-restricted", "port-restricted"))
    pair.start()
    return pair


def test_both_know_each_other_and_the_operator_reads_it(pair: EndpointPair) -> None:
    for endpoint in pair.endpoints:
        assert endpoint.registration.clients == {"elsa": Status.AWAKE, "anna": Status.AWAKE}
    assert pair.server.reports == [
        "elsa Asleep",
        "anna Asleep",
        "elsa Awake 203.0.113.7:40000",
        "anna Awake 203.0.113.8:40000",
    ]


def test_wishes_that_cross_make_two_sessions_and_both_work(pair: EndpointPair) -> None:
    pair.elsas.connect("anna", pair.now, early_data=b"from elsa")
    pair.annas.connect("elsa", pair.now, early_data=b"from anna")
    pair.drain(pair.elsa)
    pair.drain(pair.anna)
    pair.advance(3.0)
    for side, payload in ((pair.elsa, b"from anna"), (pair.anna, b"from elsa")):
        assert [event.was_asked for event in side.events(SessionStarted)].count(True) == 1
        assert session_events(side, DataReceived) == [DataReceived(payload=payload)]
        assert len(session_events(side, SessionConfirmed)) == 2
        assert len(session_events(side, MessageConfirmed)) == 1


def test_twenty_sessions_between_two_peers_do_not_mix(pair: EndpointPair) -> None:
    for index in range(20):
        pair.elsas.connect("anna", pair.now, early_data=b"%d" % index)
        pair.drain(pair.elsa)
        pair.advance(1.0)
    started = pair.anna.events(SessionStarted)
    assert len({event.session.name for event in started}) == 20
    assert [event.payload for event in session_events(pair.anna, DataReceived)] == [
        b"%d" % one for one in range(20)
    ]


def test_a_session_lives_on_when_the_server_is_gone(pair: EndpointPair) -> None:
    session = pair.connect()
    pair.server.is_gone = True
    pair.advance(60.0)
    assert pair.elsa.events(ConnectionUnusable)
    for endpoint in pair.endpoints:
        endpoint.connection_lost(pair.now)
    pair.advance(60.0)
    pair.elsas.send_message(session, b"still here", pair.now)
    pair.drain(pair.elsa)
    pair.advance(1.0)
    assert session_events(pair.anna, DataReceived) == [DataReceived(payload=b"still here")]
    assert session_events(pair.elsa, SessionEnded) == []


def test_a_client_that_dials_again_takes_its_id_over_and_can_be_reached(pair: EndpointPair) -> None:
    pair.annas.connection_lost(pair.now)  # the server has not noticed
    pair.dial(1)
    pair.advance(2.0)
    assert len(pair.anna.events(RegistrationConfirmed)) == 2
    pair.connect(early_data=b"hello again")
    assert session_events(pair.anna, DataReceived) == [DataReceived(payload=b"hello again")]


def test_a_peer_that_closes_ends_the_session_on_both_sides(pair: EndpointPair) -> None:
    session = pair.connect()
    pair.elsas.close_session(session, pair.now)
    pair.drain(pair.elsa)
    pair.advance(1.0)
    assert [endpoint.sessions for endpoint in pair.endpoints] == [(), ()]
    (end,) = session_events(pair.anna, SessionEnded)
    assert end.detail == "closed by elsa"


def test_a_client_whose_udp_is_blocked_stays_asleep_and_says_so() -> None:
    pair = EndpointPair(make_sites("port-restricted", "udp-blocked"))
    for index in (0, 1):
        pair.endpoints[index].wake(0.0)
        pair.dial(index)
    pair.advance(6.0)
    assert len(pair.anna.events(WakingFailed)) == 1
    pair.elsas.connect("anna", pair.now)
    pair.drain(pair.elsa)
    pair.drive_until(ConnectFailed, pair.elsa)
    (failed,) = pair.elsa.events(ConnectFailed)
    assert failed.code is FaultCode.CLIENT_ASLEEP


@pytest.mark.parametrize(
    "profiles",
    [("full-cone", "symmetric"), ("symmetric", "full-cone"), ("open", "symmetric"), ("open", "open")],
)
def test_the_server_s_observation_is_enough_for_the_law(
    profiles: tuple[str, str],
) -> None:
    pair = EndpointPair(make_sites(*profiles))
    pair.start()
    pair.connect(early_data=b"hello")
    pair.advance(1.0)
    assert session_events(pair.anna, DataReceived) == [DataReceived(payload=b"hello")]


def test_two_clients_on_one_lan_meet_there() -> None:
    pair = EndpointPair(make_lan("port-restricted"))
    pair.start()
    session = pair.connect()
    theirs = pair.annas.sessions[0].path
    assert session.path is not None
    assert theirs is not None
    assert session.path.remote == theirs.base


def test_a_lossy_link_keeps_clients_awake_for_an_hour() -> None:
    pair = EndpointPair(make_sites("port-restricted", "port-restricted"), link=Link(drop=0.1), seed=3)
    pair.start()
    pair.advance(3600.0)
    assert pair.elsa.events(ConnectionUnusable) == []
    assert pair.elsas.registration.clients["anna"] is Status.AWAKE
    pair.connect()
