"""A client that speaks the rendezvous protocol by hand: plain sockets, one message at a time."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from natcore.stun import (
    AwakeSequence,
    Message,
    MessageClass,
    Method,
    ReceivedMessage,
    TransactionId,
    Username,
)
from tests.integration.processes import PATIENCE


class BareClient:
    """A control connection, spoken by hand."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection((address, port), timeout=PATIENCE)
        self._lines = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._lines.close()
        self.socket.close()

    def say(self, type_: str, **fields: object) -> None:
        self.socket.sendall(json.dumps({"type": type_, **fields}).encode() + b"\n")

    def hear(self, type_: str) -> dict[str, Any]:
        """The next message of this type; others are skipped."""
        while True:
            line = self._lines.readline()
            assert line, f"the server closed before it said {type_!r}"
            message: dict[str, Any] = json.loads(line)
            if message["type"] == type_:
                return message

    def hear_change(self, client_id: str, change: str) -> dict[str, Any]:
        while True:
            for one in self.hear("announcement")["changes"]:
                if (one["id"], one["change"]) == (client_id, change):
                    found: dict[str, Any] = one
                    return found

    def hear_the_end(self) -> list[dict[str, Any]]:
        """Everything until the server closes."""
        return [json.loads(line) for line in self._lines]

    def register(self, client_id: str) -> dict[str, Any]:
        self.say("register", id=client_id, version=1)
        return self.hear("registered")

    def publish(self) -> None:
        host = {"type": "host", "address": "192.0.2.1:5000", "priority": 2113929471, "foundation": "1"}
        self.say("publish", ufrag="abcd", pwd="p" * 22, candidates=[host])


def awake_request(session: str, key: str, sequence: int) -> bytes:
    request = Message(
        method=Method.BINDING,
        message_class=MessageClass.REQUEST,
        transaction_id=TransactionId(os.urandom(12)),
        attributes=(Username(session), AwakeSequence(sequence)),
    )
    return request.encode(key=key.encode())


@contextmanager
def udp_socket(host: str = "127.0.0.1") -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as opened:
        opened.bind((host, 0))
        opened.settimeout(1.0)
        yield opened


def exchange(udp: socket.socket, data: bytes, destination: tuple[str, int]) -> ReceivedMessage:
    """Sends until an answer comes, as UDP demands; the answer must come from where the question went."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        udp.sendto(data, destination)
        try:
            answer, source = udp.recvfrom(4096)
        except TimeoutError:
            continue
        assert source[:2] == destination
        return Message.decode(answer)
    raise AssertionError(f"no answer from {destination}")
