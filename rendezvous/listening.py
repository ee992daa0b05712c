"""Opens the server's two first sockets, on one address and one port number."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack
from dataclasses import dataclass

from natcore.address import IPAddress, TransportAddress
from rendezvous.errors import CannotListen, PortInUse

BACKLOG = 1024
"""Connections that the kernel completes before we accept them: a whole population coming back at once."""

UDP_BUFFER_SIZE = 4 * 1024 * 1024
"""Bytes that the kernel may hold for us while we are busy; a wish, the system's limit may be lower."""

_FREE_PORT_ATTEMPTS = 16
"""Port 0 takes a TCP port that is free; the UDP port of that number may not be."""

_OUTSIDE = {4: (socket.AF_INET, "192.0.2.1"), 6: (socket.AF_INET6, "2001:db8::1")}
"""By IP version, an address behind the default route (RFC 5737, RFC 3849) to ask the kernel about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """The two open sockets; whoever has this closes them.

    Attributes:
        tcp: listening.
        udp: bound to the same address and port.
        address: that one.
    """

    tcp: socket.socket
    udp: socket.socket
    address: TransportAddress

    def close(self) -> None:
        """Closes both."""
        self.tcp.close()
        self.udp.close()


def listen(host: str, port: int) -> Listening:
    """Opens both sockets, non-blocking.

    Args:
        host: a numeric address or a name; ``::`` listens for IPv4 as well.
        port: 0 takes a number that is free for both.

    Raises:
        PortInUse: another socket has the port.
        CannotListen: anything else that the system objects to.
    """
    family, ip = _resolve(host, port)
    for attempts_left in reversed(range(_FREE_PORT_ATTEMPTS)):
        try:
            return _open(family, ip, port)
        except OSError as exc:
            is_taken = exc.errno == errno.EADDRINUSE
            if is_taken and port == 0 and attempts_left:
                continue
            if is_taken:
                raise PortInUse(host=host, port=port) from exc
            raise CannotListen(host=host, port=port, reason=words_of(exc)) from exc
    raise AssertionError("the last attempt returns or raises")


def primary_address(address: TransportAddress) -> IPAddress:
    """The address by which the machine is known: the one that is listened on, unless that is a wildcard.

    Connecting a UDP socket sends nothing; it makes the kernel choose a source address. Without a route it is
    the loopback address.
    """
    if not address.ip.is_unspecified:
        return address.ip
    versions = (4, 6) if address.ip.version == 6 else (4,)
    found = (own_address(version) for version in versions)
    return next((ip for ip in found if ip is not None), TransportAddress.parse("127.0.0.1:0").ip)


def own_address(version: int) -> IPAddress | None:
    """The address that the machine sends from when it sends to the Internet; None without a route.

    Args:
        version: 4 or 6.
    """
    family, destination = _OUTSIDE[version]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((destination, 9))
        except OSError:
            return None
        return TransportAddress.from_sockaddr(probe.getsockname()).ip


def open_datagrams(ip: IPAddress, port: int) -> socket.socket:
    """A bound, non-blocking UDP socket.

    Args:
        ip: ``::`` receives IPv4 as well.
        port: 0 takes a free one.

    Raises:
        OSError: the system objects.
    """
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    opened = _bound(family, socket.SOCK_DGRAM, str(ip), port)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDP_BUFFER_SIZE)
    return opened


def words_of(exc: OSError | UnicodeError) -> str:
    """The reason of a refusal, for people."""
    text = exc.strerror if isinstance(exc, OSError) else None
    return (text or "not a host name").lower()


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as exc:
        raise CannotListen(host=host, port=port, reason=words_of(exc)) from exc
    family, _, _, _, sockaddr = found[0]
    return family, str(sockaddr[0])


def _open(family: socket.AddressFamily, ip: str, port: int) -> Listening:
    with ExitStack() as stack:
        tcp = stack.enter_context(_bound(family, socket.SOCK_STREAM, ip, port))
        number = tcp.getsockname()[1]
        address = TransportAddress.from_sockaddr((ip, number))
        udp = stack.enter_context(open_datagrams(address.ip, number))
        tcp.listen(BACKLOG)
        stack.pop_all()  # both are open: now they are the caller's
    return Listening(tcp=tcp, udp=udp, address=address)


def _bound(family: socket.AddressFamily, kind: socket.SocketKind, ip: str, port: int) -> socket.socket:
    opened = socket.socket(family, kind)
    try:
        opened.setblocking(False)
        if kind is socket.SOCK_STREAM:
            # A restarted server must not wait for its predecessor's connections to leave TIME_WAIT.
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, ip != "::")
        opened.bind((ip, port))
    except BaseException:
        opened.close()
        raise
    return opened
