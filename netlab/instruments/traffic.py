"""Background traffic: another device in a home, which keeps opening new UDP mappings.

A stand-alone program of the standard library alone, run inside a router's network::

    python3 traffic.py --from 192.168.1.254 --to 192.0.2.3 --rate 100 --poisson --seed 7

The device is one end of a veth pair, whose other end is one more port of the home's bridge. So its packets
enter the router where those of a host do: what a router sends itself would pass by the rules that choose
ports. Each new mapping is one datagram from a port that was not used before to a port that was not used
before, as a frame of its own; no socket is opened for it, and answers end at the device.

What is always true: there are never more than 1,000 a second, and what is late is made up for within that
bound, so that after ``t`` seconds there are ``rate * t`` mappings. Ports repeat after 64,512 mappings, over a
minute at full speed; each port then meets another destination.

It prints ``READY`` when the device is plugged in, and ``SENT COUNT`` when it is told to end and is gone.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address

MAX_RATE = 1000.0
"""New mappings a second; a router of the lab remembers 262,144, which is two minutes of this."""

MAX_LATENESS = 0.01
"""Seconds that a timer may be late before datagrams that waited for it are spread out again."""

FIRST_PORT, LAST_PORT = 1024, 65535
"""The ports that devices send from, and that we send to."""

DESTINATION_STEP = 7919
"""Destinations walk through their ports in other steps than sources: a prime that does not divide 64,512."""

PAYLOAD = b"background"

_SIOCGIFHWADDR = 0x8927
_IPV4 = 0x0800


def gaps(rate: float, randomness: random.Random | None) -> Iterator[float]:
    """Seconds from one mapping to the next: all the same, or with randomness a Poisson process."""
    while True:
        yield 1 / rate if randomness is None else randomness.expovariate(rate)


def ports(randomness: random.Random) -> Iterator[tuple[int, int]]:
    """A source and a destination port for each mapping; no source port returns before all were there."""
    count = LAST_PORT - FIRST_PORT + 1
    sources = list(range(FIRST_PORT, LAST_PORT + 1))
    randomness.shuffle(sources)
    number = randomness.randrange(count)
    while True:
        for source in sources:
            number += DESTINATION_STEP
            yield source, FIRST_PORT + number % count
        number += 1  # or a port would meet the same destination in every round


class Pace:
    """When the next datagram is to be sent. Pure: time comes in."""

    def __init__(self, gaps: Iterator[float], now: float) -> None:
        self._gaps = gaps
        self._due = now
        self._last = now - 1 / MAX_RATE

    def next_at(self, now: float) -> float:
        """When to send the next one, which may be past; called when the one before has been sent."""
        self._due += next(self._gaps)
        self._last = max(self._due, max(self._last, now - MAX_LATENESS) + 1 / MAX_RATE)
        return self._last


def checksum(header: bytes) -> int:
    """The checksum of an IPv4 header whose own checksum field is zero (RFC 1071)."""
    words: tuple[int, ...] = struct.unpack(f"!{len(header) // 2}H", header)
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def datagram(source: IPv4Address, own: int, destination: IPv4Address, far: int) -> bytes:
    """An IPv4 packet with one UDP datagram in it; without the UDP checksum, as IPv4 allows (RFC 768)."""
    udp = struct.pack("!4H", own, far, 8 + len(PAYLOAD), 0) + PAYLOAD
    fields = (0x45, 0, 20 + len(udp), 0, 0x4000, 64, socket.IPPROTO_UDP)  # 0x4000: do not fragment
    ends = source.packed + destination.packed
    header = struct.pack("!BBHHHBBH", *fields, 0) + ends
    return struct.pack("!BBHHHBBH", *fields, checksum(header)) + ends + udp


@contextmanager
def device(bridge: str, address: IPv4Address) -> Iterator[Callable[[bytes], None]]:
    """Plugs a device into a bridge, and gives what sends an IPv4 packet from it.

    Raises:
        OSError: there is no such bridge, or we may not.
    """
    number = os.getpid()
    name, port = f"bg{number}", f"bp{number}"
    # High addresses: a bridge takes on the lowest of its ports, and hosts would still use the one before.
    own, other = f"fe:ff:{number.to_bytes(4).hex(':')}", f"fe:fe:{number.to_bytes(4).hex(':')}"
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        router = hardware_address(sender, bridge)
        ip(
            f"link add name {name} address {own} type veth peer name {port} address {other}",
            f"link set {port} master {bridge} up",
            f"link set {name} up",
            f"neighbor replace {address} lladdr {own} dev {bridge} nud permanent",
        )
        try:
            sender.bind((name, 0))
            frame = router + bytes.fromhex(own.replace(":", "")) + struct.pack("!H", _IPV4)
            yield lambda packet: sender.sendall(frame + packet)
        finally:
            ip(f"link del {name}", f"neighbor del {address} dev {bridge}")


def hardware_address(asker: socket.socket, interface: str) -> bytes:
    """The address of an interface on its link.

    Raises:
        OSError: there is no such interface.
    """
    request = struct.pack("16s24x", interface.encode())
    return fcntl.ioctl(asker, _SIOCGIFHWADDR, request)[18:24]


def ip(*lines: str) -> None:
    """Has iproute2 do all this.

    Raises:
        OSError: it refused.
    """
    tool = shutil.which("ip", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin") or "ip"
    done = subprocess.run(
        [tool, "-batch", "-"], input="\n".join(lines), text=True, capture_output=True, check=False
    )
    if done.returncode != 0:
        raise OSError(done.stderr.strip().replace("\n", "; "))


class ToldToEnd(Exception):
    """SIGTERM has come."""


def run(send: Callable[[bytes], None], packets: Iterator[bytes], pace: Pace) -> int:
    """Opens mappings until SIGTERM; returns how many."""
    sent = 0

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: the device must be unplugged
        raise ToldToEnd

    try:
        signal.signal(signal.SIGTERM, end)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        print("READY", flush=True)
        for packet in packets:
            now = time.monotonic()
            time.sleep(max(0.0, pace.next_at(now) - now))
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # what is sent is counted
            send(packet)
            sent += 1
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    except ToldToEnd:
        pass
    return sent


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="keep opening new UDP mappings in a NAT")
    parser.add_argument("--from", dest="source", type=IPv4Address, required=True, help="a free home address")
    parser.add_argument(
        "--to", type=IPv4Address, default="192.0.2.3", help="whom to send to; the lab's sink by default"
    )
    parser.add_argument("--bridge", default="lan0", help="of the home")
    parser.add_argument("--rate", type=float, required=True, help=f"mappings a second, at most {MAX_RATE:g}")
    parser.add_argument("--poisson", action="store_true", help="at random times instead of evenly")
    parser.add_argument("--seed", type=int, help="makes ports and times the same again")
    arguments = parser.parse_args()
    if not 0 < arguments.rate <= MAX_RATE:
        sys.exit(f"traffic: got rate {arguments.rate:g}, expected more than 0 and at most {MAX_RATE:g}")
    randomness = random.Random(arguments.seed)
    packets = (datagram(arguments.source, own, arguments.to, far) for own, far in ports(randomness))
    steps = gaps(arguments.rate, randomness if arguments.poisson else None)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # what is plugged in must be unplugged
    try:
        with device(arguments.bridge, arguments.source) as send:
            sent = run(send, packets, Pace(steps, time.monotonic()))
    except OSError as problem:
        sys.exit(f"traffic: {problem}")
    print(f"SENT {sent}", flush=True)


if __name__ == "__main__":
    main()
