"""ICE credentials: the user name fragment and the password of one side (RFC 8445 section 5.3).

A client publishes one pair when it wakes, so that an introduction needs no question back. Were that pair used
as it is, everybody who was once introduced to the client could forge checks to it in anybody's name. So each
introduction carries a fresh session name, known to the two sides and the server only, and both derive the
credentials of *that* session from it: the fragment gets the name appended, the password goes through an HMAC.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256

from natcore.agent import RandomBytes

UFRAG_BYTES = 6
"""48 bits in 8 characters; RFC 8445 section 5.3 demands 24 bits."""

MAX_UFRAG_LENGTH = 250
"""Of a session's fragment. RFC 8445 section 5.3 says 256, but two of them and a colon must fit into the 508
bytes of a USERNAME (RFC 8489 section 14.3)."""

PASSWORD_BYTES = 24
"""192 bits in 32 characters; RFC 8445 section 5.3 demands 128 bits."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """One side's user name fragment and password, both of ice-chars (RFC 8839 section 5.4)."""

    ufrag: str
    pwd: str

    @classmethod
    def generate(cls, random: RandomBytes) -> Credentials:
        """Makes fresh credentials."""
        return cls(_ice_chars(random(UFRAG_BYTES)), _ice_chars(random(PASSWORD_BYTES)))

    def for_session(self, session: str) -> Credentials:
        """The credentials of one introduction."""
        digest = hmac.digest(self.key, session.encode("ascii"), sha256)
        return Credentials(self.ufrag + session, _ice_chars(digest[:PASSWORD_BYTES]))

    @property
    def key(self) -> bytes:
        """The key of MESSAGE-INTEGRITY for what is sent *to* this side (RFC 8445 section 7.2.2)."""
        return self.pwd.encode("ascii")

    def __repr__(self) -> str:
        return f"Credentials(ufrag={self.ufrag!r}, pwd=...)"


def _ice_chars(data: bytes) -> str:
    return b64encode(data).decode("ascii").rstrip("=")
