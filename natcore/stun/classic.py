"""The answer to a Binding request of classic STUN (RFC 3489), as RFC 5389 section 12.2 has a server give it.

Such a request is one of ours but for four bytes: where the magic cookie stands, it has the first quarter of a
longer transaction id, which the answer repeats. The address goes back in the clear, in MAPPED-ADDRESS. Old
clients, Debian's ``stun`` among them, still ask like that.

A request that wants more than this stays unanswered. Deviation: section 12.2 answers CHANGE-REQUEST and
RESPONSE-ADDRESS with 420, but the clients that send them take any answer for the one that they hoped for, and
would then report that there is no NAT.

Only for a port that STUN has for itself: without the cookie nothing tells it from other protocols.
"""

from __future__ import annotations

from natcore.address import TransportAddress
from natcore.errors import DecodeError
from natcore.stun.attributes.attribute import COMPREHENSION_OPTIONAL, Attribute, type_of
from natcore.stun.attributes.behavior import ChangeRequest
from natcore.stun.attributes.stun import MappedAddress
from natcore.stun.header import COOKIE_BYTES, MessageClass, Method
from natcore.stun.message import Message

_COOKIE = slice(4, 8)
"""Where the two protocols differ."""


def answer_classic_request(data: bytes, source: TransportAddress) -> bytes | None:
    """The datagram that answers a classic Binding request, or None if ``data`` is none that we can serve.

    It has 32 bytes (IPv6: 44) for a request of at least 20, as in :mod:`natcore.stun.server`.

    Args:
        data: a datagram that did not decode as STUN.
        source: where it came from, as the socket saw it.
    """
    if data[_COOKIE] == COOKIE_BYTES:
        return None
    try:
        request = Message.decode(_with_cookie(data, COOKIE_BYTES))
    except DecodeError:
        return None
    is_request = (request.method, request.message_class) == (Method.BINDING, MessageClass.REQUEST)
    if not is_request or request.has_integrity or not all(map(_can_be_served, request.attributes)):
        return None
    answer = Message(
        method=Method.BINDING,
        message_class=MessageClass.SUCCESS_RESPONSE,
        transaction_id=request.transaction_id,
        attributes=(MappedAddress(source),),
    )
    return _with_cookie(answer.encode(), data[_COOKIE])


def _can_be_served(attribute: Attribute) -> bool:
    # Old clients put a CHANGE-REQUEST into every request, and one that asks for no change is no obstacle.
    return type_of(attribute) >= COMPREHENSION_OPTIONAL or attribute == ChangeRequest()


def _with_cookie(message: bytes, cookie: bytes) -> bytes:
    return message[: _COOKIE.start] + cookie + message[_COOKIE.stop :]
