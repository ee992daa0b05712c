"""The control messages that a client and the rendezvous server exchange over TCP (docs/protocol.md).

Each message is one JSON object on one line, told apart by its ``type``. Unknown fields are ignored, so that
a newer side can add some; an unknown ``type`` is answered with :class:`Fault` and the connection goes on.
``VERSION`` changes only when an old side would misunderstand a new one.

The structs say what is *well formed*. Whether a message is allowed now is the registry's business.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from natcore.hardnat.behavior import SideSummary

VERSION = 1
"""Of the control protocol; a client that speaks another one is refused with ``unsupported-version``."""

MAX_ID_LENGTH = 32

ID_PATTERN = rf"^[A-Za-z0-9_.-]{{1,{MAX_ID_LENGTH}}}\Z"
"""What a client may be called: a name that a person can type and that no terminal can misread."""

MAX_CANDIDATES = 16
"""In one ``publish``. Bounds the checks that a client can make others send (RFC 8445 section 19.5.1)."""

ClientId = Annotated[str, Meta(pattern=ID_PATTERN)]
_Token = Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/]{4,256}\Z")]
"""The ice-char set of RFC 8839 section 5.4, of which every credential and session name is made."""
_Password = Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/]{22,256}\Z")]
_Text = Annotated[str, Meta(max_length=512)]
_Address = Annotated[str, Meta(max_length=64)]


class Status(Enum):
    """What the server knows of a client's UDP endpoint."""

    ASLEEP = "Asleep"
    """Registered over TCP; no UDP endpoint has been observed."""
    AWAKE = "Awake"
    """The source of an authenticated datagram has been observed: the client can be reached."""


class Change(Enum):
    """What an announcement says of a client."""

    REGISTERED = "registered"
    AWAKE = "awake"
    MOVED = "moved"
    """Still Awake, but its public endpoint changed."""
    UNREGISTERED = "unregistered"
    """It said goodbye."""
    DISCONNECTED = "disconnected"
    """It vanished: connection lost, timed out, or dropped by the server."""


class FaultCode(Enum):
    """Why a message or a request was turned down."""

    BAD_MESSAGE = "bad-message"
    UNKNOWN_TYPE = "unknown-type"
    LINE_TOO_LONG = "line-too-long"
    UNSUPPORTED_VERSION = "unsupported-version"
    INVALID_ID = "invalid-id"
    DUPLICATE_ID = "duplicate-id"
    NOT_REGISTERED = "not-registered"
    ALREADY_REGISTERED = "already-registered"
    SERVER_FULL = "server-full"
    UNKNOWN_CLIENT = "unknown-client"
    CLIENT_ASLEEP = "client-asleep"
    YOU_ARE_ASLEEP = "you-are-asleep"
    SAME_CLIENT = "same-client"
    TOO_FAST = "too-fast"
    UNKNOWN_SESSION = "unknown-session"


class WireCandidate(Struct, frozen=True, kw_only=True):
    """A candidate as it travels: RFC 8839's fields without those that never vary here.

    Attributes:
        type: ``host``, ``srflx``, ``prflx`` or ``relay``.
        address: ``ADDRESS:PORT``, always numeric.
        priority: RFC 8445 section 5.1.2.
        foundation: RFC 8445 section 5.1.1.3, 1 to 32 ice-chars.
    """

    type: Annotated[str, Meta(pattern=r"^(host|srflx|prflx|relay)\Z")]
    address: _Address
    priority: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    foundation: Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/]{1,32}\Z")]


Candidates = Annotated[tuple[WireCandidate, ...], Meta(max_length=MAX_CANDIDATES)]


class ClientStatus(Struct, frozen=True, kw_only=True):
    """One row of the list of clients. Addresses are for introduced peers only, so there are none here."""

    id: ClientId
    status: Status


class ClientChange(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened to one client.

    Attributes:
        reason: set for ``disconnected`` only: why, in a few words.
    """

    id: ClientId
    change: Change
    reason: _Text | None = None


class _Message(Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """Root of the messages; the ``type`` on the wire is the class's ``tag``."""


# --- from the client -------------------------------------------------------------------------------------


class Register(_Message, frozen=True, kw_only=True, tag="register"):
    """The first message of a connection: who I am.

    ``id`` is a free string here, so that a bad one is answered with ``invalid-id`` and not as bad JSON.

    Attributes:
        id: the wanted name, see ``ID_PATTERN``.
        version: of the control protocol.
        resume: the key of an earlier session with this id whose connection may look alive to the server
            still; with it the new connection takes the id over.
    """

    id: str
    version: int
    resume: _Token | None = None


class Publish(_Message, frozen=True, kw_only=True, tag="publish"):
    """ICE credentials and host candidates, given beforehand so that an introduction costs no gathering.

    The server adds the server-reflexive candidate that it observed itself. It believes one in here only where
    its IP address is that of the observed one: a port that the client's gateway forwards.
    """

    ufrag: _Token
    pwd: _Password
    candidates: Candidates
    nat: SideSummary | None = None


class Connect(_Message, frozen=True, kw_only=True, tag="connect"):
    """Introduce me to ``target``. Answered by :class:`Introduction` or :class:`ConnectRefused`.

    Attributes:
        renews: the session whose path is to be found anew (an ICE restart, RFC 8445 section 2.4); None for a
            new session.
        nonce: another one for each; the same in the copy that goes over UDP, so that it is carried out once.
    """

    target: str
    renews: _Token | None = None
    nonce: _Token | None = None


class Decline(_Message, frozen=True, kw_only=True, tag="decline"):
    """I do not follow this introduction; its other side is told by :class:`Declined`.

    Attributes:
        session: of the introduction.
        code: why, for programs.
        reason: why, for people.
    """

    session: _Token
    code: FaultCode
    reason: _Text


class Unregister(_Message, frozen=True, kw_only=True, tag="unregister"):
    """Goodbye; the server closes the connection."""


# --- from the server -------------------------------------------------------------------------------------


class Registered(_Message, frozen=True, kw_only=True, tag="registered"):
    """The answer to :class:`Register`.

    Attributes:
        id: the name, now taken.
        session: USERNAME of the client's Awake requests.
        key: short-term password of the client's Awake requests; secret.
        endpoints: the server's UDP endpoints, ``ADDRESS:PORT``, best first, 1 to 4.
        clients: everybody who is registered, the new client included, in order of registration.
        ping_interval: seconds between pings in either direction; three missed ones end a connection.
    """

    id: ClientId
    session: _Token
    key: _Password
    endpoints: Annotated[tuple[_Address, ...], Meta(min_length=1, max_length=4)]
    clients: tuple[ClientStatus, ...]
    ping_interval: Annotated[float, Meta(ge=0.1, le=3600)]


class Roster(_Message, frozen=True, kw_only=True, tag="roster"):
    """A further part of the list of clients, where :class:`Registered` would outgrow one line."""

    clients: tuple[ClientStatus, ...]


class Announcement(_Message, frozen=True, kw_only=True, tag="announcement"):
    """What happened to clients, oldest first; a burst of changes travels as one message.

    Each change tells its client's whole state, so that applying one again, or one about a client that is not
    in the list yet, leads to the same list. A message about several clients goes to all, so the receiver may
    find itself in it.
    """

    changes: tuple[ClientChange, ...]


class Introduction(_Message, frozen=True, kw_only=True, tag="introduction"):
    """Start checks towards ``peer`` now; the peer is told the same at the same moment.

    Attributes:
        session: a fresh name for this introduction; both sides derive their credentials from it.
        peer: who it is.
        controlling: whether the receiver has the controlling role (RFC 8445 section 6.1.1).
        ufrag: the peer's published user name fragment.
        pwd: the peer's published password.
        candidates: the peer's candidates, the observed server-reflexive one included.
        observed: where the server sees the peer, once the peer has proven to receive there; it may be among
            the candidates or not. The only address at which many ports may be tried.
        nat: what the peer says of its NAT, if it knows.
        renews: as in :class:`Connect`; the receiver follows only where that session is with this peer.
    """

    session: _Token
    peer: ClientId
    controlling: bool
    ufrag: _Token
    pwd: _Password
    candidates: Annotated[tuple[WireCandidate, ...], Meta(max_length=MAX_CANDIDATES + 4)]
    observed: _Address | None = None
    nat: SideSummary | None = None
    renews: _Token | None = None


class Trickle(_Message, frozen=True, kw_only=True, tag="trickle"):
    """What has changed with the peer of a recent introduction (RFC 8838), whole and as it is now.

    Attributes:
        session: of the introduction.
        candidates: as in :class:`Introduction`; what is not among them any more may be forgotten or not.
        observed: as in :class:`Introduction`.
        nat: as in :class:`Introduction`.
    """

    session: _Token
    candidates: Annotated[tuple[WireCandidate, ...], Meta(max_length=MAX_CANDIDATES + 4)]
    observed: _Address | None = None
    nat: SideSummary | None = None


class Declined(_Message, frozen=True, kw_only=True, tag="declined"):
    """The peer of a recent introduction does not follow it; fields as in :class:`Decline`."""

    session: _Token
    code: FaultCode
    reason: _Text


class ConnectRefused(_Message, frozen=True, kw_only=True, tag="connect-refused"):
    """No introduction to ``target``: it is unknown or asleep, or the asker is.

    Attributes:
        nonce: of the :class:`Connect` that this answers, if that had one.
    """

    target: str
    code: FaultCode
    reason: _Text
    nonce: _Token | None = None


class Fault(_Message, frozen=True, kw_only=True, tag="fault"):
    """A message was not understood or not allowed; ``reason`` is for people, ``code`` for programs."""

    code: FaultCode
    reason: _Text


class Goodbye(_Message, frozen=True, kw_only=True, tag="goodbye"):
    """The server is about to close the connection, and why."""

    reason: _Text


# --- from either side ------------------------------------------------------------------------------------


class Ping(_Message, frozen=True, kw_only=True, tag="ping"):
    """Are you there? Answered by :class:`Pong`."""


class Pong(_Message, frozen=True, kw_only=True, tag="pong"):
    """I am."""


ClientMessage = Register | Publish | Connect | Decline | Unregister | Ping | Pong
ServerMessage = (
    Registered
    | Roster
    | Announcement
    | Introduction
    | Trickle
    | Declined
    | ConnectRefused
    | Fault
    | Goodbye
    | Ping
    | Pong
)
Message = ClientMessage | ServerMessage

CLIENT_MESSAGES: tuple[type[_Message], ...] = (Register, Publish, Connect, Decline, Unregister, Ping, Pong)
SERVER_MESSAGES: tuple[type[_Message], ...] = (
    Registered,
    Roster,
    Announcement,
    Introduction,
    Trickle,
    Declined,
    ConnectRefused,
    Fault,
    Goodbye,
    Ping,
    Pong,
)

_encoder = msgspec.json.Encoder()


def encode(message: Message) -> bytes:
    """One line, newline included. JSON has no raw newline, so a line is a message."""
    return _encoder.encode(message) + b"\n"
