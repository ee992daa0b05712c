"""What becomes of each answer to a stranger: it goes, or its reflection is not allowed."""

from __future__ import annotations

from natcore.registry.config import RegistryConfig
from natcore.registry.counters import Counters
from natcore.registry.reflection.allowance import Allowance
from natcore.registry.reflection.answers import Answer, Arrival, answer_classic, answer_stranger, refuse
from natcore.registry.reflection.offer import Offer
from natcore.stun import ClassicRequest, ReceivedMessage


class Reflector:
    """Answers the Binding requests of strangers, within limits.

    Beyond them a request gets a 500 from where it arrived, so that a client knows that nothing was measured;
    silence would look like a filter. A classic client would take the error for its answer, and gets silence.
    """

    def __init__(self, offer: Offer, config: RegistryConfig, counters: Counters) -> None:
        self._offer = offer
        self._counters = counters
        self._allowance = Allowance(
            rate=config.reflection_rate,
            burst=config.reflection_burst,
            total_rate=config.total_reflection_rate,
            max_sources=config.max_reflection_sources,
        )

    def answer(self, request: ReceivedMessage, arrival: Arrival, now: float) -> Answer:
        """The answer to a Binding request of today's STUN; ``now`` is in seconds."""
        self._counters.bindings += 1
        answer = answer_stranger(request, arrival, self._offer)
        if self._may_go(answer, now):
            return answer
        return arrival.back(refuse(request))

    def answer_classic(self, request: ClassicRequest, arrival: Arrival, now: float) -> Answer | None:
        """The answer to a Binding request of RFC 3489, or None."""
        answer = answer_classic(request, arrival, self._offer)
        if answer is None:
            self._counters.unexpected_datagrams += 1
            return None
        self._counters.bindings += 1
        return answer if self._may_go(answer, now) else None

    def _may_go(self, answer: Answer, now: float) -> bool:
        if not answer.is_reflected:
            return True
        if self._allowance.take(answer.destination.ip, now):
            self._counters.reflections += 1
            return True
        self._counters.refused_reflections += 1
        return False
