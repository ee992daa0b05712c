"""The questions that take no time: mapping, allocation, filter, hairpinning, early inbound, the control.

Some return a verdict and not yet an answer: they have asked, and what was not filtered is here once GRACE has
passed. So all of them can wait for that together.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress

from .asking import Scene, drain
from .naming import Trial, name_filtering
from .wire import CHANGE_ADDRESS_AND_PORT, CHANGE_PORT, Endpoint

MAPPING_TRIALS = 4
BURST = 3
"""Questions that a fresh socket sends before its first answer: all are the first packets of one flow."""

FILTERING_TRIALS = 2
EARLY_TRIALS = 2
CONTROL_TRIALS = 2
GUESSES = 3
"""Ports beyond the last one that a NAT gave, to which the control's datagrams go as well."""

_MAX_PORT = 65535


def mapping_trials(scene: Scene) -> tuple[list[Trial], bool]:
    """How fresh sockets are seen by all four endpoints of the server, and whether each flow had one port.

    A NAT that holds packets where a flow is not confirmed yet gives each of the first ones another port.
    """
    trials, is_steady = [], True
    for _ in range(MAPPING_TRIALS):
        udp = scene.open_socket()
        first = scene.ask(udp, scene.server, *[b""] * (BURST - 1))
        others = [scene.mapped(udp, endpoint) for endpoint in scene.endpoints[1:]]
        trials.append((own_port(udp), [first.mapped, *others]))
        is_steady = is_steady and first.is_steady
    return trials, is_steady


def allocation_samples(scene: Scene, count: int) -> list[Trial]:
    """How fresh sockets are seen by one endpoint."""
    samples = []
    for _ in range(count):
        udp = scene.open_socket()
        samples.append((own_port(udp), [scene.mapped(udp, scene.server)]))
    return samples


def filtering(scene: Scene) -> Callable[[], str]:
    """The filtering behaviour towards an endpoint and an address that were never sent to."""
    udp = scene.open_socket()
    scene.ask(udp, scene.server)
    answer = scene.ask(udp, scene.server, CHANGE_ADDRESS_AND_PORT, CHANGE_PORT)
    return lambda: name_filtering(answer.came())


def early_inbound(scene: Scene, sender: Endpoint) -> tuple[int, int]:
    """Has a sender that we never sent to send to a mapping of ours, before we send to it.

    Returns the mapping's port before, and the one that the sender then saw. Only an endpoint-independent
    mapping must be the same.
    """
    udp = scene.open_socket()
    before = scene.mapped(udp, scene.server)[1]
    scene.have_sent(sender, [before])
    return before, scene.mapped(udp, sender)[1]


def unasked_arrives(scene: Scene) -> Callable[[], bool]:
    """The control, with punching off: whether a datagram reaches a socket that has never sent anything.

    It is sent to that socket's own port, and to those that a NAT might give it next.
    """
    silent = [scene.open_socket() for _ in range(CONTROL_TRIALS)]
    last = scene.ports_seen[-1]
    guesses = [last + n for n in range(1, GUESSES + 1) if last + n <= _MAX_PORT]
    scene.have_sent(scene.stranger, [*map(own_port, silent), *guesses])
    return lambda: any(drain(udp) for udp in silent)


def hairpins(scene: Scene, *, is_independent: bool) -> Callable[[], tuple[bool, bool]]:
    """Whether two of our sockets reach each other through their external endpoints, and show those.

    Both send, and twice: where a home router stands before the NAT that hairpins, its filter lets in only
    what it has sent to. Where the mapping depends on the destination, only the address can be foretold.
    """
    one, other = scene.open_socket(), scene.open_socket()
    ends = [(udp, scene.mapped(udp, scene.server)) for udp in (one, other)]
    parts = slice(None) if is_independent else slice(1)
    token = os.urandom(16)
    for _ in range(2):
        for (udp, _mine), (_peer, theirs) in (ends, ends[::-1]):
            udp.sendto(token, theirs)
    # The server's answer takes the longer road behind the same first hop: after it, silence is a verdict.
    scene.ask(scene.open_socket(), scene.server)

    def verdict() -> tuple[bool, bool]:
        seen = [
            source[parts] == theirs[parts]
            for (udp, _mine), (_peer, theirs) in (ends, ends[::-1])
            for source in _sources(udp, token)
        ]
        return bool(seen), all(seen)

    return verdict


def own_port(udp: socket.socket) -> int:
    """The local port of a socket."""
    port: int = udp.getsockname()[1]
    return port


def _sources(udp: socket.socket, token: bytes) -> Iterator[Endpoint]:
    """Where the waiting datagrams with this content come from."""
    while select.select([udp], [], [], 0)[0]:
        with suppress(OSError):  # an ICMP error on its way back
            data, (address, port, *_) = udp.recvfrom(len(token) + 1)
            if data == token:
                yield str(address), int(port)
