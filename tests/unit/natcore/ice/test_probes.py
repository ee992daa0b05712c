"""Checks of a hard attempt: what their answers are worth."""

from __future__ import annotations

import pytest

from natcore.address import TransportAddress
from natcore.agent import Transmit
from natcore.errors import MisuseError
from natcore.ice import AgentState, CandidateType, PathConfirmed
from natcore.ice.probes import MAX_PROBES
from tests.unit.natcore.ice.scripted_peer import (
    BASE,
    ELSEWHERE,
    OURS,
    ScriptedPeer,
    decode,
    host,
    is_nomination,
    make_agent,
)

HOLE = TransportAddress(ELSEWHERE.ip, 7000)
HELD = TransportAddress(BASE.ip, 4001)


def probing(
    *destinations: TransportAddress, base: TransportAddress = BASE
) -> tuple[ScriptedPeer, list[Transmit]]:
    """An agent whose plain checks are out, and the probes that it has sent."""
    peer = ScriptedPeer(make_agent())
    peer.start()
    peer.agent.hold([host(HELD)])
    for destination in destinations:
        peer.agent.probe(base, destination, peer.now)
    return peer, peer.agent.datagrams_to_send()


@pytest.mark.parametrize("base", [BASE, HELD])
def test_an_answered_probe_is_a_path(base: TransportAddress) -> None:
    peer, probes = probing(ELSEWHERE, HOLE, base=base)
    peer.now = 0.04
    assert peer.agent.is_awaiting(decode(probes[1]).transaction_id)
    peer.answer(probes[1])
    (confirmed,) = (event for event in peer.events() if isinstance(event, PathConfirmed))
    assert (confirmed.path.base, confirmed.path.remote) == (base, HOLE)
    assert confirmed.path.kind is CandidateType.PEER_REFLEXIVE
    assert confirmed.path.rtt == pytest.approx(0.04)
    nominations = [one for one in peer.run_until(1.0) if is_nomination(one)]
    assert {one.destination for one in nominations} == {HOLE}


def test_what_is_no_answer_to_a_probe_makes_no_path() -> None:
    peer, probes = probing(HOLE, HOLE, HOLE)
    peer.answer(probes[0], source=ELSEWHERE)
    peer.answer(probes[1], key=OURS)
    peer.reject(probes[2], 400)
    assert peer.agent.state is AgentState.CHECKING
    assert peer.agent.path is None


def test_a_role_conflict_in_answer_to_a_probe_switches_the_role() -> None:
    peer, probes = probing(HOLE)
    peer.reject(probes[0])
    assert not peer.agent.is_controlling


def test_probes_are_not_repeated_and_forgotten_once_there_is_a_path() -> None:
    peer, probes = probing(ELSEWHERE, HOLE)
    assert not [one for one in peer.run_until(3.0) if one.destination in (ELSEWHERE, HOLE)]
    peer.answer(probes[1])
    assert not peer.agent.is_awaiting(decode(probes[0]).transaction_id)
    peer.answer(probes[0])
    assert peer.agent.counters.discarded == 1


def test_of_too_many_probes_the_oldest_are_forgotten() -> None:
    peer, probes = probing(*[HOLE] * (MAX_PROBES + 1))
    assert not peer.agent.is_awaiting(decode(probes[0]).transaction_id)
    assert peer.agent.is_awaiting(decode(probes[1]).transaction_id)


def test_only_our_own_sockets_can_probe() -> None:
    peer, _ = probing()
    with pytest.raises(MisuseError, match="expected a socket of this session"):
        peer.agent.probe(ELSEWHERE, HOLE, 0.0)
