"""The first datagram to a reflexive address opens our own NAT and dies before the peer's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from natcore import stun
from natcore.address import TransportAddress
from natcore.agent import Transmit
from natcore.ice import AgentState, CandidateType, CheckStarted, IceConfig
from tests.unit.natcore.ice.scripted_peer import (
    BASE,
    ELSEWHERE,
    OURS,
    PEER,
    THEIRS,
    ScriptedPeer,
    decode,
    make_agent,
    remote,
    requests,
)

CONFIG = IceConfig()
TTL = 3
REFLEXIVE = CandidateType.SERVER_REFLEXIVE


def make_peer(**changes: object) -> ScriptedPeer:
    return ScriptedPeer(make_agent(config=replace(CONFIG, **changes), opener_ttl=TTL))  # type: ignore[arg-type]


def start(
    peer: ScriptedPeer, *addresses: TransportAddress, kind: CandidateType = REFLEXIVE
) -> list[Transmit]:
    peer.agent.start([remote(address, kind) for address in addresses or (PEER,)], peer.now)
    return peer.agent.datagrams_to_send()


def test_the_first_datagram_has_the_low_ttl_and_the_check_follows_after_the_lead() -> None:
    peer = make_peer()
    (opener,) = start(peer)
    assert (opener.ttl, opener.base, opener.destination) == (TTL, BASE, PEER)
    assert peer.agent.get_timer() == CONFIG.opener_lead
    assert peer.at(CONFIG.opener_lead - 0.0001) == []
    (check,) = peer.at(CONFIG.opener_lead)
    assert (check.ttl, check.base, check.destination) == (None, BASE, PEER)
    counters = peer.agent.counters
    assert (counters.openers_sent, counters.checks_sent) == (1, 1)


def test_the_opener_is_an_authentic_check_of_its_own() -> None:
    # Where it does arrive, for a distance was wrong, the peer answers and checks back as ever.
    peer = make_peer()
    (opener,) = start(peer)
    message = decode(opener)
    assert message.is_authentic(THEIRS.key)
    assert message.get(stun.Username) == stun.Username(f"{THEIRS.ufrag}:{OURS.ufrag}")
    (check,) = peer.at(CONFIG.opener_lead)
    assert decode(check).transaction_id != message.transaction_id


def test_early_data_may_follow_the_check_and_not_the_opener() -> None:
    peer = make_peer()
    start(peer)
    assert peer.events() == []
    peer.at(CONFIG.opener_lead)
    assert peer.events() == [CheckStarted(base=BASE, destination=PEER)]


def test_the_ladder_begins_with_the_check() -> None:
    peer = make_peer()
    start(peer)
    sent = peer.run_until(1.0)
    assert [one.ttl for one in sent] == [None] * 5
    rto = CONFIG.check_schedule.rto
    assert peer.agent.get_timer() == pytest.approx(CONFIG.opener_lead + 31 * rto)


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        (CandidateType.HOST, PEER),
        (CandidateType.PEER_REFLEXIVE, PEER),
        (REFLEXIVE, TransportAddress.parse("[2001:db8::9]:5000")),
    ],
    ids=["it may be on our network", "its check has come through", "IPv6 has no NAT"],
)
def test_where_an_opener_is_of_no_use_there_is_none(kind: CandidateType, address: TransportAddress) -> None:
    base = TransportAddress.parse("[2001:db8::1]:4000") if address.ip.version == 6 else BASE
    peer = ScriptedPeer(make_agent(bases=(base,), opener_ttl=TTL))
    (check,) = start(peer, address, kind=kind)
    assert check.ttl is None


@pytest.mark.parametrize("kind", [REFLEXIVE, CandidateType.RELAYED])
def test_without_a_known_distance_there_is_none(kind: CandidateType) -> None:
    peer = ScriptedPeer(make_agent())
    (check,) = start(peer, kind=kind)
    assert check.ttl is None


def test_the_distance_may_become_known_until_the_start() -> None:
    peer = ScriptedPeer(make_agent())
    peer.agent.opener_ttl = TTL
    (opener,) = start(peer)
    assert opener.ttl == TTL


def test_each_socket_opens_a_mapping_of_its_own() -> None:
    other = TransportAddress(BASE.ip, 4001)
    peer = ScriptedPeer(make_agent(bases=(BASE, other), opener_ttl=TTL))
    assert {(one.base, one.ttl) for one in start(peer)} == {(BASE, TTL), (other, TTL)}


def test_an_address_from_which_the_peer_was_heard_is_checked_at_once() -> None:
    peer = make_peer(initial_burst=1)
    opener, *others = start(peer, PEER, ELSEWHERE)
    assert (opener.ttl, others) == (TTL, [])
    waiting = ELSEWHERE if opener.destination == PEER else PEER
    (check,) = requests(peer.check(source=waiting))
    assert (check.ttl, check.destination) == (None, waiting)


def test_a_check_of_the_peer_s_within_the_lead_takes_the_place_of_the_one_that_was_to_follow() -> None:
    peer = make_peer()
    start(peer)
    peer.now = CONFIG.opener_lead / 2
    (triggered,) = requests(peer.check())
    assert triggered.ttl is None
    assert peer.at(CONFIG.opener_lead) == []
    peer.answer(triggered)
    assert peer.agent.state is AgentState.CONFIRMED


def test_a_candidate_that_trickles_in_has_its_opener_too() -> None:
    peer = make_peer()
    start(peer)
    peer.run_until(1.0)
    peer.agent.add_remote_candidate(remote(ELSEWHERE, REFLEXIVE), peer.now)
    opener, *_ = [one for one in peer.at(1.0) if one.destination == ELSEWHERE]
    assert opener.ttl == TTL
