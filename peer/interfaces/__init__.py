"""The machine's own addresses: which there are, which of them are used, and when that may have changed."""

from peer.interfaces.choice import MAX_ADDRESSES, choose_addresses, require_known, why_ignored
from peer.interfaces.scan import LocalAddress, LocalInterface, default_gateways, local_interfaces
from peer.interfaces.watch import Change, network_changes

__all__ = [
    "MAX_ADDRESSES",
    "Change",
    "LocalAddress",
    "LocalInterface",
    "choose_addresses",
    "default_gateways",
    "local_interfaces",
    "network_changes",
    "require_known",
    "why_ignored",
]
