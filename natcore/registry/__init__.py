"""The pure half of the rendezvous server: the registry, its limits and its commands."""

from natcore.registry.commands import (
    Broadcast,
    CloseControl,
    Command,
    ConnectionId,
    Report,
    SendControl,
    SendDatagram,
)
from natcore.registry.config import RegistryConfig
from natcore.registry.counters import Counters
from natcore.registry.reflection import LinkOptions, Offer
from natcore.registry.registry import Registry

__all__ = [
    "Broadcast",
    "CloseControl",
    "Command",
    "ConnectionId",
    "Counters",
    "LinkOptions",
    "Offer",
    "Registry",
    "RegistryConfig",
    "Report",
    "SendControl",
    "SendDatagram",
]
