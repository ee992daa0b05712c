"""The lab's own STUN server: two addresses, two ports, for behaviour discovery (RFC 5780).

A stand-alone program of the standard library alone::

    python3 stunserver.py [--tcp PORT,PORT] ADDRESS OTHER-ADDRESS [ADDRESS OTHER-ADDRESS]

Each pair of addresses is of one family, so two pairs serve IPv4 and IPv6. It prints ``READY`` when its
sockets are open and serves until it is killed. It shares no line with what the lab tests, so that both cannot
be wrong in the same way. Classic clients (RFC 3489) are answered in their own terms.

Answers are sent in the order of the requests, from one thread. The probe relies on that: where the answer to
a later request arrives and the one to an earlier request does not, the earlier one was filtered. So whatever
waits at a UDP socket is answered at once: connections have a turn each, and with one datagram a turn sixty
probes would be told over TCP, again and again, that their turn had come.

TCP is for hosts that have no UDP: the same requests on every port that was asked for, answered on the
connection. RESPONSE-PORT is obeyed there too, and its answer goes out as a *datagram*: it shows whether UDP
is blocked inwards as well.
"""

from __future__ import annotations

import selectors
import socket
import struct
import sys

PORTS = (3478, 3479)
"""Primary and alternate port."""

MAX_CONNECTIONS = 1024
"""TCP connections at a time, 16 for each of 64 probes; one more is closed at once."""

MAX_WAITING = 4096
"""Datagrams that are answered in one turn; the receive buffer holds fewer."""

_COOKIE = 0x2112A442
_HEADER_LENGTH = 20
_BINDING_REQUEST = 0x0001
_BINDING_SUCCESS = 0x0101
_CHANGE_REQUEST = 0x0003  # RFC 5780 section 7.2: flag 4 changes the address, flag 2 the port
_RESPONSE_PORT = 0x0027  # section 7.5: answer to this port of the requester's address
_XOR_MAPPED_ADDRESS = 0x0020
_RESPONSE_ORIGIN = 0x802B
_OTHER_ADDRESS = 0x802C
_MAPPED_ADDRESS = 0x0001  # these three: RFC 3489 section 11.2
_SOURCE_ADDRESS = 0x0004
_CHANGED_ADDRESS = 0x0005
_MAX_DATAGRAM = 1500

Endpoint = tuple[str, int]


class Request:
    """A Binding request; no dataclass, whose import takes as long as all else at the server's start.

    Attributes:
        transaction: the 16 bytes after the length: magic cookie and transaction id, or a classic id.
        attributes: what it carries, by attribute type.
    """

    def __init__(self, *, transaction: bytes, attributes: dict[int, bytes]) -> None:
        self.transaction = transaction
        self.attributes = attributes

    @property
    def is_classic(self) -> bool:
        """Whether the client speaks RFC 3489, which had no magic cookie."""
        return self.transaction[:4] != _COOKIE.to_bytes(4, "big")


def parse_request(data: bytes) -> Request | None:
    """The Binding request in a datagram, or None for anything else."""
    if len(data) < _HEADER_LENGTH:
        return None
    kind, length = struct.unpack_from("!HH", data)
    if kind != _BINDING_REQUEST or length != len(data) - _HEADER_LENGTH or length % 4:
        return None
    attributes: dict[int, bytes] = {}
    position = _HEADER_LENGTH
    while position + 4 <= len(data):
        attribute, size = struct.unpack_from("!HH", data, position)
        attributes[attribute] = data[position + 4 : position + 4 + size]
        if len(attributes[attribute]) != size:
            return None
        position += 4 + size + -size % 4
    return Request(transaction=data[4:_HEADER_LENGTH], attributes=attributes)


def answer_from(local: Endpoint, other: Endpoint, attributes: dict[int, bytes]) -> Endpoint:
    """The endpoint of ours from which CHANGE-REQUEST wants its answer."""
    value = attributes.get(_CHANGE_REQUEST, b"")
    flags = int.from_bytes(value, "big") if len(value) == 4 else 0
    return (other[0] if flags & 4 else local[0], other[1] if flags & 2 else local[1])


def answer_to(source: Endpoint, attributes: dict[int, bytes]) -> Endpoint:
    """The endpoint to which RESPONSE-PORT wants its answer."""
    value = attributes.get(_RESPONSE_PORT, b"")
    return (source[0], int.from_bytes(value[:2], "big")) if len(value) >= 2 else source


def build_response(request: Request, *, mapped: Endpoint, origin: Endpoint, other: Endpoint) -> bytes:
    """A Binding success response with the three addresses that behaviour discovery reads."""
    if request.is_classic:
        body = (
            _address(_MAPPED_ADDRESS, mapped)
            + _address(_SOURCE_ADDRESS, origin)
            + _address(_CHANGED_ADDRESS, other)
        )
    else:
        body = (
            _address(_XOR_MAPPED_ADDRESS, mapped, mask=request.transaction)
            + _address(_RESPONSE_ORIGIN, origin)
            + _address(_OTHER_ADDRESS, other)
        )
    return struct.pack("!HH", _BINDING_SUCCESS, len(body)) + request.transaction + body


def family_of(ip: str) -> socket.AddressFamily:
    """The address family of an address in text."""
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


def _address(attribute: int, endpoint: Endpoint, *, mask: bytes = bytes(16)) -> bytes:
    """An address attribute; its port and address are exclusive-ored with ``mask`` (RFC 8489 section 14.2)."""
    ip = socket.inet_pton(family_of(endpoint[0]), endpoint[0])
    port = endpoint[1] ^ int.from_bytes(mask[:2], "big")
    masked = bytes(byte ^ with_byte for byte, with_byte in zip(ip, mask, strict=False))
    kind = 1 if len(ip) == 4 else 2
    return struct.pack("!HHBBH", attribute, 4 + len(ip), 0, kind, port) + masked


class Server:
    """All sockets of the server, and what arrives at them; ``addresses`` come in pairs of one family."""

    def __init__(self, addresses: list[str], tcp_ports: list[int]) -> None:
        self._others = {
            here: there
            for pair in zip(addresses[::2], addresses[1::2], strict=True)
            for here, there in (pair, pair[::-1])
        }
        self._second = dict(zip(addresses, _each_twice(addresses[1::2]), strict=True))
        self._sockets = {
            (ip, port): _bound(socket.SOCK_DGRAM, (ip, port)) for ip in addresses for port in PORTS
        }
        self._selector = selectors.DefaultSelector()
        self._connections: dict[socket.socket, bytes] = {}
        self._is_over = False
        self._stopper = socket.socketpair()
        self._selector.register(self._stopper[0], selectors.EVENT_READ, (self._end, None))
        for local, udp in self._sockets.items():
            self._selector.register(udp, selectors.EVENT_READ, (self._receive_datagram, local))
        for ip in addresses:
            for port in tcp_ports:
                listener = _bound(socket.SOCK_STREAM, (ip, port))
                listener.listen(128)
                self._selector.register(listener, selectors.EVENT_READ, (self._accept, (ip, PORTS[0])))

    def serve(self) -> None:
        """Serves until it is stopped, then closes everything."""
        while not self._is_over:
            for key, _ in self._selector.select():
                act, local = key.data
                try:
                    act(key.fileobj, local)
                except OSError:
                    continue  # an error that an earlier answer met; the next datagram is another matter

        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]  # all of them are sockets
        self._selector.close()
        self._stopper[1].close()

    def stop(self) -> None:
        """Has it end; from another thread."""
        self._stopper[1].send(b"!")

    def _end(self, udp: socket.socket, _local: Endpoint) -> None:
        udp.recv(1)
        self._is_over = True

    def _receive_datagram(self, udp: socket.socket, local: Endpoint) -> None:
        for _ in range(MAX_WAITING):
            try:
                data, source = udp.recvfrom(_MAX_DATAGRAM, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            request = parse_request(data)
            if request is not None:
                self._answer_by_udp(request, local, source[:2])

    def _answer_by_udp(self, request: Request, local: Endpoint, source: Endpoint) -> None:
        origin = answer_from(local, self._opposite(local), request.attributes)
        response = build_response(request, mapped=source, origin=origin, other=self._announced(local))
        try:
            self._sockets[origin].sendto(response, answer_to(source, request.attributes))
        except OSError:
            return  # an error that an earlier answer met; the next datagram is another matter

    def _accept(self, listener: socket.socket, local: Endpoint) -> None:
        connection, _ = listener.accept()
        if len(self._connections) >= MAX_CONNECTIONS:
            connection.close()
            return
        connection.setblocking(False)
        self._connections[connection] = b""
        self._selector.register(connection, selectors.EVENT_READ, (self._receive_stream, local))

    def _receive_stream(self, connection: socket.socket, local: Endpoint) -> None:
        try:
            data = connection.recv(_MAX_DATAGRAM)
        except OSError:
            data = b""
        waiting = self._connections[connection] + data
        if not data or len(waiting) > _MAX_DATAGRAM:
            self._selector.unregister(connection)
            del self._connections[connection]
            connection.close()
            return
        while len(waiting) >= _HEADER_LENGTH:
            end = _HEADER_LENGTH + int.from_bytes(waiting[2:4], "big")
            if len(waiting) < end:
                break
            request, waiting = parse_request(waiting[:end]), waiting[end:]
            if request is not None:
                self._answer_by_tcp(request, connection, local)
        self._connections[connection] = waiting

    def _answer_by_tcp(self, request: Request, connection: socket.socket, local: Endpoint) -> None:
        source = connection.getpeername()[:2]
        if _RESPONSE_PORT in request.attributes:
            self._answer_by_udp(request, local, source)
            return
        response = build_response(request, mapped=source, origin=local, other=self._announced(local))
        connection.sendall(response)

    def _opposite(self, local: Endpoint) -> Endpoint:
        return self._others[local[0]], PORTS[local[1] == PORTS[0]]

    def _announced(self, local: Endpoint) -> Endpoint:
        """OTHER-ADDRESS: always of the second address.

        Deviation: at the second address RFC 5780 section 7.4 wants the first one. coturn's server says this
        instead, and its natdiscovery needs it: it takes from the second answer where to send the third
        question, which section 4.3 wants to go to the second address's other port.
        """
        return self._second[local[0]], PORTS[local[1] == PORTS[0]]


def _each_twice(values: list[str]) -> list[str]:
    return [value for value in values for _ in range(2)]


def _bound(kind: socket.SocketKind, endpoint: Endpoint) -> socket.socket:
    bound = socket.socket(family_of(endpoint[0]), kind)
    if kind is socket.SOCK_STREAM:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    else:
        # All probes of a lab ask at once; the default holds some 250 datagrams.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    bound.bind(endpoint)
    return bound


def main(arguments: list[str]) -> None:
    """The program.

    Raises:
        SystemExit: it was called wrongly.
    """
    tcp_ports = [PORTS[0]]
    if arguments[:1] == ["--tcp"] and len(arguments) > 1:
        tcp_ports = [int(port) for port in arguments[1].split(",")]
        arguments = arguments[2:]
    if len(arguments) not in (2, 4):
        sys.exit("usage: stunserver.py [--tcp PORT,PORT] ADDRESS OTHER [ADDRESS OTHER]")
    server = Server(arguments, tcp_ports)
    print("READY", flush=True)
    server.serve()


if __name__ == "__main__":
    main(sys.argv[1:])
