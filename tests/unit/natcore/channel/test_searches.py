from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from natcore import stun
from natcore.address import TransportAddress
from natcore.channel.search import PathSearch
from natcore.channel.searches import RenewalFailed, Searches
from natcore.channel.timeline import Timeline
from natcore.hardnat import HardNatLimits, Technique, plan
from natcore.ice import CheckStarted, ConnectivityFailed, Credentials, IceConfig, PathConfirmed
from tests.sim.pair import local_host, seeded
from tests.unit.natcore.hardnat.sides import EASY, HARD

BASE = TransportAddress(IPv4Address("192.0.2.1"), 4000)
PEER = TransportAddress(IPv4Address("198.51.100.1"), 5000)
OURS, THEIRS = Credentials.generate(seeded(1)), Credentials.generate(seeded(2))


def started(name: str) -> PathSearch:
    search = PathSearch(
        name=name,
        is_controlling=True,
        local=OURS,
        remote=THEIRS,
        local_candidates=[local_host(BASE)],
        config=IceConfig(),
        timeline=Timeline(),
        random=seeded(len(name)),
        opener_ttl=None,
    )
    search.start([local_host(PEER)], 0.0)
    return search


def check_of(searches: Searches, name: str) -> stun.ReceivedMessage:
    """What the search of that name has sent."""
    username = stun.Username(f"{THEIRS.for_session(name).ufrag}:{OURS.for_session(name).ufrag}")
    sent = [stun.Message.decode(one.data) for one in searches.datagrams_to_send()]
    (check,) = [one for one in sent if one.get(stun.Username) == username]
    return check


def answer(searches: Searches, name: str) -> None:
    key = THEIRS.for_session(name).key
    data = stun.success_response(check_of(searches, name), (stun.XorMappedAddress(BASE),), key)
    searches.receive_stun(data, PEER, BASE, 0.1)


def told(searches: Searches, now: float) -> list[type]:
    return [type(event) for event in iter(lambda: searches.next_event(now), None)]


def test_a_renewal_is_the_newest_and_the_first_stays_in_use() -> None:
    first, second = started("first"), started("second")
    searches = Searches(first)
    assert (searches.current, searches.newest) == (first, first)
    searches.renew(second)
    assert (searches.current, searches.newest) == (first, second)


def test_a_renewal_that_has_a_path_takes_the_place_of_the_first_which_ends() -> None:
    first, second = started("first"), started("second")
    searches = Searches(first)
    searches.renew(second)
    assert told(searches, 0.0) == [CheckStarted], "that of the first"
    answer(searches, "second")
    assert PathConfirmed in told(searches, 0.1)
    assert (searches.current, searches.renewal) == (second, None)
    assert not first.is_under_way


def test_a_renewal_that_fails_is_told_once_and_the_first_goes_on() -> None:
    first = started("first")
    searches = Searches(first)
    answer(searches, "first")
    told(searches, 0.1)
    searches.renew(started("second"))
    searches.handle_timer(IceConfig().consent_timeout - 1.0)
    seen = told(searches, 29.0)
    assert seen.count(RenewalFailed) == 1
    assert ConnectivityFailed not in seen
    assert (searches.current, searches.renewal) == (first, None)
    assert first.ice.path is not None


def test_another_renewal_ends_the_one_before() -> None:
    searches = Searches(started("first"))
    second, third = started("second"), started("third")
    searches.renew(second)
    searches.renew(third)
    assert (searches.newest, second.is_under_way) == (third, False)


def test_a_response_is_awaited_by_any_of_them_until_all_are_closed() -> None:
    searches = Searches(started("first"))
    searches.renew(started("second"))
    sent = [stun.Message.decode(one.data) for one in searches.datagrams_to_send()]
    assert len(sent) == 2
    assert all(searches.is_awaiting(check.transaction_id) for check in sent)
    assert searches.get_timer() is not None
    searches.close()
    assert not any(searches.is_awaiting(check.transaction_id) for check in sent)
    assert searches.get_timer() is None


@pytest.mark.parametrize(
    ("planned", "said"),
    [
        (Technique.BIRTHDAY, Technique.BIRTHDAY),
        (Technique.PREDICTION, Technique.PREDICTION),
        (Technique.MAPPED_PORT, Technique.PLAIN),
        (Technique.GIVE_UP, Technique.PLAIN),
    ],
)
def test_the_peers_part_of_an_attempt_counts_though_ours_has_not_begun(
    planned: Technique, said: Technique
) -> None:
    search = started("first")
    assert search.technique is Technique.PLAIN
    made = plan(EASY, HARD, HardNatLimits())
    search.take_plan(replace(made, technique=planned), 0.0)
    assert search.technique is said
