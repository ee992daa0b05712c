"""A script of packets, played at once through a router of a lab and through its model.

The lab is without distance and the program is on one processor, so a packet has arrived, as a rule, before
``sendto`` returns. That a packet does *not* arrive is known once a later one has come the same way: the
messenger, a flow that is opened first in every script and that no filter stops.

Ports that a NAT draws differ between the two. What must not differ is which of them are the same, so each
port of the model's stands for one of the kernel's. Preserved ports are equal, and ports in sequence are as
far from one another.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from natcore.nat import PortAllocation
from netlab.model import Endpoint, NatModel, Packet
from netlab.profiles import NatProfile

_CLONE_NEWNET = 0x40000000

GRACE = 0.3
"""Seconds to wait for what ought to arrive, if it is not there at once; it is used up by a failure only."""

SHORT_GRACE = 0.005
"""Seconds to wait for what should not arrive, where no messenger gets through; a packet takes 0.0001 s."""

MESSENGER_PORT = 39_999
UNOPENED_PORT = 777
"""A port that no NAT hands out by itself."""


# --- what a script is made of ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """An inside socket sends to a remote one."""

    inside: int
    remote: int


@dataclass(frozen=True, slots=True)
class Knock:
    """A remote socket sends to an external endpoint: one that was seen, or one that was never opened."""

    remote: int
    target: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """An inside socket answers a packet that it got, to the address that it was shown."""

    arrival: int


@dataclass(frozen=True, slots=True)
class Turn:
    """An inside socket sends to an external endpoint that was seen."""

    inside: int
    target: int


Step = Send | Knock | Answer | Turn


# --- the kernel's side -------------------------------------------------------------------------------------


class Socket:
    """A UDP socket in a node of a lab."""

    def __init__(self, namespace: str, address: IPv4Address, port: int) -> None:
        self.endpoint = Endpoint(address, port)
        self.udp = _socket_in(namespace)
        self.udp.bind((str(address), port))
        self.udp.setblocking(False)

    def send(self, number: int, destination: Endpoint) -> None:
        self.udp.sendto(number.to_bytes(4, "big"), (str(destination.address), destination.port))


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where a packet came in, and from whom as it was shown there."""

    at: Endpoint
    source: Endpoint


class Wires:
    """All sockets of a lab, and what has arrived at them."""

    def __init__(self, sockets: Sequence[Socket]) -> None:
        self._by_fd = {one.udp.fileno(): one for one in sockets}
        self._sockets = {one.endpoint: one for one in sockets}
        self._poll = select.poll()
        for fd in self._by_fd:
            self._poll.register(fd, select.POLLIN)
        self._arrived: dict[int, Arrival] = {}
        self._number = 0

    def close(self) -> None:
        for one in self._by_fd.values():
            one.udp.close()

    def send(self, source: Endpoint, destination: Endpoint) -> int:
        """Sends a packet with a number of its own and returns that."""
        self._number += 1
        self._sockets[source].send(self._number, destination)
        return self._number

    def arrival_of(self, number: int, *, wait: float = 0.0) -> Arrival | None:
        """Where a packet arrived, if it did within ``wait`` seconds from the last other arrival."""
        while number not in self._arrived:
            ready = self._poll.poll(wait * 1000)
            if not ready:
                return None
            for fd, _ in ready:
                self._take(self._by_fd[fd])
        return self._arrived.pop(number)

    def _take(self, one: Socket) -> None:
        data, (host, port) = one.udp.recvfrom(64)
        source = Endpoint(IPv4Address(host), port)
        self._arrived[int.from_bytes(data, "big")] = Arrival(one.endpoint, source)


def _socket_in(namespace: str) -> socket.socket:
    """A socket in another network namespace; a short-lived thread goes there, and the socket stays."""
    made: list[socket.socket] = []

    def make() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        with Path("/run/netns", namespace).open("rb") as file:
            if libc.setns(file.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), namespace)
        made.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


# --- both at once ------------------------------------------------------------------------------------------


@dataclass
class Correspondence:
    """Which endpoint of the kernel's stands for which of the model's: one for one."""

    kernels: dict[Endpoint, Endpoint] = field(default_factory=dict)
    models: dict[Endpoint, Endpoint] = field(default_factory=dict)

    def holds(self, models: Endpoint, kernels: Endpoint) -> bool:
        """Whether the two can be one and the same; from here on they are."""
        return (
            self.kernels.setdefault(models, kernels) == kernels
            and self.models.setdefault(kernels, models) == models
        )


class Disagreement(AssertionError):
    """Model and kernel did different things with one packet."""


class Twins:
    """A chain of routers in a lab and their models.

    Attributes:
        profile: what they do.
        insides: the sockets behind them; the first host's are first.
        remotes: the sockets on the internet.
        models: innermost first.
    """

    def __init__(
        self,
        profile: NatProfile,
        *,
        wires: Wires,
        insides: Sequence[Endpoint],
        remotes: Sequence[Endpoint],
        messenger: tuple[Endpoint, Endpoint],
        models: Sequence[NatModel],
    ) -> None:
        self.profile = profile
        self.insides = insides
        self.remotes = remotes
        self.models = models
        self._wires = wires
        self._messenger = messenger
        self._begin()

    def play(self, steps: Sequence[Step], forget: Callable[[], None]) -> None:
        """Plays a script from a state without mappings, into which ``forget`` brings the routers.

        Raises:
            Disagreement: model and kernel differ; it tells the story so far.
        """
        forget()
        for model in self.models:
            model.forget_mappings()
        self._begin()
        self._open_messenger()
        for step in steps:
            self._play(step)

    def _begin(self) -> None:
        self._story: list[str] = []
        self._arrivals: list[tuple[Packet, Arrival, bool]] = []  # with whether the packet has turned around
        self._externals = Correspondence()
        self._shown = Correspondence()
        self._seen: list[Endpoint] = []
        self._messengers_external: Endpoint | None = None

    def _open_messenger(self) -> None:
        ours, theirs = self._messenger
        self._send(ours, theirs, theirs)
        if self._seen:
            self._messengers_external = self._externals.kernels[self._seen.pop()]

    def _play(self, step: Step) -> None:
        match step:
            case Send(inside, remote):
                destination = self.remotes[remote]
                self._send(self.insides[inside % len(self.insides)], destination, destination)
            case Knock(remote, target):
                external = self._external(target)
                self._knock(self.remotes[remote], external)
            case Answer(arrival) if self._arrivals:
                packet, arrived, has_turned = self._arrivals[arrival % len(self._arrivals)]
                answer = self._turn if has_turned else self._send
                answer(packet.destination, packet.source, arrived.source)
            case Turn(inside, target) if self._seen:
                external = self._external(target)
                self._turn(self.insides[inside % len(self.insides)], external, self._kernels(external))
            case _:
                pass  # nothing to answer, nowhere to turn

    def _external(self, target: int | None) -> Endpoint:
        """An external endpoint, as the model calls it."""
        if target is not None and self._seen:
            return self._seen[target % len(self._seen)]
        preserves = self.profile.seen.allocation is PortAllocation.PRESERVING
        return Endpoint(self.models[-1].address, self.insides[0].port if preserves else UNOPENED_PORT)

    def _kernels(self, external: Endpoint) -> Endpoint:
        return self._externals.kernels.get(external, external)

    def _send(self, inside: Endpoint, models_destination: Endpoint, kernels_destination: Endpoint) -> None:
        packet: Packet | None = Packet(inside, models_destination)
        for model in self.models:
            packet = None if packet is None else model.outbound(packet, 0.0)
        arrival = self._deliver(inside, kernels_destination, packet is not None)
        self._compare(f"{_text(inside)} sends to {_text(kernels_destination)}", packet, arrival)
        if packet is not None and arrival is not None:
            self._same_external(packet.source, arrival.source)

    def _knock(self, remote: Endpoint, external: Endpoint) -> None:
        packet: Packet | None = Packet(remote, external)
        for model in reversed(self.models):
            packet = None if packet is None else model.inbound(packet, 0.0)
        target = self._kernels(external)
        arrival = self._deliver(remote, target, packet is not None)
        self._compare(f"{_text(remote)} sends to {_text(target)}", packet, arrival)
        if packet is not None and arrival is not None:
            if (packet.source == remote) is not (arrival.source == remote):
                self._disagree(f"the model shows {_text(packet.source)}, the kernel {_text(arrival.source)}")
            if not self._shown.holds(packet.source, arrival.source):
                self._disagree(f"{_text(arrival.source)} is shown for two flows, or one is shown as two")
            self._arrivals.append((packet, arrival, False))

    def _turn(self, inside: Endpoint, models_target: Endpoint, kernels_target: Endpoint) -> None:
        packet = self.models[0].hairpin(Packet(inside, models_target), 0.0)
        arrival = self._deliver(inside, kernels_target, packet is not None)
        self._compare(f"{_text(inside)} turns to {_text(kernels_target)}", packet, arrival)
        if packet is not None and arrival is not None:
            self._same_external(packet.source, arrival.source)
            self._arrivals.append((packet, arrival, True))

    def _same_external(self, models: Endpoint, kernels: Endpoint) -> None:
        """Holds the two endpoints as which a packet left against one another and against what is known."""
        if not self._externals.holds(models, kernels):
            known = self._externals.kernels[models]
            self._disagree(f"expected {_text(known)} or a new port, got {_text(kernels)}")
        if models not in self._seen:
            self._seen.append(models)
        behavior = self.profile.seen
        if behavior.allocation is PortAllocation.SEQUENTIAL:
            first = next(iter(self._externals.kernels))
            distance = models.port - first.port
            if kernels.port - self._externals.kernels[first].port != distance:
                self._disagree(f"expected a port {distance} after the first, got {kernels.port}")
        if behavior.allocation is PortAllocation.PRESERVING:
            own = {one.port for one in (*self.insides, *self._messenger)}
            if (models.port in own or kernels.port in own) and models.port != kernels.port:
                self._disagree(f"expected port {models.port}, got {kernels.port}")

    def _deliver(self, source: Endpoint, destination: Endpoint, is_expected: bool) -> Arrival | None:
        number = self._wires.send(source, destination)
        arrival = self._wires.arrival_of(number, wait=GRACE if is_expected else 0.0)
        if arrival is None and not is_expected:
            self._follow_up(from_inside=source.address in {one.address for one in self.insides})
            arrival = self._wires.arrival_of(number)
        return arrival

    def _follow_up(self, *, from_inside: bool) -> None:
        """Sends the messenger the same way, and waits for it."""
        if self._messengers_external is None:
            self._wires.arrival_of(0, wait=SHORT_GRACE)  # nothing gets through: time has to do
            return
        ours, theirs = self._messenger
        number = (
            self._wires.send(ours, theirs)
            if from_inside
            else self._wires.send(theirs, self._messengers_external)
        )
        if self._wires.arrival_of(number, wait=GRACE) is None:
            self._disagree("the messenger is lost")

    def _compare(self, what: str, packet: Packet | None, arrival: Arrival | None) -> None:
        came = "nowhere" if arrival is None else f"at {_text(arrival.at)} from {_text(arrival.source)}"
        self._story.append(f"{what}: arrives {came}")
        expected = None if packet is None else packet.destination
        if expected != (None if arrival is None else arrival.at):
            self._disagree("nowhere" if expected is None else f"at {_text(expected)}")

    def _disagree(self, models: str) -> None:
        story = "".join(f"\n  {line}" for line in self._story)
        raise Disagreement(f"{self.profile.name}, kernel:{story}\n  but the model: {models}")


def _text(endpoint: Endpoint) -> str:
    return f"{endpoint.address}:{endpoint.port}"
