"""Asking a gateway for a port: NAT-PMP (RFC 6886) and PCP (RFC 6887), without I/O.

Two clients with the five verbs of :class:`natcore.agent.Agent`, for one gateway and one request at a time:
:class:`NatPmpClient` and :class:`PcpClient`. What they tell their owner is the same for both, and
:class:`Lease` says when a mapping is due to be renewed, however it was made.

Whatever a gateway sends is untrusted: it is checked, bounded and never raises.
"""

from natcore.portmap.lease import Lease
from natcore.portmap.mapping import (
    MAPPING_SCHEDULE,
    MAX_LIFETIME,
    PROBE_SCHEDULE,
    SERVER_PORT,
    GatewayAnswered,
    GatewayRestarted,
    MappingProtocol,
    PortMapEvent,
    PortMapped,
    PortUnmapped,
    RequestFailed,
)
from natcore.portmap.natpmp import NatPmpClient
from natcore.portmap.pcp import NONCE_LENGTH, PcpClient

__all__ = [
    "MAPPING_SCHEDULE",
    "MAX_LIFETIME",
    "NONCE_LENGTH",
    "PROBE_SCHEDULE",
    "SERVER_PORT",
    "GatewayAnswered",
    "GatewayRestarted",
    "Lease",
    "MappingProtocol",
    "NatPmpClient",
    "PcpClient",
    "PortMapEvent",
    "PortMapped",
    "PortUnmapped",
    "RequestFailed",
]
