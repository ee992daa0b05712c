"""The client's half of the control connection: who we are to the server, and whom it knows.

One object lives as long as the node and sees many TCP connections come and go. It answers pings, keeps the
list of clients current and notices a server that has fallen silent; it does not reconnect, which is the
shell's business.
"""

from __future__ import annotations

from natcore.control.messages import (
    VERSION,
    Announcement,
    Change,
    ClientChange,
    ClientMessage,
    ClientStatus,
    Register,
    Registered,
    ServerMessage,
    Status,
    encode,
)
from natcore.control.stream import ControlStream, MalformedLine, server_stream

SILENCE_LIMIT = 2.5
"""Ping intervals without a word from the server before the connection counts as dead: 25 s at 10 s each."""

CONNECT_PATIENCE = 10.0
"""Seconds that a server has to answer ``register``."""

MAX_CLIENTS = 100_000
"""Rows of the list of clients; a server that announces more is not believed."""

_STATUS_AFTER = {
    Change.REGISTERED: Status.ASLEEP,
    Change.AWAKE: Status.AWAKE,
    Change.MOVED: Status.AWAKE,
    Change.UNREGISTERED: None,
    Change.DISCONNECTED: None,
}


class Registration:
    """See the module.

    Attributes:
        id: the name that we register.
        clients: everybody whom the server told us of, by id, ourselves included.
        is_registered: whether the present connection is.
    """

    def __init__(self, client_id: str) -> None:
        self.id = client_id
        self.clients: dict[str, Status] = {}
        self.is_registered = False
        self.is_connected = False
        self._resume: str | None = None
        self._stream: ControlStream[ServerMessage] = server_stream()
        self._outgoing = bytearray()
        self._silent_after = float("inf")
        self._patience = CONNECT_PATIENCE

    def connection_made(self, now: float) -> None:
        """A TCP connection stands: introduces us."""
        self._stream = server_stream()
        self._outgoing.clear()
        self.is_connected = True
        self._patience = CONNECT_PATIENCE
        self._silent_after = now + self._patience
        self.send(Register(id=self.id, version=VERSION, resume=self._resume))

    def connection_lost(self) -> None:
        """It is gone; the list of clients stays as it was, until the next one brings a fresh list."""
        self.is_connected = self.is_registered = False
        self._silent_after = float("inf")
        self._outgoing.clear()

    def receive_data(self, data: bytes, now: float) -> None:
        """Takes bytes of the connection."""
        self._stream.receive_data(data)
        self._silent_after = now + self._patience

    def next_message(self) -> ServerMessage | MalformedLine | None:
        """The next message for the endpoint to act on."""
        return self._stream.next_message()

    def send(self, message: ClientMessage) -> None:
        """Queues a message; without a connection it is dropped, since the next one begins anew."""
        if self.is_connected:
            self._outgoing += encode(message)

    def data_to_send(self) -> bytes:
        """Hands over the bytes for the connection."""
        data = bytes(self._outgoing)
        self._outgoing.clear()
        return data

    def get_timer(self) -> float | None:
        """When the server will have been silent for too long."""
        return None if self._silent_after == float("inf") else self._silent_after

    def is_silent(self, now: float) -> bool:
        """Whether the server has been; says so once a connection."""
        if now < self._silent_after:
            return False
        self._silent_after = float("inf")
        return True

    def accept(self, message: Registered, now: float) -> None:
        """The server took us in: begins the list anew."""
        self.is_registered = True
        self._resume = message.key
        self._patience = SILENCE_LIMIT * message.ping_interval
        self._silent_after = now + self._patience
        self.clients.clear()
        self.add_clients(message.clients)

    def forget_session(self) -> None:
        """After a goodbye of ours there is nothing to resume."""
        self._resume = None

    def add_clients(self, clients: tuple[ClientStatus, ...]) -> None:
        """Enters rows into the list, as far as there is room."""
        for client in clients:
            self._enter(client.id, client.status)

    def apply(self, announcement: Announcement) -> list[tuple[ClientChange, Status | None]]:
        """Brings the list up to date; returns the changes of others, with the status that each led to.

        What is announced of ourselves is old news, and may be older than what we know.
        """
        changed = []
        for change in announcement.changes:
            if change.id == self.id:
                continue
            status = _STATUS_AFTER[change.change]
            if status is None:
                self.clients.pop(change.id, None)
            else:
                self._enter(change.id, status)
            changed.append((change, status))
        return changed

    def _enter(self, client_id: str, status: Status) -> None:
        if client_id in self.clients or len(self.clients) < MAX_CLIENTS:
            self.clients[client_id] = status
