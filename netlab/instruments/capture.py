"""Recording what passes an interface, as a pcap file, and reading such a file back.

As a program (``python3 capture.py INTERFACE FILE``, standard library alone, run inside a node) it writes each
frame to the file before it takes the next one, prints ``READY`` when it listens, and ends on SIGTERM after
what has already arrived. tcpdump would do as well, but not on every machine, and not in every container.
"""

from __future__ import annotations

import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_FILE_HEADER = struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)  # microseconds, Ethernet
_RECORD = struct.Struct("=IIII")
_ETH_P_ALL = 3
_ETHERTYPE_IPV4 = 0x0800
_MAX_FRAME = 65535
_RECEIVE_BUFFER_SIZE = 8 << 20
_SO_RCVBUFFORCE = 33

UDP = 17
TCP = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """An IPv4 packet that was recorded.

    Attributes:
        time: seconds since the epoch.
        protocol: the IP protocol number.
        source: address and port; the port is 0 where the protocol has none or the packet is a fragment.
        destination: the same.
        payload: the data behind the UDP or TCP header; of other protocols, what follows the IP header.
    """

    time: float
    protocol: int
    source: tuple[str, int]
    destination: tuple[str, int]
    payload: bytes


def read_packets(path: Path) -> list[Packet]:
    """The IPv4 packets of a recording, in order; a last record that is not whole yet is left out."""
    data = path.read_bytes()
    found = (_decode_frame(seconds, frame) for seconds, frame in _records(data))
    return [packet for packet in found if packet is not None]


def _records(data: bytes) -> Iterator[tuple[float, bytes]]:
    position = len(_FILE_HEADER)
    while position + _RECORD.size <= len(data):
        seconds, microseconds, length, _ = _RECORD.unpack_from(data, position)
        frame = data[position + _RECORD.size : position + _RECORD.size + length]
        if len(frame) == length:
            yield seconds + microseconds / 1e6, frame
        position += _RECORD.size + length


def _decode_frame(seconds: float, frame: bytes) -> Packet | None:
    if len(frame) < 34 or int.from_bytes(frame[12:14], "big") != _ETHERTYPE_IPV4:
        return None
    header_length = (frame[14] & 0x0F) * 4
    total_length = int.from_bytes(frame[16:18], "big")
    is_fragment = int.from_bytes(frame[20:22], "big") & 0x1FFF
    protocol = frame[23]
    body = frame[14 + header_length : 14 + total_length]
    ports = (0, 0)
    if protocol in (UDP, TCP) and not is_fragment and len(body) >= 8:
        ports = struct.unpack_from("!HH", body)
        body = body[_transport_header_length(protocol, body) :]
    return Packet(
        time=seconds,
        protocol=protocol,
        source=(socket.inet_ntoa(frame[26:30]), ports[0]),
        destination=(socket.inet_ntoa(frame[30:34]), ports[1]),
        payload=body,
    )


def _transport_header_length(protocol: int, body: bytes) -> int:
    return 8 if protocol == UDP or len(body) < 20 else (body[12] >> 4) * 4


def record(interface: str, path: Path) -> None:
    """Records an interface until SIGTERM."""
    sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    with suppress(PermissionError):  # in a user namespace the system's limit holds
        sniffer.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER_SIZE)
    sniffer.bind((interface, _ETH_P_ALL))
    sniffer.setblocking(False)
    wake_up, alarm = socket.socketpair()
    alarm.setblocking(False)
    signal.set_wakeup_fd(alarm.fileno())
    signal.signal(signal.SIGTERM, lambda *_: None)
    with path.open("wb", buffering=0) as file:
        file.write(_FILE_HEADER)
        print("READY", flush=True)
        while True:
            ready = select.select([sniffer, wake_up], [], [])[0]
            for frame in _waiting_frames(sniffer):
                microseconds = time.time_ns() // 1000
                head = _RECORD.pack(*divmod(microseconds, 1_000_000), len(frame), len(frame))
                file.write(head + frame)
            if wake_up in ready:
                return


def _waiting_frames(sniffer: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            yield sniffer.recv(_MAX_FRAME)
        except BlockingIOError:
            return


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: capture.py INTERFACE FILE")
    record(sys.argv[1], Path(sys.argv[2]))
