"""Loss, reordering, duplication and skew: delivered exactly once and in order, or said to be unconfirmed."""

from __future__ import annotations

import pytest

from natcore.channel import DeliveryConfig, MessageConfirmed, SessionConfig, SessionConfirmed
from tests.sim.network import Link
from tests.sim.pair import SessionPair, confirmed, make_sites, payloads

SEEDS = range(40)
MESSAGES = [f"message {index}".encode() for index in range(8)]


# Nobody gives up in these tests: at 30 % loss one message in 500 needs longer than the usual 10 s.
PATIENT = SessionConfig(delivery=DeliveryConfig(give_up_after=60.0))


def make_pair(link: Link, seed: int) -> SessionPair:
    return SessionPair(make_sites("port-restricted", "port-restricted"), link=link, seed=seed, config=PATIENT)


def exchange(pair: SessionPair, *, skew: float = 0.0) -> None:
    """Connects, sends all messages both ways and waits until all are confirmed."""
    pair.start(skew=skew, early_data=b"early")
    pair.connect()
    for payload in MESSAGES:
        pair.send(pair.elsa, payload)
        pair.send(pair.anna, payload)
    pair.drive_until(MessageConfirmed, pair.elsa, count=len(MESSAGES) + 1)
    pair.drive_until(MessageConfirmed, pair.anna, count=len(MESSAGES))


def assert_delivered_once_in_order(pair: SessionPair) -> None:
    pair.advance(3.0)
    assert payloads(pair.anna) == [b"early", *MESSAGES]
    assert payloads(pair.elsa) == MESSAGES
    assert confirmed(pair.elsa) == list(range(1, len(MESSAGES) + 2))
    assert confirmed(pair.anna) == list(range(1, len(MESSAGES) + 1))


@pytest.mark.parametrize("drop", [0.1, 0.3])
def test_a_lossy_link_delivers_everything_once_and_in_order(drop: float) -> None:
    for seed in SEEDS:
        pair = make_pair(Link(drop=drop), seed)
        exchange(pair)
        assert_delivered_once_in_order(pair)


def test_a_link_that_duplicates_everything_delivers_everything_once() -> None:
    for seed in SEEDS:
        pair = make_pair(Link(duplicate=1.0), seed)
        exchange(pair)
        assert_delivered_once_in_order(pair)


def test_a_link_that_reorders_delivers_everything_in_order() -> None:
    for seed in SEEDS:
        pair = make_pair(Link(jitter=0.2), seed)
        exchange(pair)
        assert_delivered_once_in_order(pair)


def test_a_link_that_does_it_all_at_once_is_survived() -> None:
    for seed in SEEDS:
        pair = make_pair(Link(drop=0.2, duplicate=0.2, jitter=0.1), seed)
        exchange(pair, skew=seed * 0.025)
        assert_delivered_once_in_order(pair)


@pytest.mark.parametrize(("drop", "soon"), [(0.1, 0.5), (0.3, 6.0)])
def test_a_lossy_link_hardly_delays_the_path(drop: float, soon: float) -> None:
    times = []
    for seed in range(100):
        pair = make_pair(Link(drop=drop), seed)
        pair.start()
        pair.connect()
        times.append(pair.now)
    times.sort()
    assert times[50] <= 0.15, "the median costs two retransmissions at most"
    assert times[-1] <= soon


def test_both_sides_agree_on_the_path_whatever_the_link_does() -> None:
    for seed in SEEDS:
        pair = make_pair(Link(drop=0.3, duplicate=0.3, jitter=0.1), seed)
        pair.start(skew=0.01 * seed)
        pair.connect()
        pair.advance(14.0)
        ours, theirs = pair.elsas.path, pair.annas.path
        assert ours is not None
        assert theirs is not None
        assert (ours.local, ours.remote) == (theirs.remote, theirs.local), f"seed {seed}"
        assert len(pair.elsa.events(SessionConfirmed)) == 1
