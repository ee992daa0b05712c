from __future__ import annotations

from typing import cast

from natcore.errors import PeerError
from natcore.hardnat import Technique
from peer.attempts import MAX_ATTEMPTS, Attempts
from peer.channel import Channel
from peer.errors import ChannelClosed
from peer.why import Evidence

FAILED = PeerError("nobody there")


class FakeChannel:
    peer = "anna"
    peer_nat = plan = path = None
    timeline = ()
    technique = Technique.PLAIN
    is_lost = is_in_doubt = False

    def __init__(self, failure: PeerError | None = None) -> None:
        self.failure = failure
        self.is_open = failure is None


def channel(failure: PeerError | None = None) -> Channel:
    return cast(Channel, FakeChannel(failure))


def test_of_nobody_nothing_is_known() -> None:
    assert Attempts().evidence("anna", None) is None


def test_an_attempt_without_a_channel_is_known_by_its_error() -> None:
    attempts = Attempts()
    attempts.remember("anna", channel=None, error=FAILED)
    assert attempts.evidence("anna", None) == Evidence(peer="anna", error=FAILED)


def test_the_newest_one_counts() -> None:
    attempts = Attempts()
    attempts.remember("anna", channel=None, error=FAILED)
    attempts.remember("anna", channel=channel())
    assert attempts.evidence("anna", None) == Evidence(peer="anna")


def test_why_a_channel_ended_is_known_when_it_is_asked_for() -> None:
    attempts, closed = Attempts(), ChannelClosed(peer="anna", detail="closed by anna")
    attempts.remember("anna", channel=channel(closed))
    assert attempts.evidence("anna", None) == Evidence(peer="anna", error=closed)
    attempts.remember("anna", channel=channel(closed), error=FAILED)
    assert attempts.evidence("anna", None) == Evidence(peer="anna", error=FAILED)


def test_the_oldest_is_forgotten_at_the_limit_and_a_newer_attempt_counts_as_new() -> None:
    attempts = Attempts()
    for number in range(MAX_ATTEMPTS):
        attempts.remember(f"peer{number}", channel=None, error=FAILED)
    attempts.remember("peer0", channel=None, error=FAILED)
    assert all(attempts.evidence(f"peer{number}", None) for number in range(MAX_ATTEMPTS))
    attempts.remember("another", channel=None, error=FAILED)
    assert attempts.evidence("peer1", None) is None
    assert attempts.evidence("peer0", None) is not None
