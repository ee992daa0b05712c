"""What behaviour discovery a server can offer, and from where each answer comes (RFC 5780 section 6.1).

With two addresses and two ports there are four endpoints, named as in the RFC's table by the address (A) and
the port (P) that the request came to::

    CHANGE-REQUEST      answered from
    no flag             A, P
    change port         A, the other port
    change IP           the other address, P
    both                the other address, the other port

A server with one address has the first two rows, one with a single port only the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from natcore.address import IPAddress, TransportAddress
from natcore.stun import ChangeRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The endpoints of one server.

    Attributes:
        port: where clients begin.
        alternate_port: the second one, of all addresses; None without.
        others: to an address the other one of the same family; empty with one address. Both ways, where
            both are ours.
        elsewhere: of the others, those of another server, which sends in our stead.
        second: those of our addresses where no client is meant to begin.
    """

    port: int = 0
    alternate_port: int | None = None
    others: Mapping[IPAddress, IPAddress] = field(default_factory=dict)
    elsewhere: frozenset[IPAddress] = frozenset()
    second: frozenset[IPAddress] = frozenset()

    def origin(self, local: TransportAddress, change: ChangeRequest) -> TransportAddress | None:
        """The endpoint that answers a request that came to ``local``; None if we have no such endpoint."""
        ip = self.others.get(local.ip) if change.change_ip else local.ip
        port = self.other_port(local) if change.change_port else local.port
        return None if ip is None or port is None else TransportAddress(ip, port)

    def other_port(self, local: TransportAddress) -> int | None:
        """The port of ours that ``local`` does not have; None without a second one."""
        return self.port if local.port == self.alternate_port else self.alternate_port

    def other(self, local: TransportAddress) -> TransportAddress | None:
        """What OTHER-ADDRESS says at ``local``: both are other ones (section 7.4); None with one address."""
        return self.origin(local, ChangeRequest(change_ip=True, change_port=True))

    def is_second(self, local: TransportAddress) -> bool:
        """Whether ``local`` is where the second question of a client arrives: other address, same port."""
        return local.ip in self.second and local.port == self.port


NO_OFFER = Offer()
"""One endpoint, and no behaviour discovery."""
