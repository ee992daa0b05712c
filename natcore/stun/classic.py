"""Binding requests of classic STUN (RFC 3489), which old clients, Debian's ``stun`` among them, still send.

Such a request is one of ours but for four bytes: where the magic cookie stands, it has the first quarter of a
longer transaction id, which the answer repeats. Addresses go back in the clear.

A request that wants what we cannot give stays unanswered. Deviation: RFC 5389 section 12.2 answers with 420,
but the clients that ask so take any answer for the one that they hoped for, and would then report that there
is no NAT. RESPONSE-ADDRESS is never obeyed: it names a third party.

Only for a port that STUN has for itself: without the cookie nothing tells it from other protocols.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from natcore.errors import DecodeError
from natcore.stun.attributes.attribute import COMPREHENSION_OPTIONAL, Attribute, type_of
from natcore.stun.attributes.behavior import ChangeRequest
from natcore.stun.attributes.shapes import AddressAttribute
from natcore.stun.header import COOKIE_BYTES, MessageClass, Method
from natcore.stun.message import Message, ReceivedMessage

_COOKIE = slice(4, 8)
"""Where the two protocols differ."""


@dataclass(frozen=True, slots=True)
class SourceAddress(AddressAttribute):
    """SOURCE-ADDRESS (RFC 3489 section 11.2.5): where the response was sent from."""

    TYPE: ClassVar[int] = 0x0004
    NAME: ClassVar[str] = "SOURCE-ADDRESS"


@dataclass(frozen=True, slots=True)
class ChangedAddress(AddressAttribute):
    """CHANGED-ADDRESS (RFC 3489 section 11.2.3): the server's other IP address and port."""

    TYPE: ClassVar[int] = 0x0005
    NAME: ClassVar[str] = "CHANGED-ADDRESS"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassicRequest:
    """A classic Binding request that can be served.

    Attributes:
        message: what it would be with the cookie.
        cookie: the 4 bytes that it has instead.
    """

    message: ReceivedMessage
    cookie: bytes

    @classmethod
    def decode(cls, data: bytes) -> Self | None:
        """Reads a datagram that did not decode as STUN; None if it is no request that we serve."""
        cookie = data[_COOKIE]
        if cookie == COOKIE_BYTES:
            return None
        try:
            message = Message.decode(_with_cookie(data, COOKIE_BYTES))
        except DecodeError:
            return None
        is_request = (message.method, message.message_class) == (Method.BINDING, MessageClass.REQUEST)
        if not is_request or message.has_integrity or not all(map(_is_served, message.attributes)):
            return None
        return cls(message=message, cookie=cookie)

    @property
    def change(self) -> ChangeRequest:
        """From where it wants its answer. Old clients ask this in every request, even for no change."""
        return self.message.get(ChangeRequest) or ChangeRequest()

    def response(self, attributes: tuple[Attribute, ...]) -> bytes:
        """The success response that carries these attributes; its size is not bounded here."""
        answer = Message(
            method=Method.BINDING,
            message_class=MessageClass.SUCCESS_RESPONSE,
            transaction_id=self.message.transaction_id,
            attributes=attributes,
        )
        return _with_cookie(answer.encode(), self.cookie)


def _is_served(attribute: Attribute) -> bool:
    return type_of(attribute) >= COMPREHENSION_OPTIONAL or isinstance(attribute, ChangeRequest)


def _with_cookie(message: bytes, cookie: bytes) -> bytes:
    return message[: _COOKIE.start] + cookie + message[_COOKIE.stop :]
