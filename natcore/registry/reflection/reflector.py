"""What becomes of an answer to a stranger: it goes, another server sends it, or it is not allowed."""

from __future__ import annotations

from dataclasses import replace

from natcore.agent import RandomBytes
from natcore.registry.config import RegistryConfig
from natcore.registry.counters import Counters
from natcore.registry.reflection.allowance import Allowance
from natcore.registry.reflection.answers import Answer, Arrival, answer_classic, answer_stranger, refuse
from natcore.registry.reflection.link import Link, LinkOptions
from natcore.registry.reflection.offer import Offer
from natcore.stun import ClassicRequest, ReceivedMessage


class Reflector:
    """Answers the Binding requests of strangers, within limits; speaks to the other server if there is one.

    Beyond the limits a request gets a 500 from where it arrived, so that a client knows that nothing was
    measured; silence would look like a filter. A classic client would take the error for its answer, and gets
    silence.

    Args:
        offer: our own endpoints.
        config: the limits.
        counters: where everything is counted.
        link: the other server, or None.
        random: for the link.
    """

    def __init__(
        self,
        offer: Offer,
        config: RegistryConfig,
        counters: Counters,
        link: LinkOptions | None = None,
        random: RandomBytes = bytes,
    ) -> None:
        self._own_offer = offer
        self._counters = counters
        self._link = None if link is None else Link(link, random)
        self._was_up = False
        if link is not None:
            others = {link.local.ip: link.remote.ip}
            self._joint_offer = replace(offer, others=others, elsewhere=frozenset(others.values()))
        self._allowance = Allowance(
            rate=config.reflection_rate,
            burst=config.reflection_burst,
            total_rate=config.total_reflection_rate,
            max_sources=config.max_reflection_sources,
        )

    def answer(self, request: ReceivedMessage, arrival: Arrival, now: float) -> Answer:
        """The answer to a Binding request of today's STUN; ``now`` is in seconds."""
        self._counters.bindings += 1
        answer = answer_stranger(request, arrival, self._offer(now))
        if self._may_go(answer, now):
            return self._by_whom(answer, now)
        return arrival.back(refuse(request))

    def answer_classic(self, request: ClassicRequest, arrival: Arrival, now: float) -> Answer | None:
        """The answer to a Binding request of RFC 3489, or None."""
        answer = answer_classic(request, arrival, self._offer(now))
        if answer is None:
            self._counters.unexpected_datagrams += 1
            return None
        self._counters.bindings += 1
        return self._by_whom(answer, now) if self._may_go(answer, now) else None

    # --- the other server -----------------------------------------------------------------------------

    def receive_link(self, message: ReceivedMessage, arrival: Arrival, now: float) -> Answer | None:
        """Takes a message that claims to be the other server's; what it has us send, or None."""
        if self._link is None:
            self._counters.unexpected_datagrams += 1
            return None
        heard = self._link.receive(message, arrival, now)
        if not heard.is_authentic:
            self._counters.forged_link_messages += 1
        elif not heard.is_fresh:
            self._counters.replayed_link_messages += 1
        else:
            self._counters.link_messages += 1
        if heard.order is not None:
            return heard.order if self._may_go(heard.order, now) else None
        return heard.reply

    def get_timer(self) -> float | None:
        """The instant, in seconds, at which ``handle_timer`` must be called, or None."""
        return None if self._link is None else self._link.get_timer()

    def handle_timer(self, now: float) -> Answer | None:
        """What is due to be sent, or None."""
        return None if self._link is None else self._link.handle_timer(now)

    def news(self, now: float) -> str | None:
        """One line for the operator if the other server has come or gone since the last call."""
        if self._link is None or self._link.is_up(now) == self._was_up:
            return None
        self._was_up = not self._was_up
        servers = ", ".join(map(str, self._joint_offer.elsewhere))
        if self._was_up:
            return f"behaviour discovery: full, together with the server at {servers}"
        return f"behaviour discovery: filtering by port only, the server at {servers} is not heard"

    def _offer(self, now: float) -> Offer:
        return self._joint_offer if self._link is not None and self._link.is_up(now) else self._own_offer

    def _by_whom(self, answer: Answer, now: float) -> Answer:
        if self._link is None or answer.origin.ip not in self._joint_offer.elsewhere:
            return answer
        return self._link.order(answer, now)

    def _may_go(self, answer: Answer, now: float) -> bool:
        if not answer.is_reflected:
            return True
        if self._allowance.take(answer.destination.ip, now):
            self._counters.reflections += 1
            return True
        self._counters.refused_reflections += 1
        return False
