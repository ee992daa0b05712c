"""The boundary between the protocol core and the world: bytes, time and randomness in; bytes and events out.

Every UDP state machine of natcore has the five verbs of :class:`Agent`. The shell that owns the sockets
calls in, and after *every* call drains events, then datagrams, then arms exactly one timer. ``now`` is
seconds on one monotonic clock that the shell chose; an agent compares instants and never reads a clock.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from natcore.address import TransportAddress

RandomBytes = Callable[[int], bytes]
"""A source of randomness: ``secrets.token_bytes`` in production, a counter or a seeded one in tests."""


def random_token(random: RandomBytes, length: int) -> str:
    """Base64 of ``length`` random bytes, a multiple of three so that no padding is needed."""
    return b64encode(random(length)).decode("ascii")


EventT_co = TypeVar("EventT_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transmit:
    """One datagram that the shell shall send.

    Attributes:
        data: the UDP payload.
        destination: where to send it.
        base: the local address of the socket to send it from (RFC 8445 section 5.1.1: a candidate's base).
        ttl: hops after which it shall die (IPv4 TTL, IPv6 hop limit), or None for the system's default.
    """

    data: bytes
    destination: TransportAddress
    base: TransportAddress
    ttl: int | None = None


class Agent(Protocol[EventT_co]):
    """A sans-I/O UDP state machine.

    Deviation from the plan in DESIGN.md: ``receive_datagram`` is also told the ``base`` on which the
    datagram arrived, because an agent with several sockets (several interfaces now, birthday probing later)
    must answer from the one that was addressed.
    """

    def receive_datagram(
        self, data: bytes, source: TransportAddress, base: TransportAddress, now: float
    ) -> None:
        """Takes one received datagram. Never raises, whatever the bytes are."""

    def handle_timer(self, now: float) -> None:
        """Does everything that is due at ``now``: nothing when early, all of it when late."""

    def datagrams_to_send(self) -> list[Transmit]:
        """Hands over, once, the datagrams that are waiting to be sent, oldest first."""

    def next_event(self) -> EventT_co | None:
        """Hands over, once, the oldest waiting event, or None."""

    def get_timer(self) -> float | None:
        """The instant at which ``handle_timer`` must be called, or None when nothing is pending."""
