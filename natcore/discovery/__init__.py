"""Behaviour discovery without I/O: what the NAT in front of a socket does (RFC 5780, words of RFC 4787)."""

from natcore.discovery.agent import Discovery
from natcore.discovery.allocation import Allocation
from natcore.discovery.config import DiscoveryConfig
from natcore.discovery.finding import Finding, Known, Unknown
from natcore.discovery.lifetime import (
    LIFETIME_SOCKETS,
    LifetimeConfig,
    LifetimeDiscovery,
    LifetimeProgress,
    MappingLifetime,
)
from natcore.discovery.path import WanSide
from natcore.discovery.plan import SOCKET_COUNT
from natcore.discovery.report import DiscoveryReport, value_of
from natcore.discovery.sampling import BURST_SIZE, PortSampler, PortSamples
from natcore.discovery.server import StunServer

__all__ = [
    "BURST_SIZE",
    "LIFETIME_SOCKETS",
    "SOCKET_COUNT",
    "Allocation",
    "Discovery",
    "DiscoveryConfig",
    "DiscoveryReport",
    "Finding",
    "Known",
    "LifetimeConfig",
    "LifetimeDiscovery",
    "LifetimeProgress",
    "MappingLifetime",
    "PortSampler",
    "PortSamples",
    "StunServer",
    "Unknown",
    "WanSide",
    "value_of",
]
