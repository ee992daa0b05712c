"""What may be chosen of a client endpoint."""

from __future__ import annotations

from dataclasses import dataclass, field

from natcore.channel import SessionConfig
from natcore.endpoint.awake import AwakeConfig
from natcore.endpoint.sessions import SessionLimits
from natcore.hardnat import HardNatLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConfig:
    """Of the parts, and their bounds.

    Attributes:
        limits: of sessions; an introduction beyond is not followed, and the peer's checks fail.
        max_pending: introductions asked for and not answered yet.
        hard_nat: what may be spent on pairs that plain checks cannot connect.
    """

    awake: AwakeConfig = field(default_factory=AwakeConfig)
    session: SessionConfig = field(default_factory=SessionConfig)
    limits: SessionLimits = field(default_factory=SessionLimits)
    max_pending: int = 64
    hard_nat: HardNatLimits = field(default_factory=HardNatLimits)
