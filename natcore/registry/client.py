"""What the registry knows of one TCP connection and of the client that registered on it."""

from __future__ import annotations

from dataclasses import dataclass, field

from natcore.address import ReflexiveAddress, TransportAddress
from natcore.control.copies import ControlCopies, RecentNames
from natcore.control.messages import ClientId, ClientMessage, ClientStatus, Connect, Publish, Status
from natcore.control.stream import ControlStream, client_stream
from natcore.registry.commands import ConnectionId
from natcore.registry.token_bucket import TokenBucket

SESSION_BYTES = 12
"""96 bits of randomness in 16 characters: no two sessions or introductions ever share a name."""

KEY_BYTES = 24
"""192 bits in 32 characters; RFC 8489 section 9.1.1 asks for 128 at least."""


MAX_REMEMBERED_WISHES = 32
"""Of one client: more than its introductions at once and in a second, by which TCP may lag behind UDP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The last Awake request of a session that was believed.

    Attributes:
        sequence: its AWAKE-SEQUENCE.
        transaction: its transaction id.
        source: where it came from.
        is_proven: whether it repeated what had been sent to that source.
        local: our endpoint that it came to.
    """

    sequence: int
    transaction: bytes
    source: TransportAddress
    is_proven: bool
    local: TransportAddress = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """A recent introduction, as one of its two sides has it.

    Attributes:
        peer: the other side.
        since: when they were introduced, seconds.
    """

    peer: Client
    since: float


@dataclass(slots=True, kw_only=True, eq=False)
class Client:
    """A registered client.

    Attributes:
        id: its name.
        connection: the TCP connection that it lives on.
        session: USERNAME of its Awake requests.
        key: the password of these, in characters.
        copies: what this session says and hears over UDP beside TCP.
        introductions: how many more it may cause now.
        publications: how many more it may send now.
        observation: the last believed Awake request of this session.
        reflexive_address: where the client's datagrams come from; None while it is Asleep. A session that
            took over keeps its predecessor's until its own first observation.
        published: its ICE credentials and candidates.
        published_at: when, seconds.
        meetings: its newest introductions, by their names, oldest first.
        wishes: the newest ``connect`` messages that were judged, by their nonces.
    """

    id: ClientId
    connection: ConnectionId
    session: str
    key: str
    copies: ControlCopies[Connect]
    introductions: TokenBucket
    publications: TokenBucket
    observation: Observation | None = None
    reflexive_address: ReflexiveAddress | None = None
    published: Publish | None = None
    published_at: float = 0.0
    meetings: dict[str, Meeting] = field(default_factory=dict)
    wishes: RecentNames = field(default_factory=lambda: RecentNames(MAX_REMEMBERED_WISHES))

    @property
    def is_awake(self) -> bool:
        """Whether others can be introduced to it: it was observed, and has published its credentials."""
        return self.reflexive_address is not None and self.published is not None

    @property
    def status(self) -> ClientStatus:
        """The client's row in the list."""
        status = Status.AWAKE if self.is_awake else Status.ASLEEP
        return ClientStatus(id=self.id, status=status)


@dataclass(slots=True, kw_only=True, eq=False)
class Connection:
    """One TCP connection.

    Attributes:
        id: the shell's name for it.
        endpoints: the server's UDP endpoints to tell the client.
        lines: how many more it may send now.
        stream: decodes what arrives.
        malformed_lines: how many came.
        client: who registered, or None.
    """

    id: ConnectionId
    endpoints: tuple[str, ...]
    lines: TokenBucket
    stream: ControlStream[ClientMessage] = field(default_factory=client_stream)
    malformed_lines: int = 0
    client: Client | None = None
