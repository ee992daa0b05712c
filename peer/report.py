"""What ``peer connect`` and ``peer listen`` found, as the one JSON object that scripts and the lab read."""

from __future__ import annotations

import msgspec

from natcore.errors import PeerError
from natcore.hardnat import Technique
from natcore.ice import Path
from peer.channel import Channel
from peer.errors import NoPath
from peer.text import printable
from peer.why import Evidence, explain

TECHNIQUES = {
    Technique.PLAIN: "plain-checks",
    Technique.MAPPED_PORT: "port-mapping",
    Technique.PREDICTION: "port-prediction",
    Technique.BIRTHDAY: "birthday-probing",
}
"""By what two peers meet: ICE connectivity checks to the candidates that each side has, to a port that a
gateway was asked to forward, to ports that a sequential NAT will give next, or to very many ports."""


class PathReport(msgspec.Struct, frozen=True, kw_only=True):
    """Where data went.

    Attributes:
        kind: type of the remote candidate: ``host``, ``srflx``, ``prflx``.
        local: our address as the peer sees it.
        remote: the peer's address as we see it.
    """

    kind: str
    local: str
    remote: str


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the timeline.

    Attributes:
        at: seconds since the introduction.
        event: what happened, in the past tense.
        detail: to whom, from where, why; may be empty.
    """

    at: float
    event: str
    detail: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt.

    Attributes:
        outcome: ``direct`` or ``failed``.
        peer: the other side's id, or null where nobody came.
        path: where data went, or null.
        technique: how it was found, see ``TECHNIQUES``; or null.
        elapsed: seconds from ``connect`` (or from the introduction, when listening) to a confirmed path.
        rtt: seconds, or null.
        packets_sent: datagrams of all kinds for this peer.
        message: what the peer sent, or null.
        reason: why it failed, or null.
        timeline: what happened, oldest first, at most 64; empty where there was no introduction.
        explanation: sentences on why; left out where it was not asked for.
    """

    outcome: str
    peer: str | None
    path: PathReport | None = None
    technique: str | None = None
    elapsed: float | None = None
    rtt: float | None = None
    packets_sent: int = 0
    message: str | None = None
    reason: str | None = None
    timeline: tuple[Happened, ...] = ()
    explanation: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET

    @classmethod
    def direct(
        cls,
        channel: Channel,
        path: Path,
        *,
        elapsed: float,
        message: str | None,
        reason: str | None = None,
        evidence: Evidence,
    ) -> Report:
        """There was a path."""
        return cls(
            outcome="direct",
            peer=channel.peer,
            path=PathReport(kind=path.kind.value, local=str(path.local), remote=str(path.remote)),
            technique=TECHNIQUES[channel.technique],
            elapsed=round(elapsed, 6),
            rtt=None if channel.rtt is None else round(channel.rtt, 6),
            packets_sent=channel.packets_sent,
            message=message,
            reason=reason,
            timeline=_timeline(evidence),
            explanation=explain(evidence),
        )

    @classmethod
    def failed(cls, peer: str | None, error: PeerError, evidence: Evidence | None = None) -> Report:
        """There was none."""
        return cls(
            outcome="failed",
            peer=peer,
            packets_sent=error.packets_sent if isinstance(error, NoPath) else 0,
            reason=printable(str(error)),
            timeline=() if evidence is None else _timeline(evidence),
            explanation=() if evidence is None else explain(evidence),
        )

    def without_explanation(self) -> Report:
        """The same for who has not asked why."""
        return msgspec.structs.replace(self, explanation=msgspec.UNSET)

    def to_json(self) -> str:
        """One line."""
        return msgspec.json.encode(self).decode()

    def to_text(self) -> str:
        """One line for people."""
        if self.path is None:
            return f"failed: {self.reason}"
        rtt = "" if self.rtt is None else f", rtt {self.rtt * 1000:.1f} ms"
        text = f"direct to {self.peer} at {self.path.remote} ({self.path.kind}{rtt})"
        return text if self.message is None else f"{text}: [{printable(self.message)}]"


def _timeline(evidence: Evidence) -> tuple[Happened, ...]:
    return tuple(
        Happened(at=round(one.at, 6), event=one.event.value, detail=printable(one.detail))
        for one in evidence.timeline
    )
