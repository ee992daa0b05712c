"""What passes by TCP, and whether UDP is blocked: TCP is the question whose answer nothing filters."""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack

from .asking import GRACE, MAX_SENDS, NoAnswer, Scene, arrives, drain
from .behavior import own_port
from .wire import read_response, request, response_port

_CONNECT_TIMEOUT = 4.0
"""Seconds; the kernel sends a SYN again after 1 s and after 3 s."""

_ANSWER_LENGTH = 1500


def open_ports(scene: Scene, ports: Sequence[int], opened: ExitStack) -> dict[int, socket.socket]:
    """The connections to those of the server's ports that can be reached.

    All are tried at once. The server's kernel answers them in order, so when one is through, the others have
    had their time. What is not through then is tried again: a lab that has just come up may lose a packet.
    """
    through: dict[int, socket.socket] = {}
    for _ in range(MAX_SENDS):
        missing = [port for port in ports if port not in through]
        through |= _connect(scene, missing, opened, timeout=GRACE if through else _CONNECT_TIMEOUT)
    return through


def _connect(
    scene: Scene, ports: Sequence[int], opened: ExitStack, *, timeout: float
) -> dict[int, socket.socket]:
    pending: dict[socket.socket, int] = {}
    for port in ports:
        tcp = opened.enter_context(socket.socket(scene.family, socket.SOCK_STREAM))
        tcp.bind((scene.source, 0))
        tcp.setblocking(False)
        if tcp.connect_ex((scene.server[0], port)) in (0, errno.EINPROGRESS):
            pending[tcp] = port
    through: dict[int, socket.socket] = {}
    deadline = time.monotonic() + timeout
    while pending and (left := deadline - time.monotonic()) > 0:
        for tcp in select.select([], list(pending), [], left)[1]:
            port = pending.pop(tcp)
            if tcp.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                tcp.settimeout(_CONNECT_TIMEOUT)
                through[port] = tcp
        if through:
            deadline = min(deadline, time.monotonic() + GRACE)
    return through


def udp_passes(scene: Scene, tcp: socket.socket) -> bool:
    """Whether the server hears us by UDP and we hear it, shown against TCP.

    Raises:
        NoAnswer: TCP is silent too.
    """
    udp = scene.open_socket()
    for _ in range(MAX_SENDS):
        udp.sendto(request(), scene.server)
        _await_turn(tcp)
        if drain(udp):
            return True
    return arrives(udp)


def udp_arrives(scene: Scene, tcp: socket.socket) -> bool:
    """Whether a datagram that we asked for by TCP arrives.

    Raises:
        NoAnswer: TCP is silent.
    """
    udp = scene.open_socket()
    tcp.sendall(request(response_port(own_port(udp))))
    _await_turn(tcp)
    return arrives(udp)


def _await_turn(tcp: socket.socket) -> None:
    """Waits until the server has dealt with everything that had reached it before.

    Twice: it may have found our first question before a datagram that stood in another of its queues.
    """
    for _ in range(2):
        try:
            tcp.sendall(request())
            answer = tcp.recv(_ANSWER_LENGTH)
        except OSError as problem:
            raise NoAnswer(f"no answer by TCP: {problem}") from problem
        if read_response(answer) is None:
            raise NoAnswer("no STUN answer by TCP")
