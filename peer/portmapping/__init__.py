"""Port mapping: asking the gateway to forward a UDP port, by UPnP, NAT-PMP or PCP.

:class:`PortMapper` keeps a port mapped, :func:`survey` tells which of the three the gateway speaks.
"""

from peer.portmapping.gateway import Gateway, find_gateway, may_be_behind_nat
from peer.portmapping.mapper import MapperConfig, PortMapper
from peer.portmapping.method import Mapping, Wanted
from peer.portmapping.survey import ProtocolSurvey, Survey, survey

__all__ = [
    "Gateway",
    "MapperConfig",
    "Mapping",
    "PortMapper",
    "ProtocolSurvey",
    "Survey",
    "Wanted",
    "find_gateway",
    "may_be_behind_nat",
    "survey",
]
