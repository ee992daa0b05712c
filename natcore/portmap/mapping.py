"""What NAT-PMP and PCP have in common: the server's port, times, and what a client tells its owner."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from natcore.address import IPAddress, TransportAddress
from natcore.stun import RetransmissionSchedule

SERVER_PORT = 5351
"""UDP port of a gateway for both protocols (RFC 6886 section 3.1, RFC 6887 section 19.1)."""

MAX_LIFETIME = 86_400
"""Seconds that a granted lifetime is believed (RFC 6887 section 15: 24 hours); more is cut to it."""

MAX_RETRY_DELAY = 1_800
"""Seconds that a refusal is believed (RFC 6887 section 15: 30 minutes)."""

PROBE_SCHEDULE = RetransmissionSchedule(rto=0.25, max_requests=3, final_wait_factor=1)
"""Whether anybody is there: asked at 0, 0.25 and 0.75 s, given up at 1 s.

The first three of RFC 6886 section 3.1; its nine take 127.75 s, and somebody is waiting. PCP's own first
repetition would be due after 3 s (RFC 6887 section 8.1.1), for gateways far away in a carrier's network.
"""

MAPPING_SCHEDULE = RetransmissionSchedule(rto=0.25, max_requests=5, final_wait_factor=4)
"""For a gateway that has just answered: asked at 0, 0.25, 0.75, 1.75 and 3.75 s, given up at 4.75 s."""


class MappingProtocol(Enum):
    """How a gateway is asked for a port."""

    UPNP = "upnp"
    """UPnP Internet Gateway Device, version 1 or 2; not in this package, as it is HTTP."""
    NAT_PMP = "nat-pmp"
    PCP = "pcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayAnswered:
    """There is a gateway that speaks the protocol.

    Attributes:
        external_ip: the address that it claims to have outside; None where the protocol does not tell.
    """

    external_ip: IPAddress | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRestarted:
    """The gateway has lost its mappings since it answered last; comes before the event of that answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortMapped:
    """The gateway claims to forward a port.

    Attributes:
        external: where, as it claims.
        lifetime: seconds, 1 to ``MAX_LIFETIME``.
    """

    external: TransportAddress
    lifetime: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PortUnmapped:
    """The gateway claims not to forward the port any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFailed:
    """The request led to nothing.

    Attributes:
        reason: a clause for people, in our own words.
        retry_after: seconds for which the gateway would say the same, up to ``MAX_RETRY_DELAY``; None where
            it does not say.
    """

    reason: str
    retry_after: int | None = None


PortMapEvent = GatewayAnswered | GatewayRestarted | PortMapped | PortUnmapped | RequestFailed
