"""Every exception that natcore can raise, and the roots that the other rooms build on.

::

    NatTraversalError
    +-- MisuseError                  the owner called an object in a wrong state or with a wrong value
    +-- ProtocolError                the remote side broke a protocol
    |   +-- DecodeError              bytes that are not what they should be (also: ValueError)
    +-- RendezvousError              what the server (or its client) says to an operator
    +-- PeerError                    what the peer library says to its user

A transaction that nobody answers, and a peer to whom there is no path, are no exceptions here but events: an
agent tells them to its owner. The peer library turns them into exceptions of its own.

Fields come first and the text is built from them. What a *peer* sends never raises out of an agent: a
:class:`DecodeError` is caught there and counted. ``netlab`` has its own root, ``netlab.errors.LabError``,
because it shares no code with what it tests.
"""

from __future__ import annotations


class NatTraversalError(Exception):
    """Root of everything that this toolkit raises on purpose."""


class MisuseError(NatTraversalError):
    """The owner of an object used it in a way that it does not allow; the object is unchanged."""


class ProtocolError(NatTraversalError):
    """The remote side did something that its protocol does not allow."""


class DecodeError(ProtocolError, ValueError):
    """Bytes or text that do not decode.

    Attributes:
        what: what was being decoded, for example ``"STUN header"``.
        got: what was found, in words, with its unit.
        expected: what would have been right, or None where ``got`` says it all.
    """

    def __init__(self, what: str, *, got: str, expected: str | None = None) -> None:
        self.what = what
        self.got = got
        self.expected = expected
        super().__init__(what, got, expected)

    def __str__(self) -> str:
        text = f"{self.what}: got {self.got}"
        return text if self.expected is None else f"{text}, expected {self.expected}"


class RendezvousError(NatTraversalError):
    """Root of what the rendezvous server says to its operator."""


class PeerError(NatTraversalError):
    """Root of what the peer library says to its user."""
