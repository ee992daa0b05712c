"""Asking the lab's STUN server: sockets that are never reused, questions that order each other's answers."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack

from .wire import Endpoint, read_response, request, response_port, transaction_of

PORTS = (3478, 3479)
"""The server's primary and alternate port."""

MAX_SENDS = 3

ANSWER_TIMEOUT = 1.0
"""Seconds for one answer; the road is a few microseconds long, the rest is for a busy machine."""

GRACE = 0.02
"""Seconds that a filtered answer may still overtake its follower by, on another processor."""

_MAX_DATAGRAM = 1500


class NoAnswer(Exception):
    """The server did not answer a question that no NAT filters."""


class Answer:
    """An answer to a plain question, and those to the doubtful ones before it as far as they came.

    Attributes:
        mapped: how the server saw us.
    """

    def __init__(
        self,
        udp: socket.socket,
        doubtful: Sequence[bytes],
        answers: dict[bytes, Endpoint],
        *,
        mapped: Endpoint,
    ) -> None:
        self.mapped = mapped
        self._udp = udp
        self._doubtful = doubtful
        self._answers = answers

    @property
    def is_steady(self) -> bool:
        """Whether all answers so far say that we were seen at the same endpoint."""
        return set(self._answers.values()) == {self.mapped}

    def came(self) -> set[int]:
        """Which of the doubtful questions were answered, by their place; certain once GRACE has passed."""
        self._answers.update(drain(self._udp))
        return {n for n, question in enumerate(self._doubtful) if transaction_of(question) in self._answers}


class Scene:
    """Where the probe stands: the server's four endpoints, and every socket that it has ever opened.

    Attributes:
        endpoints: the server's, the first address's two ports first.
        server: the endpoint that is spoken to first.
        neighbour: another port of the same address.
        stranger: another port of another address.
        family: IPv4 or IPv6.
        source: the address that all sockets are bound to.
        ports_seen: every external port that the server has told us, in order.
    """

    def __init__(self, addresses: Sequence[str], opened: ExitStack, *, source: str | None = None) -> None:
        self.endpoints = [(ip, port) for ip in addresses for port in PORTS]
        self.server, self.neighbour, _, self.stranger = self.endpoints
        self.ports_seen: list[int] = []
        self.family = socket.AF_INET6 if ":" in addresses[0] else socket.AF_INET
        self.source = source or ("::" if self.family is socket.AF_INET6 else "0.0.0.0")
        self._opened = opened
        self._control: socket.socket | None = None

    def open_socket(self) -> socket.socket:
        """A UDP socket on a port of the kernel's choice that has spoken to nobody; it stays open."""
        fresh = self._opened.enter_context(socket.socket(self.family, socket.SOCK_DGRAM))
        fresh.bind((self.source, 0))
        return fresh

    def local_address(self) -> str:
        """The address that we send from."""
        with socket.socket(self.family, socket.SOCK_DGRAM) as udp:
            udp.bind((self.source, 0))
            udp.connect(self.server)
            return str(udp.getsockname()[0])

    def mapped(self, udp: socket.socket, server: Endpoint) -> Endpoint:
        """How the server sees a socket.

        Raises:
            NoAnswer: it was never answered.
        """
        return self.ask(udp, server).mapped

    def ask(self, udp: socket.socket, server: Endpoint, *doubtful: bytes) -> Answer:
        """Asks ``doubtful`` questions and then a plain one, and waits for the plain one's answer.

        Raises:
            NoAnswer: the plain question was never answered.
        """
        for _ in range(MAX_SENDS):
            questions = [request(attributes) for attributes in (*doubtful, b"")]
            for question in questions:
                udp.sendto(question, server)
            wanted = transaction_of(questions[-1])
            answers: dict[bytes, Endpoint] = {}
            deadline = time.monotonic() + ANSWER_TIMEOUT
            while wanted not in answers and (left := deadline - time.monotonic()) > 0:
                if select.select([udp], [], [], left)[0]:
                    answers.update(drain(udp))
            if wanted in answers:
                self.ports_seen.append(answers[wanted][1])
                return Answer(udp, questions[:-1], answers, mapped=answers[wanted])
        raise NoAnswer(f"no answer from {server[0]}:{server[1]} to {MAX_SENDS} requests")

    def have_sent(self, server: Endpoint, ports: Iterable[int]) -> None:
        """Has an endpoint of the server send a datagram to each of these ports of our public address.

        All of them have passed every router, or have not, when this returns.

        Raises:
            NoAnswer: the server is silent.
        """
        if self._control is None:
            self._control = self.open_socket()
        for port in ports:
            self._control.sendto(request(response_port(port)), server)
        self.ask(self._control, server)


def drain(udp: socket.socket) -> list[tuple[bytes, Endpoint]]:
    """The responses that are waiting."""
    found = []
    while select.select([udp], [], [], 0)[0]:
        try:
            response = read_response(udp.recv(_MAX_DATAGRAM))
        except OSError:  # an ICMP error on its way back
            continue
        if response is not None:
            found.append(response)
    return found


def arrives(*sockets: socket.socket) -> bool:
    """Whether a response is waiting on one of these sockets, or still on its last inch."""
    deadline = time.monotonic() + GRACE
    while ready := select.select(sockets, [], [], max(0.0, deadline - time.monotonic()))[0]:
        if any(drain(udp) for udp in ready):
            return True
    return False
