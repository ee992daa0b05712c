"""The answers of a STUN server, as pure functions of a request and of where it came from (RFC 8489 6.3).

What behaviour discovery adds to the answers that strangers get is in :mod:`natcore.registry.reflection`.

What a stranger's forged source address can make us send to a victim is bounded. A plain success response is
as small as it gets, 32 bytes for IPv4: against a bare 20-byte request that is 60 bytes for 48 with the IP and
UDP headers, a factor of 1.25, and the one answer that may be larger than its request (IPv6: 92 for 68, 1.35).
A 420 goes without a reason phrase, and so outgrows its request by those 12 bytes at most, too.

The answer to classic clients, whose messages have no magic cookie, is in :mod:`natcore.stun.classic`.
"""

from __future__ import annotations

from natcore.address import TransportAddress
from natcore.errors import MisuseError
from natcore.stun.attributes.attribute import Attribute
from natcore.stun.attributes.behavior import ChangeRequest, Padding, ResponsePort
from natcore.stun.attributes.stun import ErrorCode, UnknownAttributes, XorMappedAddress
from natcore.stun.header import MessageClass, Method
from natcore.stun.integrity import IntegrityAlgorithm
from natcore.stun.message import Message, ReceivedMessage

UNKNOWN_ATTRIBUTE_CODE = 420
"""The error code for comprehension-required attributes that the server does not know (section 14.8)."""

_NOT_UNDERSTOOD = (ChangeRequest, ResponsePort, Padding)
"""Comprehension-required attributes of RFC 5780 that decode, but that are not obeyed where a request proves
who sent it: what its answer proves is the way that it came. Who ignores CHANGE-REQUEST makes a client believe
in a NAT that filters nothing; a 420 tells the truth."""

_ASKS_NOTHING = ChangeRequest()
"""With neither flag it asks for an answer from where the request went (RFC 5780 section 6.1)."""


def answer_binding_request(
    request: ReceivedMessage, source: TransportAddress, *, key: bytes | None = None
) -> bytes | None:
    """The datagram that answers a Binding request, or None where there is none to send.

    Whether the request is authentic has been decided before.

    Args:
        request: any decoded message; only a Binding request has an answer.
        source: where the request's datagram came from, as the socket saw it.
        key: signs the answer, with the algorithm that the request was signed with; None leaves it unsigned.
    """
    if request.method is not Method.BINDING or request.message_class is not MessageClass.REQUEST:
        return None
    unknown = not_understood(request)
    if unknown:
        return unknown_attributes_response(request, unknown, key)
    return success_response(request, (XorMappedAddress(source),), key)


def success_response(
    request: ReceivedMessage, attributes: tuple[Attribute, ...], key: bytes | None = None
) -> bytes:
    """A success response; a FINGERPRINT is added if the request had one.

    Nothing bounds its size, as in :func:`error_response`.

    Args:
        request: what is answered.
        attributes: what it carries, in wire order.
        key: signs the answer, with the algorithm that the request was signed with; None leaves it unsigned.
    """
    return _respond(request, MessageClass.SUCCESS_RESPONSE, attributes, key)


def unknown_attributes_response(
    request: ReceivedMessage, types: tuple[int, ...], key: bytes | None = None
) -> bytes:
    """A 420 without a reason phrase, which names what was not understood (section 6.3.1).

    Args:
        request: what is refused.
        types: of its attributes, at least one.
        key: signs the answer, with the algorithm that the request was signed with; None leaves it unsigned.
    """
    attributes = (ErrorCode(UNKNOWN_ATTRIBUTE_CODE, ""), UnknownAttributes(types))
    return _respond(request, MessageClass.ERROR_RESPONSE, attributes, key)


def error_response(request: ReceivedMessage, code: int, reason: str, key: bytes | None = None) -> bytes:
    """An error response; a FINGERPRINT is added if the request had one.

    Nothing bounds its size: compare with ``len(request.raw)`` before sending to an unproven address.

    Args:
        request: what is refused.
        code: 300 to 699.
        reason: at most 763 bytes of UTF-8, for people.
        key: signs the answer, with the algorithm that the request was signed with; None leaves it unsigned.

    Raises:
        MisuseError: code or reason is out of range, or ``request`` is no request.
    """
    if request.message_class is not MessageClass.REQUEST:
        raise MisuseError(f"error response: got a {request.message_class.name} to answer, expected a REQUEST")
    return _respond(request, MessageClass.ERROR_RESPONSE, (ErrorCode(code, reason),), key)


def not_understood(request: ReceivedMessage) -> tuple[int, ...]:
    """The types of the attributes for which a request gets a 420: unknown ones, and what we cannot obey."""
    undoable = tuple(kind.TYPE for kind in _NOT_UNDERSTOOD if request.get(kind) not in (None, _ASKS_NOTHING))
    return request.unknown_required + undoable


def _respond(
    request: ReceivedMessage,
    message_class: MessageClass,
    attributes: tuple[Attribute, ...],
    key: bytes | None,
) -> bytes:
    response = Message(
        method=request.method,
        message_class=message_class,
        transaction_id=request.transaction_id,
        attributes=attributes,
    )
    algorithm = IntegrityAlgorithm.SHA1 if request.integrity is None else request.integrity.algorithm
    return response.encode(key=key, algorithm=algorithm, fingerprint=request.has_fingerprint)
