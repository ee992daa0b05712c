"""A client written from docs/protocol.md and the RFCs that it names, with nothing but the standard library.

It meets our programs in both roles. If the page and the code disagree, or the page leaves out what a stranger
must know, this is where it shows: so nothing of ours may be imported for the client's side.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import os
import socket
import struct
import time
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import pytest

from tests.integration.processes import PATIENCE, Program, Rendezvous

COOKIE = 0x2112A442
REQUEST, SUCCESS = 0x0001, 0x0101
USERNAME, INTEGRITY, XOR_MAPPED_ADDRESS, FINGERPRINT = 0x0006, 0x0008, 0x0020, 0x8028
PRIORITY, USE_CANDIDATE, ICE_CONTROLLED, ICE_CONTROLLING = 0x0024, 0x0025, 0x8029, 0x802A
AWAKE_SEQUENCE = 0xDA01
ADDRESS_TOKEN = 0xDA04
CONTROL, CONTROL_SEQUENCE, DATA = 0x02BB, 0xDA05, 0x0013
MESSAGE, ACKNOWLEDGEMENT, CLOSE = 81, 82, 83
PEER_REFLEXIVE_PRIORITY = 110 << 24 | 65535 << 8 | 255

Address = tuple[str, int]
Attributes = dict[int, bytes]


def stun(kind: int, transaction: bytes, attributes: Attributes, key: bytes) -> bytes:
    """RFC 8489: the attributes, then MESSAGE-INTEGRITY with the key, then FINGERPRINT."""

    def attribute(number: int, value: bytes) -> bytes:
        return struct.pack("!HH", number, len(value)) + value + bytes(-len(value) % 4)

    def header(length: int) -> bytes:
        return struct.pack("!HHI", kind, length, COOKIE) + transaction

    body = b"".join(attribute(*one) for one in attributes.items())
    body += attribute(INTEGRITY, hmac.digest(key, header(len(body) + 24) + body, "sha1"))
    crc = zlib.crc32(header(len(body) + 8) + body) ^ 0x5354554E
    return header(len(body) + 8) + body + attribute(FINGERPRINT, crc.to_bytes(4, "big"))


def unstun(data: bytes, key: bytes) -> tuple[int, bytes, Attributes]:
    """Type, transaction and attributes of a message that must be exactly what the key's owner would send."""
    kind, length, cookie = struct.unpack_from("!HHI", data)
    assert (cookie, length) == (COOKIE, len(data) - 20)
    attributes: Attributes = {}
    at = 20
    while at < len(data):
        number, size = struct.unpack_from("!HH", data, at)
        attributes[number] = data[at + 4 : at + 4 + size]
        at += 4 + size + -size % 4
    assert list(attributes)[-2:] == [INTEGRITY, FINGERPRINT]
    said = {number: value for number, value in attributes.items() if number not in (INTEGRITY, FINGERPRINT)}
    assert stun(kind, data[8:20], said, key) == data
    return kind, data[8:20], said


def mapped(address: Address) -> bytes:
    ip = int.from_bytes(socket.inet_aton(address[0]), "big")
    return struct.pack("!BBHI", 0, 1, address[1] ^ COOKIE >> 16, ip ^ COOKIE)


def parse(text: str) -> Address:
    ip, _, port = text.rpartition(":")
    return ip, int(port)


class Client:
    """A registered client with one UDP socket."""

    def __init__(self, own_id: str, tcp: socket.socket, lines: BinaryIO, udp: socket.socket) -> None:
        self.tcp, self.lines, self.udp = tcp, lines, udp
        self.ufrag, self.pwd = "myfrag", "mypasswordof22icechars"
        self.say("register", id=own_id, version=1)
        registered = self.hear("registered")
        self.server = ("127.0.0.1", int(registered["endpoints"][0].rpartition(":")[2]))
        self.say("publish", ufrag=self.ufrag, pwd=self.pwd, candidates=[])
        self.session, self.key = registered["session"].encode(), registered["key"].encode()
        self.wake(self.session, self.key)

    def say(self, kind: str, **fields: Any) -> None:
        self.tcp.sendall(json.dumps({"type": kind, **fields}).encode() + b"\n")

    def hear(self, kind: str) -> dict[str, Any]:
        for line in self.lines:
            message: dict[str, Any] = json.loads(line)
            assert message["type"] not in ("fault", "connect-refused", "goodbye"), message
            if message["type"] == kind:
                return message
        raise AssertionError(f"the server closed before it said {kind}")

    def say_copy(self, number: int, kind: str, **fields: Any) -> None:
        """Over UDP, and here not over TCP."""
        line = json.dumps({"type": kind, **fields}).encode()
        attributes = {USERNAME: self.session, CONTROL_SEQUENCE: number.to_bytes(8, "big"), DATA: line}
        self.udp.sendto(stun(CONTROL, os.urandom(12), attributes, self.key), self.server)

    def hear_copy(self, number: int) -> dict[str, Any]:
        data, source = self.udp.recvfrom(2048)
        kind, _, said = unstun(data, self.key)
        assert (source, kind, said[USERNAME]) == (self.server, CONTROL, self.session)
        assert int.from_bytes(said[CONTROL_SEQUENCE], "big") == number
        assert len(data) <= 1200
        message: dict[str, Any] = json.loads(said[DATA])
        return message

    def wake(self, session: bytes, key: bytes) -> None:
        token = self.ask_awake(session, key, 7, {})
        assert self.ask_awake(session, key, 8, {ADDRESS_TOKEN: token}) == token

    def ask_awake(self, session: bytes, key: bytes, number: int, proof: dict[int, bytes]) -> bytes:
        """One Awake request; the token of its answer."""
        transaction = os.urandom(12)
        attributes = {USERNAME: session, AWAKE_SEQUENCE: number.to_bytes(8, "big"), **proof}
        self.udp.sendto(stun(REQUEST, transaction, attributes, key), self.server)
        data, source = self.udp.recvfrom(2048)
        assert source == self.server
        kind, echoed, said = unstun(data, key)
        token = said.pop(ADDRESS_TOKEN)
        answer = (SUCCESS, transaction, {XOR_MAPPED_ADDRESS: mapped(self.udp.getsockname())})
        assert (kind, echoed, said) == answer
        assert len(token) == 8
        return token


class Session:
    """What follows one introduction."""

    def __init__(self, client: Client, introduction: dict[str, Any]) -> None:
        self.udp = client.udp
        self.name = introduction["session"].encode()
        self.is_controlling: bool = introduction["controlling"]
        self.ours = self.credentials(client.ufrag, client.pwd)
        self.theirs = self.credentials(introduction["ufrag"], introduction["pwd"])
        addresses = [one["address"] for one in introduction["candidates"]]
        # A socket on loopback reaches nothing else.
        self.candidates = [parse(one) for one in addresses if one.startswith("127.")]
        self.transactions: dict[bytes, bool] = {}
        self.valid: Address | None = None
        self.is_nominated = False
        self.acknowledged: set[int] = set()
        self.received: dict[int, bytes] = {}

    def credentials(self, ufrag: str, pwd: str) -> tuple[bytes, bytes]:
        digest = hmac.digest(pwd.encode(), self.name, "sha256")
        return ufrag.encode() + self.name, b64encode(digest[:24])

    def check(self, to: Address, *, nominate: bool = False) -> None:
        transaction = os.urandom(12)
        self.transactions[transaction] = nominate
        attributes = {
            USERNAME: self.theirs[0] + b":" + self.ours[0],
            PRIORITY: PEER_REFLEXIVE_PRIORITY.to_bytes(4, "big"),
            (ICE_CONTROLLING if self.is_controlling else ICE_CONTROLLED): os.urandom(8),
            **({USE_CANDIDATE: b""} if nominate else {}),
        }
        self.udp.sendto(stun(REQUEST, transaction, attributes, self.theirs[1]), to)

    def frame(self, kind: int, number: int, payload: bytes, to: Address) -> None:
        body = bytes([kind]) + self.session_field() + number.to_bytes(4, "big") + payload
        self.udp.sendto(body + self.tag(body, self.theirs[1]), to)

    def session_field(self) -> bytes:
        return hashlib.sha256(self.name).digest()[:7]

    def tag(self, body: bytes, pwd: bytes) -> bytes:
        return hmac.digest(hmac.digest(pwd, b"data frames", "sha256"), body, "sha256")[:16]

    def run_until(self, is_done: Callable[[], bool], early_data: bytes | None = None) -> None:
        """Checks every candidate at once, with the early data behind, and again every 0.1 s."""
        deadline = time.monotonic() + PATIENCE
        for attempt in itertools.count():
            for to in self.candidates if self.valid is None else [self.valid]:
                self.check(to, nominate=self.is_controlling and self.valid is not None)
                if early_data is not None and (attempt == 0 or self.valid):
                    self.frame(MESSAGE, 1, early_data, to)
            attempt_ends = time.monotonic() + 0.1
            while (left := attempt_ends - time.monotonic()) > 0:
                self.udp.settimeout(left)
                try:
                    self.receive(*self.udp.recvfrom(2048))
                except TimeoutError:
                    break
                if is_done():
                    return
            assert time.monotonic() < deadline, vars(self)

    def receive(self, data: bytes, source: Address) -> None:
        if 80 <= data[0] <= 83:
            self.receive_frame(data, source)
        elif data[:2] == CONTROL.to_bytes(2, "big"):
            pass  # it has come over TCP
        elif data[:2] == REQUEST.to_bytes(2, "big"):
            _, transaction, attributes = unstun(data, self.ours[1])
            assert attributes[USERNAME] == self.ours[0] + b":" + self.theirs[0]
            assert (ICE_CONTROLLED if self.is_controlling else ICE_CONTROLLING) in attributes
            assert not (self.is_controlling and USE_CANDIDATE in attributes)
            self.is_nominated |= USE_CANDIDATE in attributes
            answer = stun(SUCCESS, transaction, {XOR_MAPPED_ADDRESS: mapped(source)}, self.ours[1])
            self.udp.sendto(answer, source)
        else:
            kind, transaction, attributes = unstun(data, self.theirs[1])
            assert (kind, attributes) == (SUCCESS, {XOR_MAPPED_ADDRESS: mapped(self.udp.getsockname())})
            self.is_nominated |= self.transactions[transaction]
            self.valid = self.valid or source

    def receive_frame(self, data: bytes, source: Address) -> None:
        body, tag = data[:-16], data[-16:]
        assert (body[1:8], tag) == (self.session_field(), self.tag(body, self.ours[1]))
        number, payload = int.from_bytes(body[8:12], "big"), body[12:]
        if body[0] == MESSAGE:
            self.received[number] = payload
            self.frame(ACKNOWLEDGEMENT, number, b"", source)
        elif body[0] == ACKNOWLEDGEMENT:
            assert payload == b""
            self.acknowledged.add(number)

    def close(self) -> None:
        assert self.valid is not None
        for _ in range(2):
            self.frame(CLOSE, 0, b"", self.valid)


@pytest.fixture(scope="module")
def server() -> Iterator[Rendezvous]:
    with Rendezvous() as running:
        yield running


@contextmanager
def registered(own_id: str, server: Rendezvous) -> Iterator[Client]:
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as tcp,
        tcp.makefile("rb") as lines,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        udp.bind(("127.0.0.1", 0))
        udp.settimeout(PATIENCE)
        yield Client(own_id, tcp, lines, udp)


def test_a_client_made_from_the_page_delivers_early_data_to_a_listener(server: Rendezvous) -> None:
    arguments = ("listen", "--id", "anna", "--server", server.address, "--once", "--json")
    with Program("peer", *arguments) as listener, registered("elsa", server) as elsa:
        server.wait_for_line("anna Awake")
        wish = {"target": "anna", "nonce": "aWishOfElsas"}
        elsa.say_copy(5, "connect", **wish)
        introduction = elsa.hear_copy(1)
        elsa.say("connect", **wish)
        assert elsa.hear("introduction") == introduction
        session = Session(elsa, introduction)
        assert session.is_controlling
        session.run_until(
            lambda: session.is_nominated and 1 in session.acknowledged, early_data=b"hello \xc3\xa9"
        )
        session.close()
        heard = listener.wait()
    report = json.loads(heard.out)
    assert (report["outcome"], report["peer"], report["message"]) == ("direct", "elsa", "hello é")
    assert session.valid == parse(report["path"]["local"])


def test_a_client_made_from_the_page_is_called_and_acknowledges_a_message(server: Rendezvous) -> None:
    with registered("olaf", server) as olaf:
        arguments = (
            "connect",
            "olaf",
            "--id",
            "sven",
            "--server",
            server.address,
            "--message",
            "hi",
            "--json",
        )
        with Program("peer", *arguments) as caller:
            session = Session(olaf, olaf.hear("introduction"))
            assert not session.is_controlling
            session.run_until(
                lambda: session.valid is not None and session.is_nominated and 1 in session.received
            )
            called = caller.wait()
    report = json.loads(called.out)
    assert (called.code, report["outcome"], report["reason"]) == (0, "direct", None)
    assert session.received == {1: b"hi"}
