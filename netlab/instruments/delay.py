"""A delay line: every packet that the core forwards waits here for a set time. For kernels without netem.

A stand-alone program of the standard library alone: ``python3 delay.py --queue 0 --delay 0.020``, run inside
the core. The core's rules send forwarded packets to a netfilter queue; the packets stay in the kernel, only
their numbers come here, and the verdict "accept" goes back when their time has come. It prints ``READY`` when
it holds the queue.

Always true: packets leave in the order in which they came, since all wait equally long. Against the TUN
device, the other way to do this, a queued packet is routed once and not twice, so its time to live is right.
The core has no connection tracking; a queue inside a NAT's own hooks would be wrong, because a flow whose
first packet waits there is unconfirmed, and a symmetric NAT then gives each of its packets another port.

Source: linux/netfilter/nfnetlink_queue.h; attribute and message numbers are the kernel's.
"""

from __future__ import annotations

import argparse
import collections
import ctypes
import os
import select
import socket
import struct
import sys
import time
from contextlib import suppress

MAX_QUEUE_LENGTH = 65536
"""Packets that may wait at once; the kernel's default of 1,024 is 51 kpps at 20 ms and no more."""

RECEIVE_BUFFER_SIZE = 8 << 20
"""Bytes of packet numbers that may wait for this process."""

SPIN = 200e-6
"""Seconds before a deadline from which on we look at the clock instead of sleeping."""

_NETLINK_NETFILTER = 12
_SOL_NETLINK, _NETLINK_NO_ENOBUFS = 270, 5
_SO_RCVBUFFORCE = 33
_PR_SET_TIMERSLACK = 29
_PACKET, _VERDICT, _CONFIG = 0x0300, 0x0301, 0x0302
_NLMSG_ERROR = 2
_REQUEST, _REQUEST_WITH_ACK = 1, 5
_MESSAGE = struct.Struct("=IHHII")
_ACCEPT = struct.pack("!I", 1)


def message(kind: int, flags: int, queue: int, attributes: bytes) -> bytes:
    """A netlink message to a netfilter queue."""
    body = struct.pack("!BBH", socket.AF_UNSPEC, 0, queue) + attributes
    return _MESSAGE.pack(_MESSAGE.size + len(body), kind, flags, 0, 0) + body


def attribute(kind: int, value: bytes) -> bytes:
    """A netlink attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def bind_queue(queue: int) -> socket.socket:
    """A netlink socket that receives the numbers of the packets in a queue.

    Raises:
        OSError: another process holds the queue, or the kernel has none.
    """
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
    netlink.bind((0, 0))
    netlink.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER_SIZE)
    netlink.setsockopt(_SOL_NETLINK, _NETLINK_NO_ENOBUFS, 1)
    configure(netlink, queue, attribute(1, struct.pack("!BBH", 1, 0, 0)))  # bind
    configure(netlink, queue, attribute(2, struct.pack("!IB", 0, 1)))  # copy the packet's number, no bytes
    configure(netlink, queue, attribute(3, struct.pack("!I", MAX_QUEUE_LENGTH)))
    netlink.setblocking(False)
    return netlink


def configure(netlink: socket.socket, queue: int, attributes: bytes) -> None:
    """Sends one configuration message and waits for the kernel's word on it."""
    netlink.send(message(_CONFIG, _REQUEST_WITH_ACK, queue, attributes))
    reply = netlink.recv(4096)
    kind = _MESSAGE.unpack_from(reply)[1]
    error: int = struct.unpack_from("=i", reply, _MESSAGE.size)[0] if kind == _NLMSG_ERROR else 0
    if error:
        raise OSError(-error, os.strerror(-error))


def packet_numbers(data: bytes) -> list[bytes]:
    """The numbers of the packets that a batch of queue messages announces, four bytes each, in order."""
    numbers = []
    position = 0
    while position + _MESSAGE.size <= len(data):
        length, kind = _MESSAGE.unpack_from(data, position)[:2]
        if kind == _PACKET:
            # The packet header is the first attribute: netlink header 16, queue header 4, attribute header 4.
            numbers.append(data[position + 24 : position + 28])
        position += max(_MESSAGE.size, length + -length % 4)
    return numbers


def run(queue: int, delay: float) -> None:
    """Holds each packet for ``delay`` seconds, for ever."""
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)  # the default lets every sleep be 50 us late
    with suppress(OSError):  # refused in some containers; the line is then as exact as the machine is idle
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    netlink = bind_queue(queue)
    waiting: collections.deque[tuple[float, bytes]] = collections.deque()
    print("READY", flush=True)
    while True:
        left = waiting[0][0] - time.monotonic() if waiting else None
        if select.select([netlink], [], [], None if left is None else max(0.0, left - SPIN))[0]:
            due = time.monotonic() + delay
            waiting.extend((due, number) for number in packet_numbers(netlink.recv(65536)))
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            number = waiting.popleft()[1]
            netlink.send(message(_VERDICT, _REQUEST, queue, attribute(2, _ACCEPT + number)))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="hold each packet of a netfilter queue for a set time")
    parser.add_argument("--queue", type=int, required=True)
    parser.add_argument("--delay", type=float, required=True, help="one way, in seconds")
    arguments = parser.parse_args()
    try:
        run(arguments.queue, arguments.delay)
    except OSError as problem:
        sys.exit(f"delay line: {problem}")


if __name__ == "__main__":
    main()
