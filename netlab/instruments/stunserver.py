"""The lab's own STUN server: two addresses, two ports, for behaviour discovery (RFC 5780).

A stand-alone program of the standard library alone: ``python3 stunserver.py ADDRESS OTHER-ADDRESS``. It
prints ``READY`` when its sockets are open and serves until it is killed. It shares no line with what the lab
tests, so that both cannot be wrong in the same way.

Answers are sent in the order of the requests, from one thread. The probe relies on that: where the answer to
a later request arrives and the one to an earlier request does not, the earlier one was filtered.
"""

from __future__ import annotations

import selectors
import socket
import struct
import sys

PORTS = (3478, 3479)
"""Primary and alternate port."""

_COOKIE = 0x2112A442
_HEADER = struct.Struct("!HHI12s")
_BINDING_REQUEST = 0x0001
_BINDING_SUCCESS = 0x0101
_CHANGE_REQUEST = 0x0003  # RFC 5780 section 7.2: flag 4 changes the address, flag 2 the port
_RESPONSE_PORT = 0x0027  # section 7.5: answer to this port of the requester's address
_XOR_MAPPED_ADDRESS = 0x0020
_RESPONSE_ORIGIN = 0x802B
_OTHER_ADDRESS = 0x802C
_MAX_DATAGRAM = 1500

Endpoint = tuple[str, int]


def parse_request(data: bytes) -> tuple[bytes, dict[int, bytes]] | None:
    """The transaction id and the attributes of a Binding request, or None for anything else."""
    if len(data) < _HEADER.size:
        return None
    kind, length, cookie, transaction = _HEADER.unpack_from(data)
    if kind != _BINDING_REQUEST or cookie != _COOKIE or length != len(data) - _HEADER.size or length % 4:
        return None
    attributes: dict[int, bytes] = {}
    position = _HEADER.size
    while position + 4 <= len(data):
        attribute, size = struct.unpack_from("!HH", data, position)
        attributes[attribute] = data[position + 4 : position + 4 + size]
        position += 4 + size + -size % 4
    return transaction, attributes


def answer_from(local: Endpoint, other: Endpoint, attributes: dict[int, bytes]) -> Endpoint:
    """The endpoint of ours from which CHANGE-REQUEST wants its answer."""
    value = attributes.get(_CHANGE_REQUEST, b"")
    flags = int.from_bytes(value, "big") if len(value) == 4 else 0
    return (other[0] if flags & 4 else local[0], other[1] if flags & 2 else local[1])


def answer_to(source: Endpoint, attributes: dict[int, bytes]) -> Endpoint:
    """The endpoint to which RESPONSE-PORT wants its answer."""
    value = attributes.get(_RESPONSE_PORT, b"")
    return (source[0], int.from_bytes(value[:2], "big")) if len(value) >= 2 else source


def build_response(transaction: bytes, *, mapped: Endpoint, origin: Endpoint, other: Endpoint) -> bytes:
    """A Binding success response with the three addresses that behaviour discovery reads."""
    body = (
        _address(_XOR_MAPPED_ADDRESS, mapped, mask=_COOKIE)
        + _address(_RESPONSE_ORIGIN, origin)
        + _address(_OTHER_ADDRESS, other)
    )
    return _HEADER.pack(_BINDING_SUCCESS, len(body), _COOKIE, transaction) + body


def _address(attribute: int, endpoint: Endpoint, *, mask: int = 0) -> bytes:
    ip = int.from_bytes(socket.inet_aton(endpoint[0]), "big")
    return struct.pack("!HHBBHI", attribute, 8, 0, 1, endpoint[1] ^ (mask >> 16), ip ^ mask)


def serve(addresses: tuple[str, str]) -> None:
    """Serves for ever on both addresses and both ports; TCP on the first endpoint only accepts."""
    sockets = {(ip, port): _bound(socket.SOCK_DGRAM, (ip, port)) for ip in addresses for port in PORTS}
    control = _bound(socket.SOCK_STREAM, (addresses[0], PORTS[0]))
    control.listen()
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ, None)
        for local, udp in sockets.items():
            selector.register(udp, selectors.EVENT_READ, local)
        print("READY", flush=True)
        while True:
            for key, _ in selector.select():
                if key.data is None:
                    control.accept()[0].close()
                else:
                    _serve_one(sockets, key.data, _opposite(key.data, addresses))


def _serve_one(sockets: dict[Endpoint, socket.socket], local: Endpoint, other: Endpoint) -> None:
    try:
        data, source = sockets[local].recvfrom(_MAX_DATAGRAM)
        request = parse_request(data)
        if request is not None:
            transaction, attributes = request
            origin = answer_from(local, other, attributes)
            response = build_response(transaction, mapped=source, origin=origin, other=other)
            sockets[origin].sendto(response, answer_to(source, attributes))
    except OSError:
        return  # an ICMP error that an earlier answer met; the next datagram is another matter


def _opposite(local: Endpoint, addresses: tuple[str, str]) -> Endpoint:
    return (
        addresses[local[0] == addresses[0]],
        PORTS[local[1] == PORTS[0]],
    )


def _bound(kind: socket.SocketKind, endpoint: Endpoint) -> socket.socket:
    bound = socket.socket(socket.AF_INET, kind)
    if kind is socket.SOCK_STREAM:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(endpoint)
    return bound


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: stunserver.py ADDRESS OTHER-ADDRESS")
    serve((sys.argv[1], sys.argv[2]))
