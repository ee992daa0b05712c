from __future__ import annotations

import socket
import struct
from pathlib import Path

import pytest

from netlab.instruments.capture import TCP, UDP, Packet, read_packets

FILE_HEADER = struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
ONE, OTHER = "203.0.113.7", "203.0.113.33"


def frame(protocol: int, body: bytes, *, fragment: int = 0, ethertype: int = 0x0800) -> bytes:
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, fragment, 64, protocol, 0)
    addresses = socket.inet_aton(ONE) + socket.inet_aton(OTHER)
    return bytes(12) + struct.pack("!H", ethertype) + ip + addresses + body


def udp(payload: bytes) -> bytes:
    return struct.pack("!HHHH", 4000, 5000, 8 + len(payload), 0) + payload


def recording(path: Path, *frames: bytes) -> Path:
    records = [struct.pack("=IIII", 10, 500000, len(data), len(data)) + data for data in frames]
    path.write_bytes(FILE_HEADER + b"".join(records))
    return path


def test_a_datagram_is_read_with_its_endpoints_and_payload(tmp_path: Path) -> None:
    assert read_packets(recording(tmp_path / "x.pcap", frame(UDP, udp(b"hello")))) == [
        Packet(time=10.5, protocol=UDP, source=(ONE, 4000), destination=(OTHER, 5000), payload=b"hello")
    ]


def test_padding_behind_a_short_packet_is_not_payload(tmp_path: Path) -> None:
    padded = frame(UDP, udp(b"hi")) + bytes(16)
    assert read_packets(recording(tmp_path / "x.pcap", padded))[0].payload == b"hi"


def test_tcp_data_begins_behind_its_options(tmp_path: Path) -> None:
    header = struct.pack("!HHIIBBHHH", 4000, 5000, 0, 0, 6 << 4, 0, 0, 0, 0) + b"opts"
    packet = read_packets(recording(tmp_path / "x.pcap", frame(TCP, header + b"data")))[0]
    assert packet.payload == b"data"


def test_a_later_fragment_has_no_ports(tmp_path: Path) -> None:
    packet = read_packets(recording(tmp_path / "x.pcap", frame(UDP, udp(b"rest"), fragment=100)))[0]
    assert (packet.source, packet.destination) == ((ONE, 0), (OTHER, 0))


@pytest.mark.parametrize("other", [frame(UDP, udp(b""), ethertype=0x0806), b"", bytes(20)])
def test_what_is_not_ipv4_is_left_out(other: bytes, tmp_path: Path) -> None:
    assert read_packets(recording(tmp_path / "x.pcap", other)) == []


def test_a_recording_that_is_cut_short_is_read_up_to_there(tmp_path: Path) -> None:
    path = recording(tmp_path / "x.pcap", frame(UDP, udp(b"one")), frame(UDP, udp(b"two")))
    whole = path.read_bytes()
    for length in range(len(FILE_HEADER), len(whole)):
        path.write_bytes(whole[:length])
        assert [packet.payload for packet in read_packets(path)] in ([], [b"one"])
