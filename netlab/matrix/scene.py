"""The two sides of a matrix's lab: who stands where, and by which address the world knows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netlab.topology.scenes import PEERS, SERVER_ADDRESSES

SERVERS = tuple(map(str, SERVER_ADDRESSES))
"""The public host's addresses in every lab of :func:`netlab.topology.scenes.two_nats`."""

_PUBLIC = ("203.0.113.7", "203.0.113.33")
"""By which the world knows elsa and anna, whatever stands in front of them."""

HOST_INTERFACE = "eth0"
ROUTER_INTERFACE = "wan0"


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
        return (self.routers[-1], ROUTER_INTERFACE) if self.routers else (self.host, HOST_INTERFACE)


def sides_of(routers: Sequence[str]) -> tuple[Side, Side]:
    """The caller's side and the callee's, given the names of all routers of the lab.

    A router is named after who is behind it: ``nat-elsa``, and ``carrier-elsa`` in front of that.
    """
    caller, callee = (
        Side(
            role=role,
            host=host,
            routers=tuple(name for name in (f"nat-{host}", f"carrier-{host}") if name in routers),
            public=public,
        )
        for role, host, public in zip(("caller", "callee"), PEERS, _PUBLIC, strict=True)
    )
    return caller, callee
