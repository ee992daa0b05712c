"""Whom to ask: the gateway of the default route, and our address on its network."""

from __future__ import annotations

from dataclasses import dataclass

from natcore.address import IPAddress
from natcore.portmap import SERVER_PORT
from peer.errors import MappingFailed
from peer.interfaces import default_gateways
from peer.sockets import address_towards

SSDP_PORT = 1900
"""UDP (UPnP Device Architecture 2.0 section 1.3.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway.

    Attributes:
        ip: the only address that is ever talked to.
        local_ip: ours towards it, and what it would forward to.
        control_port: of NAT-PMP and PCP; another one is for tests, as is the next.
        ssdp_port: of UPnP's search.
    """

    ip: IPAddress
    local_ip: IPAddress
    control_port: int = SERVER_PORT
    ssdp_port: int = SSDP_PORT


def may_be_behind_nat(own: IPAddress) -> bool:
    """Whether a gateway could be asked to forward to this address of ours; nobody is asked where not."""
    return own.version == 4 and not (own.is_loopback or own.is_global)


def find_gateway(local_ip: IPAddress | None = None) -> Gateway:
    """The gateway of the IPv4 default route.

    Args:
        local_ip: our address that must be on its network; None for whichever is.

    Raises:
        MappingFailed: there is none, or nothing to be asked of it.
    """
    for ip in default_gateways():
        local = address_towards(ip)
        if ip.version != 4 or local is None or (local_ip is not None and local != local_ip):
            continue  # over IPv6 nothing is translated
        if local.is_global:
            raise MappingFailed(reason=f"this host's own address, {local}, is public: there is no NAT to ask")
        return Gateway(ip=ip, local_ip=local)
    where = "" if local_ip is None else f" on the network of {local_ip}"
    raise MappingFailed(reason=f"there is no IPv4 default gateway{where}")
