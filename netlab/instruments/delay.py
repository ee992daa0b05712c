"""A delay line: packets that the rules of a node hand over wait here as long as their links are.

For kernels without netem. A stand-alone program of the standard library alone, run inside a node's network::

    python3 delay.py --link inet=0.02,0,0.01 --link elsa.eth0=0.005,0.001,0 --queue 0=inet --port v2=elsa.eth0

A link has a delay and a jitter in seconds and a loss between 0 and 1. A packet passes the links of the queue
that the rules have put it into, then the link of the port that it came in by and that of the port that it
goes out by. It waits *once*, for the sum: a second queue would cost a second time what the way to this
process and back costs. The packets stay in the kernel, only their numbers come here, and the verdict goes
back when their time has come. It prints ``READY`` when it holds the queues.

A link can be changed for the packets to come, by any process of the same network::

    python3 delay.py --change elsa.eth0=0.050,0,0

which asks the line through a Unix socket in the abstract namespace, of which each network has one of its own.

Always true: without jitter packets of one path leave in the order in which they came; with it they may
overtake each other, as netem's do. A segment or fragment is a packet of its own, and is lost alone. When this
process dies the kernel drops what waits and what comes: there is no bypass.

Never to be used inside a NAT's own hooks after connection tracking: a flow whose first packet waits there is
unconfirmed, and a symmetric NAT then gives each of its packets another port. Against the TUN device, the
other way to do this, a queued packet is routed once and not twice, so its time to live is right.

Source: linux/netfilter/nfnetlink_queue.h; attribute and message numbers are the kernel's.
"""

from __future__ import annotations

import argparse
import ctypes
import heapq
import os
import random
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

MAX_QUEUE_LENGTH = 65536
"""Packets that may wait at once in each queue; the kernel's default of 1,024 is 51 kpps at 20 ms."""

MAX_DELAY = 60.0
"""Seconds; as a link's (netlab/topology/link.py)."""

RECEIVE_BUFFER_SIZE = 8 << 20
"""Bytes of packet numbers that may wait for this process."""

VERDICTS_AT_ONCE = 1024
"""Verdicts in one message to the kernel: 32 kB, well below the 208 kB that a socket may send at once."""

CONTROL = "\0netlab-delay-line"
"""The address at which a delay line listens for changes; a second line in the same network finds it taken."""

MAX_CHANGE_LENGTH = 4096
"""Bytes of a change; one has under 100."""

CHANGE_TIMEOUT = 5.0
"""Seconds in which a delay line answers; microseconds are usual."""

SPIN = 200e-6
"""Seconds before a deadline from which on we look at the clock and do not sleep: 0.1 ms less late."""

SPIN_SHARE = 0.1
"""Of the time, at most so much is spent looking at the clock: under load others need the processor."""

_NETLINK_NETFILTER = 12
_SOL_NETLINK, _NETLINK_NO_ENOBUFS = 270, 5
_SO_RCVBUFFORCE = 33
_PR_SET_TIMERSLACK = 29
_PACKET, _VERDICT, _CONFIG = 0x0300, 0x0301, 0x0302
_IN_INTERFACE, _OUT_INTERFACE = 5, 6
_NLMSG_ERROR = 2
_REQUEST, _REQUEST_WITH_ACK = 1, 5
_MESSAGE = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_DROP, _ACCEPT = struct.pack("!I", 0), struct.pack("!I", 1)


class Setting(NamedTuple):
    """What a link does to a packet: seconds, seconds more or less, and the probability of losing it."""

    delay: float
    jitter: float
    loss: float

    @classmethod
    def of(cls, text: str) -> Setting:
        """The setting that ``DELAY,JITTER,LOSS`` says.

        Raises:
            ValueError: it says none, or none that is possible.
        """
        try:
            setting = cls(*map(float, text.split(",")))
        except (TypeError, ValueError):
            setting = None
        if setting is None or not setting.is_possible:
            expected = f"DELAY,JITTER,LOSS with 0 <= JITTER <= DELAY <= {MAX_DELAY:g} s and 0 <= LOSS <= 1"
            raise ValueError(f"got setting {text!r}, expected {expected}")
        return setting

    @property
    def is_possible(self) -> bool:
        """Whether a link can be so."""
        return 0 <= self.jitter <= self.delay <= MAX_DELAY and 0 <= self.loss <= 1


class Packet(NamedTuple):
    """A packet that waits in the kernel; an interface is 0 where there is none."""

    queue: int
    number: bytes
    came_in_by: int
    goes_out_by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Which links a packet passes.

    Attributes:
        queues: for each queue the names of links.
        ports: for an interface, by its index, the name of its link.
    """

    queues: Mapping[int, tuple[str, ...]]
    ports: Mapping[int, str]

    @property
    def names(self) -> set[str]:
        """The names of all links on any path."""
        return {*self.ports.values(), *(name for names in self.queues.values() for name in names)}

    def links(self, packet: Packet) -> tuple[str, ...]:
        """The names of the links on the packet's path."""
        ends = (self.ports.get(packet.came_in_by), self.ports.get(packet.goes_out_by))
        return (*self.queues[packet.queue], *(name for name in ends if name is not None))


class DelayLine:
    """Says of each packet when it goes on, or that it does not. Pure: time and randomness come in.

    Attributes:
        links: the setting of each link; may be changed at any time, what waits already keeps its time.
    """

    def __init__(self, links: dict[str, Setting], paths: Paths, randomness: random.Random) -> None:
        self.links = links
        self._paths = paths
        self._randomness = randomness
        self._waiting: list[tuple[float, int, int, bytes]] = []
        self._count = 0

    def receive(self, packet: Packet, now: float) -> bytes | None:
        """Takes a packet in; returns a verdict if it is to be dropped at once."""
        wait = 0.0
        for name in self._paths.links(packet):
            delay, jitter, loss = self.links[name]
            if loss and self._randomness.random() < loss:
                return verdict(packet.queue, packet.number, _DROP)
            wait += delay + self._randomness.uniform(-jitter, jitter) if jitter else delay
        self._count += 1  # of two that are due at once the first to come is the first to go
        heapq.heappush(self._waiting, (now + wait, self._count, packet.queue, packet.number))
        return None

    def get_timer(self) -> float | None:
        """When the next packet is due."""
        return self._waiting[0][0] if self._waiting else None

    def verdicts(self, now: float) -> list[bytes]:
        """The verdicts that are due, in order."""
        due = []
        while self._waiting and self._waiting[0][0] <= now:
            _, _, queue, number = heapq.heappop(self._waiting)
            due.append(verdict(queue, number, _ACCEPT))
        return due

    def change(self, text: str) -> str:
        """Does what ``LINK=DELAY,JITTER,LOSS`` says, and returns what was wrong with it or nothing."""
        name, _, setting = text.partition("=")
        if name not in self.links:
            return f"got link {name!r}, expected one of {', '.join(self.links)}"
        try:
            self.links[name] = Setting.of(setting)
        except ValueError as problem:
            return str(problem)
        return ""


def message(kind: int, flags: int, queue: int, attributes: bytes) -> bytes:
    """A netlink message to a netfilter queue."""
    body = struct.pack("!BBH", socket.AF_UNSPEC, 0, queue) + attributes
    return _MESSAGE.pack(_MESSAGE.size + len(body), kind, flags, 0, 0) + body


def attribute(kind: int, value: bytes) -> bytes:
    """A netlink attribute, padded to four bytes."""
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)


def verdict(queue: int, number: bytes, decision: bytes) -> bytes:
    """The message that lets a packet go on, or not."""
    return message(_VERDICT, _REQUEST, queue, attribute(2, decision + number))


def packets(data: bytes) -> Iterator[Packet]:
    """The packets that a batch of queue messages announces, in order; other messages are passed over."""
    position = 0
    while position + _MESSAGE.size <= len(data):
        length, kind = _MESSAGE.unpack_from(data, position)[:2]
        end = min(position + length, len(data))
        # The packet header is the first attribute: netlink header 16, queue header 4, attribute header 4.
        if kind == _PACKET and end - position >= 32:
            queue: int = struct.unpack_from("!H", data, position + 18)[0]
            number = data[position + 24 : position + 28]
            yield Packet(queue, number, *_interfaces(data, position + 32, end))
        position += max(_MESSAGE.size, length + -length % 4)


def _interfaces(data: bytes, position: int, end: int) -> tuple[int, int]:
    """The indices of the interfaces by which a packet comes in and goes out, 0 for none."""
    found = {_IN_INTERFACE: 0, _OUT_INTERFACE: 0}
    while position + 8 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, position)
        if kind in found:
            found[kind] = struct.unpack_from("!I", data, position + 4)[0]
        position += max(4, length + -length % 4)
    return found[_IN_INTERFACE], found[_OUT_INTERFACE]


def bind_queues(queues: Sequence[int]) -> socket.socket:
    """A netlink socket that receives the numbers of the packets in these queues.

    Raises:
        OSError: another process holds one of them, or the kernel has no queues.
    """
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
    netlink.bind((0, 0))
    with suppress(PermissionError):  # refused in some containers; the buffer then has its usual length
        netlink.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER_SIZE)
    netlink.setsockopt(_SOL_NETLINK, _NETLINK_NO_ENOBUFS, 1)
    for queue in queues:
        configure(netlink, queue, attribute(1, struct.pack("!BBH", 1, 0, 0)))  # bind
        configure(netlink, queue, attribute(2, struct.pack("!IB", 0, 1)))  # copy the number, no bytes
        configure(netlink, queue, attribute(3, struct.pack("!I", MAX_QUEUE_LENGTH)))
    netlink.setblocking(False)
    return netlink


def configure(netlink: socket.socket, queue: int, attributes: bytes) -> None:
    """Sends one configuration message and waits for the kernel's word on it."""
    netlink.send(message(_CONFIG, _REQUEST_WITH_ACK, queue, attributes))
    reply = netlink.recv(4096)  # no packet can be first: the rules are set when we are READY
    kind = _MESSAGE.unpack_from(reply)[1]
    error: int = struct.unpack_from("=i", reply, _MESSAGE.size)[0] if kind == _NLMSG_ERROR else 0
    if error:
        raise OSError(-error, os.strerror(-error))


def run(line: DelayLine, netlink: socket.socket, control: socket.socket) -> None:
    """Holds packets for ever."""
    rested_at = 0.0
    while True:
        timeout = None
        if (timer := line.get_timer()) is not None:
            now = time.monotonic()
            timeout = max(0.0, timer - now - (SPIN if now >= rested_at else 0.0))
        readable = select.select([netlink, control], [], [], timeout)[0]
        if netlink in readable:
            batch = netlink.recv(65536)
            now = time.monotonic()
            answers = [line.receive(packet, now) for packet in packets(batch)]
            _send(netlink, [answer for answer in answers if answer is not None])
        now = time.monotonic()
        if due := line.verdicts(now):
            _send(netlink, due)
            rested_at = max(rested_at, now + SPIN / SPIN_SHARE)
        if control in readable:
            text, sender = control.recvfrom(MAX_CHANGE_LENGTH)
            with suppress(OSError):  # who has not waited for the answer
                control.sendto(line.change(text.decode(errors="replace")).encode(), sender)


def _send(netlink: socket.socket, messages: list[bytes]) -> None:
    for first in range(0, len(messages), VERDICTS_AT_ONCE):
        netlink.send(b"".join(messages[first : first + VERDICTS_AT_ONCE]))


def ask_for(change: str) -> str:
    """Has the delay line of this network change a link; returns what was wrong with that or nothing.

    Raises:
        OSError: no delay line runs here, or it does not answer.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asker:
        asker.settimeout(CHANGE_TIMEOUT)
        asker.bind("")  # any free address of the abstract namespace
        asker.connect(CONTROL)
        asker.send(change.encode())
        return asker.recv(MAX_CHANGE_LENGTH).decode()


def be_punctual() -> None:
    """Asks the kernel to wake this process on time."""
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)  # the default lets every sleep be 50 us late
    with suppress(OSError):  # refused in some containers; the line is then as exact as the machine is idle
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="hold the packets of netfilter queues as long as links are")
    parser.add_argument("--link", action="append", default=[], metavar="NAME=DELAY,JITTER,LOSS")
    parser.add_argument("--queue", action="append", default=[], metavar="NUMBER=LINK,LINK,...")
    parser.add_argument("--port", action="append", default=[], metavar="INTERFACE=LINK")
    parser.add_argument("--change", metavar="NAME=DELAY,JITTER,LOSS", help="in the line that runs here")
    arguments = parser.parse_args()
    try:
        if arguments.change is not None:
            sys.exit(ask_for(arguments.change) or 0)
        links = {name: Setting.of(value) for name, value in _pairs(arguments.link)}
        paths = Paths(
            queues={
                int(name): tuple(filter(None, value.split(","))) for name, value in _pairs(arguments.queue)
            },
            ports={socket.if_nametoindex(name): value for name, value in _pairs(arguments.port)},
        )
        if unknown := paths.names - set(links):
            raise ValueError(f"got {min(unknown)!r} on a path, expected one of {', '.join(links)}")
        hold(DelayLine(links, paths, random.Random()), list(paths.queues))
    except (OSError, ValueError) as problem:
        sys.exit(f"delay line: {problem}")


def hold(line: DelayLine, queues: Sequence[int]) -> None:
    """Says ``READY`` when it has the queues, and holds their packets for ever."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as control, bind_queues(queues) as netlink:
        control.bind(CONTROL)
        control.setblocking(False)
        be_punctual()
        print("READY", flush=True)
        run(line, netlink, control)


def _pairs(options: Sequence[str]) -> Iterator[tuple[str, str]]:
    for option in options:
        name, _, value = option.partition("=")
        yield name, value


if __name__ == "__main__":
    main()
