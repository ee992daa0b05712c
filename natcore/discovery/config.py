"""Every number of behaviour discovery, with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryConfig:
    """What may be chosen. Times are in seconds.

    Attributes:
        first_rto: between questions while no answer has shown the round trip. RFC 8489 section 6.2.1 wants
            0.5; a person waits, and at most ``max_tries`` small packets a server are no burden.
        max_tries: of a question that nothing should filter. With every fifth packet lost on either way, all
            of seven fail once in 1,300 questions.
        blocked_after: without any answer for so long, UDP is blocked where TCP passes. Also at least
            ``blocked_round_trips`` of TCP's.
        blocked_round_trips: see there.
        scout_patience: after the first answer of a server without a second address, so long for a better
            one.
        trial_interval: between two rounds of questions whose answers may be filtered. Losses come in bursts
            of some tens of milliseconds, so that rounds closer together would be lost together.
        trial_rounds: at least so many.
        max_trial_rounds: at most, where packets get lost.
        trial_risk: the probability of taking losses for a filter, below which it is believed.
        tcp_patience: so long the report waits for a first TCP connection; a lost SYN is repeated after one
            second, and the owner tries several.
        hop_tries: packets for each distance; routers answer few of them.
        deadline: after so long, what is still open stays unknown.
    """

    first_rto: float = 0.1
    max_tries: int = 7
    blocked_after: float = 1.2
    blocked_round_trips: float = 4.0
    scout_patience: float = 0.3
    trial_interval: float = 0.03
    trial_rounds: int = 4
    max_trial_rounds: int = 16
    trial_risk: float = 1e-4
    tcp_patience: float = 1.0
    hop_tries: int = 2
    deadline: float = 6.0

    def grace(self, rtt: float) -> float:
        """Seconds for which an answer may still come after one that was asked for later.

        It travels from another address, and so perhaps by another road.
        """
        return max(0.03, rtt / 2)

    def rto(self, rtt: float | None) -> float:
        """Seconds between questions that nothing should filter, for a round trip that was seen."""
        return self.first_rto if rtt is None else min(max(0.05, 2 * rtt), 0.5)
