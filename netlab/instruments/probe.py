"""What the NAT in front of this host does, measured (RFC 5780, with RFC 4787's words).

A stand-alone program of the standard library alone: ``python3 probe.py ADDRESS OTHER-ADDRESS``, where the
two addresses are those of ``stunserver.py``. It prints one JSON object::

    {"udp_blocked": false, "translated": true, "mapping": "endpoint-independent",
     "filtering": "address-and-port-dependent", "allocation": "preserving", "early_inbound": "drops",
     "unopened_port_reachable": false, "evidence": {...}}

Silence is never waited for. Each question whose answer may be filtered is followed by one whose answer
cannot be, to the same single-threaded server over the same road; when the second answer is here and the
first one is not, the first was dropped.

Every question is asked of a socket that has spoken to nobody else, *on a port that has not either*: sockets
stay open until the end, because the kernel hands a closed one's port out again, and a NAT remembers it.
"""

from __future__ import annotations

import itertools
import json
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

Endpoint = tuple[str, int]

PORTS = (3478, 3479)
MAPPING_TRIALS = 4
FILTERING_TRIALS = 2
EARLY_TRIALS = 2
MAX_SENDS = 3
MAX_SEQUENTIAL_STEP = 16
"""Ports apart; a NAT that steps further each time is not called sequential."""

ANSWER_TIMEOUT = 0.3
"""Seconds for one answer; the road is a few microseconds long, the rest is for a busy machine."""

GRACE = 0.02
"""Seconds that a filtered answer may still overtake its follower by, on another processor."""

ENDPOINT_INDEPENDENT = "endpoint-independent"
ADDRESS_DEPENDENT = "address-dependent"
ADDRESS_AND_PORT_DEPENDENT = "address-and-port-dependent"
INCONSISTENT = "inconsistent"

_COOKIE = 0x2112A442
_HEADER = struct.Struct("!HHI12s")
_CHANGE_ADDRESS_AND_PORT = struct.pack("!HHI", 0x0003, 4, 6)
_CHANGE_PORT = struct.pack("!HHI", 0x0003, 4, 2)


class NoAnswer(Exception):
    """The server did not answer a question that no NAT filters."""


def request(attributes: bytes = b"") -> bytes:
    """A Binding request with a fresh transaction id."""
    return _HEADER.pack(0x0001, len(attributes), _COOKIE, os.urandom(12)) + attributes


def response_port(port: int) -> bytes:
    """The attribute that has the answer sent to another port of ours."""
    return struct.pack("!HHHH", 0x0027, 2, port, 0)


def read_response(data: bytes) -> tuple[bytes, Endpoint] | None:
    """The transaction id and the mapped address of a Binding success response, or None."""
    if len(data) < _HEADER.size or data[:2] != b"\x01\x01":
        return None
    transaction, position = data[8:20], _HEADER.size
    while position + 12 <= len(data):
        attribute, length = struct.unpack_from("!HH", data, position)
        if attribute == 0x0020 and length == 8:
            port, ip = struct.unpack_from("!HI", data, position + 6)
            mapped = (socket.inet_ntoa((ip ^ _COOKIE).to_bytes(4, "big")), port ^ (_COOKIE >> 16))
            return transaction, mapped
        position += 4 + length + -length % 4
    return None


def open_socket() -> socket.socket:
    """A UDP socket on a port of the kernel's choice that has spoken to nobody."""
    fresh = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    fresh.bind(("0.0.0.0", 0))
    return fresh


def drain(udp: socket.socket, timeout: float) -> list[tuple[bytes, Endpoint]]:
    """The responses that are waiting, or that come within ``timeout`` seconds of silence."""
    found = []
    while select.select([udp], [], [], timeout)[0]:
        try:
            response = read_response(udp.recv(2048))
        except OSError:  # an ICMP error on its way back
            continue
        if response is not None:
            found.append(response)
    return found


def ask(udp: socket.socket, server: Endpoint, *doubtful: bytes) -> tuple[Endpoint, set[int]]:
    """Asks ``doubtful`` questions and then a plain one, and waits for the plain one's answer.

    Returns the mapped address that the plain answer says, and which of the doubtful ones were answered.

    Raises:
        NoAnswer: the plain question was never answered.
    """
    for _ in range(MAX_SENDS):
        questions = [request(attributes) for attributes in (*doubtful, b"")]
        for question in questions:
            udp.sendto(question, server)
        answers: dict[bytes, Endpoint] = {}
        deadline = time.monotonic() + ANSWER_TIMEOUT
        while questions[-1][8:20] not in answers and (left := deadline - time.monotonic()) > 0:
            if select.select([udp], [], [], left)[0]:
                answers.update(drain(udp, 0))
        if questions[-1][8:20] in answers:
            if doubtful:
                answers.update(drain(udp, GRACE))
            answered = {n for n, question in enumerate(questions[:-1]) if question[8:20] in answers}
            return answers[questions[-1][8:20]], answered
    raise NoAnswer(f"no answer from {server[0]}:{server[1]} to {MAX_SENDS} requests")


def measure_mapping(
    addresses: Sequence[str], sockets: ExitStack
) -> tuple[str, list[tuple[int, list[Endpoint]]]]:
    """The mapping behaviour, and for each trial the local port and how the four server endpoints saw it."""
    trials = []
    for _ in range(MAPPING_TRIALS):
        udp = sockets.enter_context(open_socket())
        seen = [ask(udp, (ip, port))[0] for ip in addresses for port in PORTS]
        trials.append((udp.getsockname()[1], seen))
    if all(len(set(seen)) == 1 for _, seen in trials):
        return ENDPOINT_INDEPENDENT, trials
    if all(seen[0] == seen[1] and seen[2] == seen[3] for _, seen in trials):
        return ADDRESS_DEPENDENT, trials
    return ADDRESS_AND_PORT_DEPENDENT, trials


def name_allocation(trials: Sequence[tuple[int, list[Endpoint]]]) -> str:
    """How ports were chosen, from the order in which new ones appeared."""
    if all(seen[0][1] == local_port for local_port, seen in trials):
        return "preserving"
    ports = list(dict.fromkeys(endpoint[1] for _, seen in trials for endpoint in seen))
    steps = {later - earlier for earlier, later in itertools.pairwise(ports)}
    is_sequential = len(steps) == 1 and 0 < abs(min(steps)) <= MAX_SEQUENTIAL_STEP
    return "sequential" if is_sequential else "random"


def measure_filtering(server: Endpoint, sockets: ExitStack) -> str:
    """The filtering behaviour towards an endpoint and an address that were never sent to."""
    udp = sockets.enter_context(open_socket())
    ask(udp, server)
    _, answered = ask(udp, server, _CHANGE_ADDRESS_AND_PORT, _CHANGE_PORT)
    if 0 in answered:
        return ENDPOINT_INDEPENDENT
    return ADDRESS_DEPENDENT if 1 in answered else ADDRESS_AND_PORT_DEPENDENT


def measure_early_inbound(
    server: Endpoint, stranger: Endpoint, sockets: ExitStack
) -> tuple[bool, Endpoint, int]:
    """Has the stranger send to a port of ours before we send to it.

    Returns whether that packet came through, then how the stranger saw us, then our port.
    """
    control, quiet = (sockets.enter_context(open_socket()) for _ in range(2))
    port = quiet.getsockname()[1]
    ask(control, server, _CHANGE_ADDRESS_AND_PORT + response_port(port))
    came_through = bool(drain(quiet, 0))
    return came_through, ask(quiet, stranger)[0], port


def agreed(question: Callable[[], str], trials: int) -> str:
    """The answer that all trials gave, or ``inconsistent``."""
    answers = {question() for _ in range(trials)}
    return answers.pop() if len(answers) == 1 else INCONSISTENT


def reaches_by_tcp(server: Endpoint) -> bool:
    """The control for blocked UDP: whether the server is there at all."""
    try:
        socket.create_connection(server, timeout=2).close()
    except OSError:
        return False
    return True


def measure(addresses: Sequence[str], sockets: ExitStack) -> dict[str, object]:
    """Everything, as the JSON object of the module's text; ``sockets`` is closed by the caller, at the end.

    Raises:
        NoAnswer: the server cannot be reached by TCP either, or fell silent half-way.
    """
    server, stranger = (addresses[0], PORTS[0]), (addresses[1], PORTS[1])
    try:
        ask(sockets.enter_context(open_socket()), server)
    except NoAnswer:
        if not reaches_by_tcp(server):
            raise
        return {"udp_blocked": True, "evidence": {"tcp": "connected", "udp_requests": MAX_SENDS}}
    mapping, trials = measure_mapping(addresses, sockets)
    allocation = name_allocation(trials)
    filtering = agreed(lambda: measure_filtering(server, sockets), FILTERING_TRIALS)
    early = [measure_early_inbound(server, stranger, sockets) for _ in range(EARLY_TRIALS)]
    return {
        "udp_blocked": False,
        "translated": trials[0][1][0][0] != local_address(server),
        "mapping": mapping,
        "filtering": filtering,
        "allocation": allocation,
        "early_inbound": name_early_inbound(early) if allocation == "preserving" else None,
        "unopened_port_reachable": any(came_through for came_through, _, _ in early),
        "evidence": {
            "mapping": [describe(port, seen) for port, seen in trials],
            "early_inbound": [describe(port, [mapped]) for _, mapped, port in early],
        },
    }


def name_early_inbound(early: Sequence[tuple[bool, Endpoint, int]]) -> str:
    """Whether mappings moved because the other side had sent first; only preserved ports can tell."""
    moved = {mapped[1] != port for _, mapped, port in early}
    if len(moved) > 1:
        return INCONSISTENT
    return "remaps" if moved.pop() else "drops"


def describe(port: int, seen: Sequence[Endpoint]) -> str:
    """A line of evidence: our port and how it was seen."""
    return f"{port} -> {', '.join(f'{ip}:{mapped}' for ip, mapped in seen)}"


def local_address(server: Endpoint) -> str:
    """The address that we send from."""
    with open_socket() as udp:
        udp.connect(server)
        return str(udp.getsockname()[0])


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: probe.py ADDRESS OTHER-ADDRESS")
    try:
        with ExitStack() as opened:
            print(json.dumps(measure(sys.argv[1:], opened)))
    except NoAnswer as problem:
        sys.exit(f"probe: {problem}")
