"""The two sides of a matrix's lab: who stands where, and by which address the world knows them."""

from __future__ import annotations

from dataclasses import dataclass

from netlab.topology import Topology
from netlab.topology.scenes import PEERS, SERVER_ADDRESSES
from netlab.wiring import HOST_INTERFACE, WAN

SERVERS = tuple(map(str, SERVER_ADDRESSES))
"""The public host's addresses in every lab of :func:`netlab.topology.scenes.two_nats`."""

_ROLES = ("caller", "callee")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side.

    Attributes:
        role: ``caller`` or ``callee``.
        host: the node that its program runs in.
        routers: between it and the internet, the nearest first; none where the host is in the open.
        public: its address as the world sees it.
    """

    role: str
    host: str
    routers: tuple[str, ...]
    public: str

    @property
    def border(self) -> tuple[str, str]:
        """Node and interface that all it exchanges with the world passes."""
        return (self.routers[-1], WAN) if self.routers else (self.host, HOST_INTERFACE)


def sides_of(topology: Topology) -> tuple[Side, Side]:
    """The caller's side and the callee's of a lab of :func:`netlab.topology.scenes.two_nats`."""
    hosts = {host.name: host for host in topology.hosts}
    caller, callee = (
        Side(
            role=role,
            host=name,
            routers=tuple(router.name for router in topology.chain(hosts[name].interfaces[0].nat)),
            public=str(topology.public_address_of(hosts[name])),
        )
        for role, name in zip(_ROLES, PEERS, strict=True)
    )
    return caller, callee
