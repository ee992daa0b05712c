"""The few bytes of STUN that the probe speaks. Pure; shares no line with the server or with natcore."""

from __future__ import annotations

import os
import socket
import struct

Endpoint = tuple[str, int]

CHANGE_ADDRESS_AND_PORT = struct.pack("!HHI", 0x0003, 4, 6)
CHANGE_PORT = struct.pack("!HHI", 0x0003, 4, 2)

_COOKIE = 0x2112A442
_HEADER = struct.Struct("!HHI12s")
_XOR_MAPPED_ADDRESS = 0x0020
_ADDRESS_LENGTHS = {1: 4, 2: 16}  # by the attribute's family byte


def request(attributes: bytes = b"") -> bytes:
    """A Binding request with a fresh transaction id."""
    return _HEADER.pack(0x0001, len(attributes), _COOKIE, os.urandom(12)) + attributes


def response_port(port: int) -> bytes:
    """The attribute that has the answer sent to another port of our public address."""
    return struct.pack("!HHHH", 0x0027, 2, port, 0)


def transaction_of(message: bytes) -> bytes:
    """The transaction id."""
    return message[8:20]


def read_response(data: bytes) -> tuple[bytes, Endpoint] | None:
    """The transaction id and the mapped address of a Binding success response, or None for anything else."""
    if len(data) < _HEADER.size or data[:2] != b"\x01\x01":
        return None
    position = _HEADER.size
    while position + 8 <= len(data):
        attribute, length = struct.unpack_from("!HH", data, position)
        value = data[position + 4 : position + 4 + length]
        if attribute == _XOR_MAPPED_ADDRESS and len(value) == length >= 8:
            mapped = _read_address(value, data[4:20])
            return None if mapped is None else (transaction_of(data), mapped)
        position += 4 + length + -length % 4
    return None


def _read_address(value: bytes, mask: bytes) -> Endpoint | None:
    if _ADDRESS_LENGTHS.get(value[1]) != len(value) - 4:
        return None
    port = int.from_bytes(value[2:4], "big") ^ (_COOKIE >> 16)
    ip = bytes(byte ^ with_byte for byte, with_byte in zip(value[4:], mask, strict=False))
    return socket.inet_ntop(socket.AF_INET if len(ip) == 4 else socket.AF_INET6, ip), port
