"""What the operator chooses, read once from the command line and never changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from natcore.registry import RegistryConfig
from rendezvous.alternates import AlternateOptions

DEFAULT_HOST = "0.0.0.0"
"""A public server listens everywhere."""

DEFAULT_PORT = 10080
"""TCP and UDP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """One server's settings. Times are in seconds, sizes in bytes.

    Attributes:
        host: a numeric address or a name of this machine; ``0.0.0.0`` means all of IPv4, ``::`` all.
        port: of TCP and UDP alike; 0 picks a free one.
        alternate: the second port and address, for behaviour discovery.
        trace: where to write one JSON object an event, or None.
        max_queue_size: what may wait for one client that does not read. Some seconds of the liveliest
            announcements; times 10,000 clients it is still memory that a server has.
        queue_patience: how long that much may wait: a megabit a second carries it in two seconds.
        drain_timeout: how long goodbyes may take at the end.
        registry: the limits of the protocol.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    alternate: AlternateOptions = field(default_factory=AlternateOptions)
    trace: Path | None = None
    max_queue_size: int = 256 * 1024
    queue_patience: float = 5.0
    drain_timeout: float = 2.0
    registry: RegistryConfig = field(default_factory=RegistryConfig)
