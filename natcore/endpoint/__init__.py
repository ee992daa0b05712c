"""A client as one pure object: registration, Awake, sessions."""

from natcore.endpoint.awake import AwakeConfig, Awoke, WakingFailed
from natcore.endpoint.config import EndpointConfig
from natcore.endpoint.endpoint import ClientEndpoint
from natcore.endpoint.events import (
    ClientsChanged,
    ConnectFailed,
    ConnectionUnusable,
    EndpointEvent,
    FaultReceived,
    RegistrationConfirmed,
    RegistrationRefused,
    ServerLeaving,
    SessionEventOccurred,
    SessionNoted,
    SessionStarted,
    SocketsWanted,
)
from natcore.endpoint.sessions import SessionLimits

__all__ = [
    "AwakeConfig",
    "Awoke",
    "ClientEndpoint",
    "ClientsChanged",
    "ConnectFailed",
    "ConnectionUnusable",
    "EndpointConfig",
    "EndpointEvent",
    "FaultReceived",
    "RegistrationConfirmed",
    "RegistrationRefused",
    "ServerLeaving",
    "SessionEventOccurred",
    "SessionLimits",
    "SessionNoted",
    "SessionStarted",
    "SocketsWanted",
    "WakingFailed",
]
