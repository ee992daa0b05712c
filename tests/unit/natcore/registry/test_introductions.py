from __future__ import annotations

import pytest

from natcore.address import TransportAddress
from natcore.control.messages import (
    MAX_CANDIDATES,
    Connect,
    ConnectRefused,
    Fault,
    FaultCode,
    Introduction,
    Publish,
    Unregister,
)
from natcore.hardnat import PortSample, SideSummary
from natcore.registry import ConnectionId, RegistryConfig
from natcore.stun import AddressToken
from tests.unit.natcore.registry.conversation import ELSEWHERE, HOME, Conversation, publication


def test_both_sides_are_introduced_in_one_step_with_opposite_roles() -> None:
    talk = Conversation()
    elsa, anna = talk.reachable("elsa", HOME), talk.reachable("anna", ELSEWHERE)
    talk.say(elsa, Connect(target="anna"))
    to_elsa, to_anna = talk.last(elsa, Introduction), talk.last(anna, Introduction)
    assert (to_elsa.peer, to_anna.peer) == ("anna", "elsa")
    assert (to_elsa.controlling, to_anna.controlling) == (True, False)
    assert to_elsa.session == to_anna.session
    assert (to_elsa.ufrag, to_elsa.pwd) == ("abcd", "p" * 22)


def test_the_observed_candidate_is_added_to_the_published_ones() -> None:
    talk = Conversation()
    elsa, anna = talk.reachable("elsa", HOME), talk.reachable("anna", ELSEWHERE)
    talk.say(elsa, Connect(target="anna"))
    host, observed = talk.last(elsa, Introduction).candidates
    assert (host.type, host.address) == ("host", "192.0.2.1:5000")
    assert (observed.type, observed.address) == ("srflx", str(ELSEWHERE))
    assert observed.priority == 100 << 24 | 65535 << 8 | 255, "RFC 8445 section 5.1.2.1"
    assert talk.last(anna, Introduction).candidates[-1].address == str(HOME)


def test_without_a_nat_the_observed_candidate_would_be_redundant() -> None:
    talk = Conversation()
    elsa, anna = talk.reachable("elsa"), talk.reachable("anna", ELSEWHERE)
    talk.say(anna, publication(str(ELSEWHERE)))
    talk.say(elsa, Connect(target="anna"))
    assert [candidate.type for candidate in talk.last(elsa, Introduction).candidates] == ["host"]


@pytest.mark.parametrize("kind", ["srflx", "prflx"])
def test_a_reflexive_candidate_that_is_claimed_elsewhere_is_not_believed(kind: str) -> None:
    talk = Conversation()
    elsa, anna = talk.reachable("elsa"), talk.reachable("anna", ELSEWHERE)
    talk.say(anna, publication("203.0.113.66:53", kind=kind))
    talk.say(elsa, Connect(target="anna"))
    assert [c.address for c in talk.last(elsa, Introduction).candidates] == [str(ELSEWHERE)]


def claims(*addresses: str) -> list[str]:
    """What elsa is told of anna, whom the server observes at ELSEWHERE and who claims these ports."""
    talk = Conversation()
    elsa, anna = talk.reachable("elsa"), talk.reachable("anna", ELSEWHERE)
    talk.say(anna, publication(*addresses, kind="srflx"))
    talk.say(elsa, Connect(target="anna"))
    return [candidate.address for candidate in talk.last(elsa, Introduction).candidates]


def test_a_port_that_is_claimed_at_the_observed_address_is_passed_on() -> None:
    mapped = f"{ELSEWHERE.ip}:7000"
    assert claims(mapped) == [mapped, str(ELSEWHERE)]


def test_two_different_ports_may_be_claimed_and_not_one_more() -> None:
    one, two, three = (f"{ELSEWHERE.ip}:{port}" for port in (7000, 7001, 7002))
    assert claims(one, one, two, three) == [one, two, str(ELSEWHERE)]


def test_a_claim_of_what_was_observed_makes_that_redundant() -> None:
    assert claims(str(ELSEWHERE)) == [str(ELSEWHERE)]


def test_a_claim_is_judged_by_where_the_client_is_observed_when_it_is_passed_on() -> None:
    talk = Conversation()
    elsa, anna = talk.reachable("elsa"), talk.reachable("anna", HOME)
    claimed = f"{ELSEWHERE.ip}:7000"
    talk.say(anna, publication(claimed, kind="srflx"))
    talk.say(elsa, Connect(target="anna"))
    assert claimed not in [c.address for c in talk.last(elsa, Introduction).candidates]
    talk.awake(anna, 2, ELSEWHERE)
    talk.say(elsa, Connect(target="anna"))
    assert claimed in [c.address for c in talk.last(elsa, Introduction).candidates]


def test_every_introduction_has_its_own_session() -> None:
    talk = Conversation()
    elsa, _ = talk.reachable("elsa"), talk.reachable("anna", ELSEWHERE)
    for _ in range(3):
        talk.say(elsa, Connect(target="anna"))
    assert len({one.session for one in talk.heard(elsa, Introduction)}) == 3


@pytest.mark.parametrize(
    "address",
    [
        "anna.example:5000",
        "192.0.2.1",
        "192.0.2.1:0",
        "192.0.2.1:65536",
        "0.0.0.0:5000",
        "[::]:5000",
        "224.0.0.1:5000",
        "255.255.255.255:5000",
        "[ff02::1]:5000",
        "192.0.2.1:-1",
        "",
    ],
)
def test_a_candidate_to_which_nothing_can_be_sent_is_refused_and_the_old_ones_stay(address: str) -> None:
    talk = Conversation()
    elsa, anna = talk.reachable("elsa"), talk.reachable("anna", ELSEWHERE)
    talk.say(anna, publication("192.0.2.9:1", address))
    assert talk.last(anna, Fault).code is FaultCode.BAD_MESSAGE
    talk.say(elsa, Connect(target="anna"))
    assert talk.last(elsa, Introduction).candidates[0].address == "192.0.2.1:5000"


@pytest.mark.parametrize(("count", "is_taken"), [(MAX_CANDIDATES, True), (MAX_CANDIDATES + 1, False)])
def test_so_many_candidates_and_not_one_more(count: int, is_taken: bool) -> None:
    talk = Conversation()
    anna = talk.reachable("anna")
    talk.say(anna, publication(*(f"192.0.2.1:{5000 + number}" for number in range(count))))
    assert (talk.heard(anna, Fault) == []) is is_taken


def refused(talk: Conversation, asker: int, target: str) -> ConnectRefused:
    connection = list(talk.told)[asker]
    talk.say(connection, Connect(target=target))
    assert talk.heard(connection, Introduction) == []
    return talk.last(connection, ConnectRefused)


def test_an_unknown_client_is_refused_by_name() -> None:
    talk = Conversation()
    talk.reachable("elsa")
    refusal = refused(talk, 0, "anna")
    assert (refusal.code, refusal.target) == (FaultCode.UNKNOWN_CLIENT, "anna")
    assert refusal.reason == "nobody called 'anna' is registered"


def test_a_target_that_is_no_id_gets_a_short_printable_refusal() -> None:
    talk = Conversation()
    talk.reachable("elsa")
    refusal = refused(talk, 0, "\x1b[2J☠" * 1000)
    assert refusal.code is FaultCode.UNKNOWN_CLIENT
    assert len(refusal.target) == 32
    assert refusal.reason.isascii()
    assert refusal.reason.isprintable()


def test_a_sleeping_target_is_refused() -> None:
    talk = Conversation()
    talk.reachable("elsa")
    talk.register("anna")
    assert refused(talk, 0, "anna").code is FaultCode.CLIENT_ASLEEP


def test_a_target_that_has_published_nothing_counts_as_asleep() -> None:
    talk = Conversation()
    talk.reachable("elsa")
    talk.awake(talk.register("anna"), 1, ELSEWHERE)
    assert refused(talk, 0, "anna").code is FaultCode.CLIENT_ASLEEP


def test_a_sleeping_asker_is_told_so() -> None:
    talk = Conversation()
    talk.register("elsa")
    talk.reachable("anna")
    assert refused(talk, 0, "anna").code is FaultCode.YOU_ARE_ASLEEP


def test_nobody_is_introduced_to_themselves() -> None:
    talk = Conversation()
    talk.reachable("elsa")
    assert refused(talk, 0, "elsa").code is FaultCode.SAME_CLIENT


def test_who_has_left_is_unknown() -> None:
    talk = Conversation()
    talk.reachable("elsa")
    talk.say(talk.reachable("anna"), Unregister())
    assert refused(talk, 0, "anna").code is FaultCode.UNKNOWN_CLIENT


def test_a_burst_of_introductions_is_allowed_and_then_a_rate() -> None:
    talk = Conversation(RegistryConfig(introduction_burst=3, introduction_rate=10))
    elsa, anna = talk.reachable("elsa"), talk.reachable("anna", ELSEWHERE)
    for _ in range(4):
        talk.say(elsa, Connect(target="anna"))
    assert len(talk.heard(anna, Introduction)) == 3
    assert talk.last(elsa, ConnectRefused).code is FaultCode.TOO_FAST
    talk.advance(0.11)
    talk.say(elsa, Connect(target="anna"))
    assert len(talk.heard(anna, Introduction)) == 4
    talk.say(anna, Connect(target="elsa"))
    assert len(talk.heard(anna, Introduction)) == 5, "each client has a bucket of its own"


def test_publications_are_bounded_and_the_last_good_one_stays() -> None:
    talk = Conversation(RegistryConfig(publication_rate=1, publication_burst=2))
    elsa, anna = talk.reachable("elsa"), talk.reachable("anna")
    talk.say(anna, publication("192.0.2.1:5001"))
    talk.say(anna, publication("192.0.2.1:5002"))
    assert talk.last(anna, Fault).code is FaultCode.TOO_FAST
    talk.say(elsa, Connect(target="anna"))
    assert talk.last(elsa, Introduction).candidates[0].address == "192.0.2.1:5001"
    talk.advance(1)
    talk.say(anna, publication("192.0.2.1:5003"))
    talk.say(elsa, Connect(target="anna"))
    assert talk.last(elsa, Introduction).candidates[0].address == "192.0.2.1:5003"
    assert anna not in talk.closed


def prove(talk: Conversation, connection: ConnectionId, source: TransportAddress, sequence: int) -> None:
    """Wakes, and repeats what was sent to the source."""
    session = talk.session(connection)
    answer = talk.datagram(talk.awake_request(session, sequence), source)
    assert answer is not None
    talk.datagram(talk.awake_request(session, sequence + 1, token=answer.get(AddressToken)), source)


def test_where_a_peer_is_seen_is_told_once_it_has_proven_to_receive_there() -> None:
    talk = Conversation()
    elsa, anna = talk.reachable("elsa", HOME), talk.reachable("anna", ELSEWHERE)
    talk.say(elsa, Connect(target="anna"))
    assert talk.last(elsa, Introduction).observed is None
    prove(talk, anna, ELSEWHERE, 10)
    talk.say(elsa, Connect(target="anna"))
    assert talk.last(elsa, Introduction).observed == str(ELSEWHERE)
    assert talk.last(anna, Introduction).observed is None


def test_a_token_proves_the_address_that_it_was_sent_to_and_no_other() -> None:
    talk = Conversation()
    elsa, anna = talk.reachable("elsa", HOME), talk.reachable("anna", ELSEWHERE)
    session = talk.session(anna)
    answer = talk.datagram(talk.awake_request(session, 10), ELSEWHERE)
    assert answer is not None
    forged = TransportAddress.parse("192.0.2.99:4000")
    talk.datagram(talk.awake_request(session, 11, token=answer.get(AddressToken)), forged)
    talk.say(elsa, Connect(target="anna"))
    assert talk.last(elsa, Introduction).observed is None


def test_what_a_peer_says_of_its_nat_is_passed_on_and_ages_on_the_way() -> None:
    talk = Conversation()
    elsa, anna = talk.reachable("elsa", HOME), talk.reachable("anna", ELSEWHERE)
    summary = SideSummary(samples=(PortSample(port=40000, age=0.5),), sockets=16)
    talk.say(anna, Publish(ufrag="abcd", pwd="p" * 22, candidates=(), nat=summary))
    talk.advance(3)
    talk.say(elsa, Connect(target="anna"))
    told = talk.last(elsa, Introduction).nat
    assert told is not None
    assert told.samples == (PortSample(port=40000, age=3.5),)
    assert talk.last(anna, Introduction).nat is None


def test_a_renewal_names_the_same_session_to_both_sides() -> None:
    talk = Conversation()
    elsa, anna = talk.reachable("elsa", HOME), talk.reachable("anna", ELSEWHERE)
    talk.say(elsa, Connect(target="anna", renews="SomeSession"))
    assert talk.last(elsa, Introduction).renews == talk.last(anna, Introduction).renews == "SomeSession"
