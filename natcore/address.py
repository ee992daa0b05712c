"""Transport addresses: an IP address and a port, and nothing about whose they are.

An address that somebody *observed* is not an address that somebody *claims*. The observed kind has a type
of its own, :data:`ReflexiveAddress`, which is only made from the source of a received datagram or from an
authenticated XOR-MAPPED-ADDRESS.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NewType

from natcore.errors import DecodeError

IPAddress = IPv4Address | IPv6Address

MAX_PORT = 65535


@dataclass(frozen=True, slots=True, order=True)
class TransportAddress:
    """An IP address and a UDP or TCP port (RFC 8489 section 4).

    Attributes:
        ip: the address; an IPv4-mapped IPv6 address is held as the IPv4 address that it means.
        port: 0 to 65535; 0 only where a port is yet to be chosen.
    """

    ip: IPAddress
    port: int

    @classmethod
    def from_sockaddr(cls, sockaddr: tuple[str, int] | tuple[str, int, int, int]) -> TransportAddress:
        """Converts what a socket calls an address; scope and flow label of IPv6 are dropped.

        Raises:
            DecodeError: the host part is not a numeric address, or the port is out of range.
        """
        host, port = sockaddr[0], sockaddr[1]
        return cls(_parse_ip(host.partition("%")[0]), _check_port(port, text=str(port)))

    @classmethod
    def parse(cls, text: str) -> TransportAddress:
        """Reads ``203.0.113.7:40001`` or ``[2001:db8::7]:40001``.

        Raises:
            DecodeError: the text is anything else.
        """
        host, colon, port = text.rpartition(":")
        if not colon or not (port.isascii() and port.isdigit()) or len(port) > 5:
            raise DecodeError("transport address", got=ascii(text[:64]), expected="ADDRESS:PORT")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            raise DecodeError("transport address", got=ascii(text[:64]), expected="[IPV6-ADDRESS]:PORT")
        if "%" in host:
            raise DecodeError("transport address", got=ascii(text[:64]), expected="no zone")
        return cls(_parse_ip(host), _check_port(int(port), text=port))

    def to_sockaddr(self) -> tuple[str, int]:
        """The pair that ``socket.sendto`` takes."""
        return (str(self.ip), self.port)

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if self.ip.version == 6 else f"{self.ip}:{self.port}"


ReflexiveAddress = NewType("ReflexiveAddress", TransportAddress)
"""A client's address as the other end of a datagram observed it (RFC 8445 section 2), never as claimed."""


def _parse_ip(text: str) -> IPAddress:
    try:
        ip = ip_address(text)
    except ValueError:
        raise DecodeError("IP address", got=ascii(text[:64]), expected="a numeric address") from None
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ip


def _check_port(port: int, *, text: str) -> int:
    if not 0 <= port <= MAX_PORT:
        raise DecodeError("port", got=text, expected=f"0 to {MAX_PORT}")
    return port
