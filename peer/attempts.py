"""What a node remembers of its newest channel or attempt with each peer, for whoever asks why."""

from __future__ import annotations

from dataclasses import dataclass

from natcore.discovery import DiscoveryReport
from natcore.errors import PeerError
from peer.channel import Channel
from peer.why import Evidence

MAX_ATTEMPTS = 32
"""Peers; the one with the oldest attempt is forgotten. More than a person asks about, and 64 entries each."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    channel: Channel | None
    error: PeerError | None


class Attempts:
    """The newest one with each of the last few peers."""

    def __init__(self) -> None:
        self._newest: dict[str, _Attempt] = {}

    def remember(self, peer: str, *, channel: Channel | None, error: PeerError | None = None) -> None:
        """Takes a channel that began, or an attempt that failed, with the channel that it had."""
        self._newest.pop(peer, None)
        self._newest[peer] = _Attempt(channel, error)
        if len(self._newest) > MAX_ATTEMPTS:
            del self._newest[next(iter(self._newest))]

    def evidence(self, peer: str, own_nat: DiscoveryReport | None) -> Evidence | None:
        """Of the newest one with ``peer``, or None where there was none."""
        newest = self._newest.get(peer)
        if newest is None:
            return None
        if newest.channel is None:
            return Evidence(peer=peer, own_nat=own_nat, error=newest.error)
        return evidence_of(newest.channel, own_nat, error=newest.error)


def evidence_of(
    channel: Channel, own_nat: DiscoveryReport | None, *, error: PeerError | None = None
) -> Evidence:
    """Of one channel; ``error`` is the attempt's, where the channel itself has not ended with one."""
    return Evidence(
        peer=channel.peer,
        own_nat=own_nat,
        peer_nat=channel.peer_nat,
        plan=channel.plan,
        timeline=channel.timeline,
        path=channel.path,
        technique=channel.technique,
        error=error or channel.failure,
        is_lost=channel.is_lost and channel.is_open,
        is_in_doubt=channel.is_in_doubt,
    )
