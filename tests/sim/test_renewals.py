"""Paths that break and come back: rebooted NATs, changed addresses, and a server that is away meanwhile."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from natcore.channel import DataReceived, SessionDoubted, SessionEnded, SessionLost, SessionMoved
from natcore.channel.silence import SILENCE
from netlab.model import NatModel
from netlab.profiles import PROFILES, profile
from tests.sim.network import Link
from tests.sim.pair import EndpointPair, make_sites, session_events, timed_session_events

NOTICED_IDLE = 6.0
NOTICED_SENDING = 1.0
BACK_AFTER_NOTICE = 3.0


def connected(first: str, second: str, *, seed: int = 1) -> EndpointPair:
    pair = EndpointPair(make_sites(first, second), link=Link(latency=0.02), seed=seed)
    pair.start()
    pair.connect()
    pair.advance(1.0)
    return pair


def router_of(pair: EndpointPair, index: int = 0) -> NatModel:
    router = (pair.elsa, pair.anna)[index].place
    assert router is not None
    return router


def say(pair: EndpointPair, text: bytes, index: int = 0) -> None:
    endpoint = pair.endpoints[index]
    endpoint.send_message(endpoint.sessions[0], text, pair.now)
    pair.drain((pair.elsa, pair.anna)[index])


def heard(pair: EndpointPair, index: int = 1) -> list[bytes]:
    return [one.payload for one in session_events((pair.elsa, pair.anna)[index], DataReceived)]


@pytest.mark.parametrize("seed", range(5))
def test_who_only_listens_notices_soon_after_the_sender_that_nothing_comes_any_more(seed: int) -> None:
    pair = connected("non-preserving-cone", "port-restricted", seed=seed)
    say(pair, b"hello", index=1)
    pair.advance(0.5)
    broken_at = pair.now
    router_of(pair).reboot()
    pair.advance(SILENCE + NOTICED_SENDING)
    (at, _), *_ = timed_session_events(pair.elsa, SessionDoubted)
    assert at - broken_at <= SILENCE + NOTICED_SENDING


def test_a_peer_whose_nat_has_moved_it_is_answered_where_its_data_come_from() -> None:
    pair = connected("symmetric", "address-restricted")
    elsas, annas = pair.endpoints
    router_of(pair).reboot()
    for _ in range(75):
        elsas.send_datagram(elsas.sessions[0], b"hello?", pair.now)
        pair.drain(pair.elsa)
        pair.advance(0.02)
    annas.send_datagram(annas.sessions[0], b"I hear you", pair.now)
    pair.drain(pair.anna)
    pair.advance(0.1)
    assert heard(pair, 0) == [b"I hear you"]


def test_the_silence_after_data_is_looked_into_once_by_each_side() -> None:
    pair = connected("full-cone", "port-restricted")
    say(pair, b"hello", index=1)
    pair.advance(0.5)
    before = pair.elsas.sessions[0].packets_sent
    pair.advance(2 * SILENCE)
    assert pair.elsas.sessions[0].packets_sent == before + 2  # its own check, and the answer to the other


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", ["port-restricted", "non-preserving-cone", "address-restricted"])
def test_an_idle_pair_notices_a_rebooted_nat_and_talks_again(name: str, seed: int) -> None:
    pair = connected(name, "port-restricted", seed=seed)
    broken_at = pair.now
    router_of(pair).reboot()
    pair.advance(NOTICED_IDLE + BACK_AFTER_NOTICE)
    say(pair, b"still there?")
    say(pair, b"and I?", index=1)
    pair.advance(1.0)
    assert heard(pair) == [b"still there?"]
    assert heard(pair, 0) == [b"and I?"]
    for side in (pair.elsa, pair.anna):
        assert not session_events(side, SessionEnded)
        for at, _ in timed_session_events(side, SessionDoubted)[:1]:
            assert at - broken_at <= NOTICED_IDLE


def test_who_is_sending_notices_within_a_second_and_loses_nothing() -> None:
    pair = connected("non-preserving-cone", "port-restricted")
    router_of(pair).reboot()
    broken_at = pair.now
    say(pair, b"one")
    say(pair, b"two")
    pair.advance(NOTICED_SENDING + BACK_AFTER_NOTICE)
    noticed_at, _ = timed_session_events(pair.elsa, SessionDoubted)[0]
    assert noticed_at - broken_at <= NOTICED_SENDING
    assert heard(pair) == [b"one", b"two"]
    assert len(session_events(pair.elsa, SessionMoved)) >= 1


def test_a_changed_public_address_ends_the_path_and_not_the_session() -> None:
    pair = connected("port-restricted", "port-restricted")
    router = router_of(pair)
    old = router.address
    router.change_address(IPv4Address("203.0.113.77"))
    pair.network.connect(router, None)
    say(pair, b"from elsewhere")
    pair.advance(NOTICED_SENDING + BACK_AFTER_NOTICE)
    assert heard(pair) == [b"from elsewhere"]
    moved = session_events(pair.anna, SessionMoved)[-1]
    assert moved.path.remote.ip == router.address != old


def test_a_pair_whose_server_is_gone_keeps_its_path_and_renews_it_when_the_server_is_back() -> None:
    pair = connected("non-preserving-cone", "port-restricted")
    pair.server.is_gone = True
    say(pair, b"without a server")
    pair.advance(1.0)
    assert heard(pair) == [b"without a server"]
    router_of(pair).reboot()
    say(pair, b"lost?")
    pair.advance(5.0)
    assert heard(pair) == [b"without a server"]
    pair.server.is_gone = False
    pair.advance(4.0)
    assert heard(pair) == [b"without a server", b"lost?"]


def test_nobody_renews_a_path_that_only_lost_a_few_packets() -> None:
    pair = connected("port-restricted", "port-restricted")
    pair.link.drop = 0.1
    pair.advance(120.0)
    assert len(session_events(pair.elsa, SessionDoubted)) <= 1
    pair.link.drop = 0.0
    assert not session_events(pair.elsa, SessionEnded)


@pytest.mark.parametrize("name", [name for name, one in PROFILES.items() if not one.seen.udp_blocked])
def test_a_quiet_pair_behind_any_nat_stays_connected_for_an_hour(name: str) -> None:
    if profile(name).seen.mapping.value != "endpoint-independent":
        pair = connected(name, "full-cone")
    else:
        pair = connected(name, "port-restricted")
    pair.advance(3600.0)
    assert not session_events(pair.elsa, SessionEnded)
    say(pair, b"still here")
    pair.advance(4.0)
    assert heard(pair) == [b"still here"]


def sleep(pair: EndpointPair, seconds: float) -> None:
    """Elsa's machine does nothing for so long; then its program finds that the server has dropped it."""
    agent, pair.elsa.agent = pair.elsa.agent, None
    pair.advance(seconds)
    pair.elsa.agent = agent
    pair.elsas.connection_lost(pair.now)
    pair.dial(0)


@pytest.mark.parametrize("seconds", [40.0, 300.0])
@pytest.mark.parametrize("name", ["port-restricted", "non-preserving-cone"])
def test_a_laptop_that_slept_goes_on_with_its_channel(name: str, seconds: float) -> None:
    pair = connected(name, "port-restricted")
    say(pair, b"good night")
    pair.advance(1.0)
    sleep(pair, seconds)
    assert len(session_events(pair.anna, SessionLost)) == 1
    say(pair, b"are you there?", index=1)
    pair.advance(NOTICED_SENDING + BACK_AFTER_NOTICE)
    say(pair, b"good morning")
    pair.advance(1.0)
    assert heard(pair) == [b"good night", b"good morning"]
    assert heard(pair, 0) == [b"are you there?"]
    for side in (pair.elsa, pair.anna):
        assert not session_events(side, SessionEnded)


def test_who_is_lost_and_closed_meanwhile_is_not_waited_for() -> None:
    pair = connected("port-restricted", "port-restricted")
    pair.link.is_cut = True
    pair.elsas.close_session(pair.elsas.sessions[0], pair.now)
    pair.drain(pair.elsa)
    pair.link.is_cut = False
    pair.advance(10.0)
    (end,) = session_events(pair.anna, SessionEnded)
    assert end.detail == "elsa declined: there is no such session (any more)"


def test_who_says_goodbye_to_the_server_while_the_path_is_lost_is_not_waited_for() -> None:
    pair = connected("port-restricted", "port-restricted")
    pair.link.is_cut = True
    pair.drive_while(lambda: not session_events(pair.anna, SessionLost), what="SessionLost")
    pair.elsas.unregister()
    pair.drain(pair.elsa)
    pair.advance(1.0)
    (end,) = session_events(pair.anna, SessionEnded)
    assert end.detail == "no answer on the path for 30 s, and elsa left the server"


def test_a_program_that_started_anew_under_the_old_name_is_not_taken_for_the_lost_one() -> None:
    pair = connected("port-restricted", "port-restricted")
    pair.elsas.connection_lost(pair.now)
    pair.restart(0)
    pair.advance(12.0)
    (end,) = session_events(pair.anna, SessionEnded)
    assert end.detail == "elsa has started anew"
