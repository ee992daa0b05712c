"""The server's words for one endpoint, spoken by the test."""

from __future__ import annotations

from ipaddress import IPv4Address

import msgspec

from natcore import stun
from natcore.address import TransportAddress
from natcore.agent import Transmit
from natcore.control.copies import clients_copies
from natcore.control.messages import (
    ClientMessage,
    ClientStatus,
    Connect,
    Introduction,
    Registered,
    ServerMessage,
    Status,
    WireCandidate,
    encode,
)
from natcore.control.stream import MalformedLine, client_stream
from natcore.endpoint import ClientEndpoint, EndpointConfig, EndpointEvent, SessionNoted
from natcore.ice import LocalCandidate
from tests.sim.pair import local_host, seeded

BASE = TransportAddress(IPv4Address("192.0.2.1"), 4000)
SERVER = TransportAddress(IPv4Address("198.51.100.1"), 10080)
PEER = TransportAddress(IPv4Address("203.0.113.8"), 5000)
REFLEXIVE = TransportAddress(IPv4Address("203.0.113.7"), 40001)

REGISTERED = Registered(
    id="elsa",
    session="sessionOfElsa",
    key="keyOfElsaWhichIsSecret",
    endpoints=(str(SERVER),),
    clients=(
        ClientStatus(id="elsa", status=Status.ASLEEP),
        ClientStatus(id="anna", status=Status.AWAKE),
        ClientStatus(id="olaf", status=Status.ASLEEP),
    ),
    ping_interval=10.0,
)
INTRODUCTION = Introduction(
    session="introduction",
    peer="anna",
    controlling=True,
    ufrag="annasFragment",
    pwd="annasPasswordWhichIsSecret",
    candidates=(WireCandidate(type="host", address=str(PEER), priority=2130706431, foundation="1"),),
)


class RehearsedServer:
    """Holds an endpoint and says to it what the test wants said.

    Attributes:
        copies: our half of what is said over UDP beside TCP.
        nonces: of the ``connect`` messages that were heard, which are told without theirs.
    """

    def __init__(
        self, *, config: EndpointConfig | None = None, candidates: list[LocalCandidate] | None = None
    ) -> None:
        self.now = 0.0
        self.nonces: list[str] = []
        self.copies = clients_copies(REGISTERED.session, REGISTERED.key)
        self.endpoint = ClientEndpoint(
            client_id="elsa",
            host_candidates=[local_host(BASE)] if candidates is None else candidates,
            config=config or EndpointConfig(),
            random=seeded(1),
        )

    def connect(self) -> list[ClientMessage]:
        """The TCP connection stands; returns what the endpoint says first."""
        self.endpoint.connection_made(SERVER.ip, self.now)
        return self.heard()

    def register(self, message: Registered = REGISTERED) -> list[ClientMessage]:
        """Connects, and takes the endpoint in."""
        self.connect()
        return self.say(message)

    def say(self, *messages: ServerMessage) -> list[ClientMessage]:
        """Says something; returns what the endpoint answers."""
        self.endpoint.receive_data(b"".join(map(encode, messages)), self.now)
        return self.heard()

    def introduce(self, **changes: object) -> None:
        """Says an introduction, changed as wanted."""
        self.say(msgspec.structs.replace(INTRODUCTION, **changes))

    def awaken(self) -> None:
        """The endpoint is registered and Awake, and asks for nothing more for the moment."""
        self.endpoint.wake(self.now)
        self.register()
        self.answer_awake(self.sent()[0])
        self.sent()
        self.events()

    def say_copy(self, message: ServerMessage) -> list[ClientMessage]:
        """Says something over UDP alone; returns what the endpoint answers over TCP."""
        data = self.copies.encode(message, seeded(1))
        assert data is not None
        self.endpoint.receive_datagram(data, SERVER, BASE, self.now)
        return self.heard()

    def copies_heard(self) -> list[Connect]:
        """What the endpoint has said over UDP since the last time, told without its nonce."""
        to_server = [stun.Message.decode(one.data) for one in self.sent() if one.destination == SERVER]
        said = [self.copies.receive(one) for one in to_server if one.method is stun.Method.CONTROL]
        return [msgspec.structs.replace(wish, nonce=None) for wish in said if wish is not None]

    def heard(self) -> list[ClientMessage]:
        """What the endpoint has said over TCP since the last time."""
        stream = client_stream()
        stream.receive_data(self.endpoint.data_to_send())
        messages: list[ClientMessage] = []
        while (message := stream.next_message()) is not None:
            assert not isinstance(message, MalformedLine)
            if isinstance(message, Connect):
                assert message.nonce is not None
                self.nonces.append(message.nonce)
                message = msgspec.structs.replace(message, nonce=None)
            messages.append(message)
        return messages

    def sent(self) -> list[Transmit]:
        """What the endpoint has sent over UDP since the last time."""
        return self.endpoint.datagrams_to_send()

    def events(self, *, with_notes: bool = False) -> list[EndpointEvent]:
        """What the endpoint has told since the last time; what is for the record only where it is wanted."""
        told: list[EndpointEvent] = []
        while (event := self.endpoint.next_event()) is not None:
            if with_notes or not isinstance(event, SessionNoted):
                told.append(event)
        return told

    def answer_awake(self, transmit: Transmit, mapped: TransportAddress = REFLEXIVE) -> None:
        """Answers an Awake request as the server's UDP half does."""
        data = stun.answer_binding_request(
            stun.Message.decode(transmit.data), mapped, key=stun.short_term_key(REGISTERED.key)
        )
        assert data is not None
        self.endpoint.receive_datagram(data, SERVER, BASE, self.now)

    def at(self, now: float) -> None:
        """Lets the timer fire at an instant."""
        self.now = now
        self.endpoint.handle_timer(now)
