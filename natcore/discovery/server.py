"""What the answers say of the servers themselves: which other endpoints each of them has.

Unauthenticated words of a stranger, which decide where a few dozen packets go: so only an address that a
server could have is taken, of its own family, and only one other address a server.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from natcore import stun
from natcore.address import TransportAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class StunServer:
    """A server that has answered.

    Attributes:
        primary: the endpoint that was asked.
        other: its other address and other port (RFC 5780 section 7.4), if it has a second address.
        alternate_port: its other port, if it says one.
    """

    primary: TransportAddress
    other: TransportAddress | None = None
    alternate_port: int | None = None

    @classmethod
    def described_by(cls, primary: TransportAddress, answer: stun.ReceivedMessage) -> StunServer:
        """What its first answer says."""
        announced = answer.get(stun.OtherAddress)
        other = None if announced is None else announced.address
        if other is not None and _is_other_address(other, primary):
            return cls(primary=primary, other=other, alternate_port=other.port)
        alternate = answer.get(stun.AlternatePort)
        port = None if alternate is None else alternate.port
        return cls(primary=primary, alternate_port=port if port and port != primary.port else None)

    @property
    def quality(self) -> int:
        """How much it can show: 2 with a second address, 1 with a second port."""
        return 2 if self.other is not None else int(self.alternate_port is not None)

    @property
    def endpoints(self) -> tuple[TransportAddress, ...]:
        """All its endpoints, the primary one first, those of one address together."""
        ips = [self.primary.ip] if self.other is None else [self.primary.ip, self.other.ip]
        ports = [self.primary.port]
        if self.alternate_port is not None and self.alternate_port != self.primary.port:
            ports.append(self.alternate_port)
        return tuple(TransportAddress(ip, port) for ip in ips for port in ports)

    def source_after(self, change: stun.ChangeRequest) -> TransportAddress | None:
        """From where the server answers a CHANGE-REQUEST, or None where it cannot."""
        if change.change_ip and self.other is None:
            return None
        if change.change_port and self.alternate_port is None:
            return None
        ip = self.other.ip if self.other is not None and change.change_ip else self.primary.ip
        port = self.alternate_port if self.alternate_port and change.change_port else self.primary.port
        return TransportAddress(ip, port)


def all_endpoints(servers: Iterable[StunServer], limit: int) -> tuple[TransportAddress, ...]:
    """Every endpoint of the servers once, the most useful servers first, at most ``limit``."""
    ranked = sorted(servers, key=lambda server: -server.quality)
    return tuple(dict.fromkeys(one for server in ranked for one in server.endpoints))[:limit]


def _is_other_address(other: TransportAddress, primary: TransportAddress) -> bool:
    ip = other.ip
    is_usable = ip.version == primary.ip.version and ip != primary.ip and 0 < other.port != primary.port
    is_host = not (ip.is_multicast or ip.is_unspecified or ip.is_link_local or ip.is_reserved)
    return is_usable and is_host and ip.is_loopback == primary.ip.is_loopback
