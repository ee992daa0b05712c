"""What the two sides of a recent introduction hear of each other later: changes, and that one declines."""

from __future__ import annotations

from natcore.address import TransportAddress
from natcore.control.messages import (
    Connect,
    Decline,
    Declined,
    FaultCode,
    Introduction,
    Trickle,
    Unregister,
)
from natcore.hardnat import SideSummary
from natcore.registry import ConnectionId, RegistryConfig
from natcore.registry.introductions import MAX_MEETINGS, MEETING_LIFETIME
from natcore.stun import AddressToken
from tests.unit.natcore.registry.conversation import ELSEWHERE, HOME, Conversation, publication


def introduced(config: RegistryConfig | None = None) -> tuple[Conversation, ConnectionId, ConnectionId, str]:
    talk = Conversation(config or RegistryConfig())
    elsa, anna = talk.reachable("elsa", HOME), talk.reachable("anna", ELSEWHERE)
    talk.say(elsa, Connect(target="anna"))
    return talk, elsa, anna, talk.last(elsa, Introduction).session


def trickles(talk: Conversation, connection: ConnectionId) -> list[Trickle]:
    return [message for message in talk.told[connection] if isinstance(message, Trickle)]


def test_what_is_published_after_an_introduction_reaches_its_other_side_and_nobody_else() -> None:
    talk, elsa, anna, session = introduced()
    olaf = talk.reachable("olaf")
    talk.say(anna, publication("192.0.2.1:6000"))
    (trickle,) = trickles(talk, elsa)
    assert trickle.session == session
    assert [one.address for one in trickle.candidates] == ["192.0.2.1:6000", str(ELSEWHERE)]
    assert trickles(talk, anna) == trickles(talk, olaf) == []


def test_a_nat_that_is_measured_after_the_introduction_is_told() -> None:
    talk, elsa, anna, _ = introduced()
    told = publication("192.0.2.1:5000")
    talk.say(anna, type(told)(ufrag=told.ufrag, pwd=told.pwd, candidates=(), nat=SideSummary(seen=7)))
    (trickle,) = trickles(talk, elsa)
    assert trickle.nat is not None
    assert trickle.nat.seen == 7


def test_an_address_that_moves_after_the_introduction_is_told_and_again_when_it_is_proven() -> None:
    talk, elsa, anna, _ = introduced()
    moved = TransportAddress.parse("198.51.100.9:6000")
    talk.awake(anna, 2, moved)
    (first,) = trickles(talk, elsa)
    assert first.candidates[-1].address == str(moved)
    assert first.observed is None
    answer = talk.datagram(talk.awake_request(talk.session(anna), 3), moved)
    assert answer is not None
    token = answer.get(AddressToken)
    talk.datagram(talk.awake_request(talk.session(anna), 4, token=token), moved)
    assert trickles(talk, elsa)[-1].observed == str(moved)
    talk.datagram(talk.awake_request(talk.session(anna), 5, token=token), moved)
    assert len(trickles(talk, elsa)) == 2, "nothing has changed"


def test_an_old_introduction_is_forgotten() -> None:
    talk, elsa, anna, session = introduced()
    talk.now += MEETING_LIFETIME + 1
    talk.say(anna, publication("192.0.2.1:6000"))
    assert trickles(talk, elsa) == []
    talk.say(anna, Decline(session=session, code=FaultCode.UNKNOWN_SESSION, reason="gone"))
    assert not [message for message in talk.told[elsa] if isinstance(message, Declined)]


def test_one_change_is_told_to_a_bounded_number_of_peers() -> None:
    talk = Conversation(RegistryConfig(introduction_burst=100, publication_burst=10))
    anna = talk.reachable("anna", ELSEWHERE)
    others = [talk.reachable(f"p{index}") for index in range(MAX_MEETINGS + 4)]
    for other in others:
        talk.say(other, Connect(target="anna"))
    talk.say(anna, publication("192.0.2.1:6000"))
    assert [len(trickles(talk, other)) for other in others] == [0] * 4 + [1] * MAX_MEETINGS


def test_moving_all_the_time_is_told_no_more_often_than_one_may_publish() -> None:
    talk, elsa, anna, _ = introduced(RegistryConfig(publication_rate=1, publication_burst=3))
    for sequence in range(2, 30):
        talk.awake(anna, sequence, TransportAddress.parse(f"198.51.100.9:{6000 + sequence}"))
    assert len(trickles(talk, elsa)) == 2


def test_who_has_left_is_told_nothing() -> None:
    talk, elsa, anna, session = introduced()
    talk.say(elsa, Unregister())
    again = talk.reachable("elsa")
    talk.say(anna, publication("192.0.2.1:6000"))
    talk.say(anna, Decline(session=session, code=FaultCode.TOO_FAST, reason="full"))
    assert trickles(talk, again) == []
    assert not [message for message in talk.told[again] if isinstance(message, Declined)]


def test_declining_is_told_once_to_the_other_side() -> None:
    talk, elsa, anna, session = introduced()
    decline = Decline(session=session, code=FaultCode.TOO_FAST, reason="256 sessions are open already")
    talk.say(anna, decline)
    talk.say(anna, decline)
    told = [message for message in talk.told[elsa] if isinstance(message, Declined)]
    assert told == [
        Declined(session=session, code=FaultCode.TOO_FAST, reason="256 sessions are open already")
    ]


def test_nobody_declines_the_introductions_of_others() -> None:
    talk, elsa, anna, session = introduced()
    olaf = talk.reachable("olaf")
    talk.say(olaf, Decline(session=session, code=FaultCode.TOO_FAST, reason="no"))
    for side in (elsa, anna):
        assert not [message for message in talk.told[side] if isinstance(message, Declined)]
