"""The sessions of one endpoint: which there may be, and whose a datagram is.

An introduction is the server's word and names addresses of the peer's choosing, so each session that it
starts makes us send to strangers. What is always true: no two sessions share a name, a user name fragment or
a session field; those that nobody here asked for are bounded, for each peer and while they have no path.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from natcore import stun
from natcore.channel import PeerSession, session_field, session_field_of
from natcore.errors import DecodeError


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """How many sessions there may be.

    Attributes:
        in_all: at a time.
        of_one_peer: of those with one peer, where it asked and we did not, so that one peer cannot take all.
            More than one, because a peer that started anew leaves an old session behind.
        unconfirmed: that we did not ask for and that have no path yet. Each sends up to 14 checks in 10 s to
            each of 20 addresses that others chose, so this bounds what can be aimed at a victim through us:
            900 checks a second. An honest peer needs its place for a round trip or two.
        unconfirmed_of_one_peer: of these, so that one peer cannot keep the others out.
    """

    in_all: int = 256
    of_one_peer: int = 64
    unconfirmed: int = 32
    unconfirmed_of_one_peer: int = 8


@dataclass(slots=True)
class Sessions:
    """See the module."""

    limits: SessionLimits
    _by_name: dict[str, PeerSession] = field(default_factory=dict)
    _by_ufrag: dict[str, PeerSession] = field(default_factory=dict)
    _by_field: dict[bytes, PeerSession] = field(default_factory=dict)
    _unasked: set[str] = field(default_factory=set)

    @property
    def all(self) -> tuple[PeerSession, ...]:
        """All sessions, oldest first."""
        return tuple(self._by_name.values())

    @property
    def is_full(self) -> bool:
        """Whether there is no room for any other session."""
        return len(self._by_name) >= self.limits.in_all

    def is_crowded_by(self, peer: str) -> bool:
        """Whether there is no room for another session that ``peer`` asks for."""
        unasked = [self._by_name[name] for name in self._unasked]
        of_peer = [session for session in unasked if session.peer == peer]
        return (
            len(of_peer) >= self.limits.of_one_peer
            or _count_unconfirmed(unasked) >= self.limits.unconfirmed
            or _count_unconfirmed(of_peer) >= self.limits.unconfirmed_of_one_peer
        )

    def is_taken(self, name: str) -> bool:
        """Whether a session of this name could not be told from another one.

        The session field is 56 bits of a digest: two names that share one are found within a minute.
        """
        return session_field(name) in self._by_field

    def add(self, session: PeerSession, *, was_asked: bool) -> None:
        """Takes a session in, whose name is not taken."""
        self._by_name[session.name] = session
        self._by_ufrag[session.local_ufrag] = session
        self._by_field[session_field(session.name)] = session
        if not was_asked:
            self._unasked.add(session.name)

    def called(self, name: str) -> PeerSession | None:
        """The session of that name."""
        return self._by_name.get(name)

    def following(self, introduction: str) -> PeerSession | None:
        """The session whose newest search follows the introduction of that name."""
        return next((one for one in self._by_name.values() if one.introduction == introduction), None)

    def add_ufrag(self, ufrag: str, session: PeerSession) -> None:
        """Notes the user name fragment of a session's newest search for a path; its first one stays valid."""
        kept = {own: one for own, one in self._by_ufrag.items() if one is not session}
        self._by_ufrag = {**kept, session.local_ufrag: session, ufrag: session}

    def remove(self, session: PeerSession) -> None:
        """Forgets a session."""
        del self._by_name[session.name]
        self._by_ufrag = {own: one for own, one in self._by_ufrag.items() if one is not session}
        del self._by_field[session_field(session.name)]
        self._unasked.discard(session.name)

    def of_datagram(self, data: bytes) -> PeerSession | None:
        """The session that a datagram is for, as far as its unproven fields tell."""
        if not stun.is_stun(data):
            name = session_field_of(data)
            return None if name is None else self._by_field.get(name)
        try:
            message = stun.Message.decode(data)
        except DecodeError:
            return None
        if message.message_class is stun.MessageClass.REQUEST:
            username = message.get(stun.Username)
            return None if username is None else self._by_ufrag.get(username.value.partition(":")[0])
        awaiting = (own for own in self._by_name.values() if own.is_awaiting(message.transaction_id))
        return next(awaiting, None)


def _count_unconfirmed(sessions: list[PeerSession]) -> int:
    return sum(session.path is None for session in sessions)
