"""The answers to Binding requests of strangers: what is in them, where they go, from where (RFC 5780).

An answer is *reflected* when it does not simply go back: CHANGE-REQUEST has it come from another endpoint of
ours, RESPONSE-PORT has it go to another port of the same host. Never to another host. Who forges a source
address could have us send those to somebody; so a reflected answer carries XOR-MAPPED-ADDRESS, and
RESPONSE-ORIGIN, OTHER-ADDRESS and whatever else only as far as it does not outgrow the request. The least
that there is, 32 bytes for a request of 28, is 60 bytes for 56 with the headers of IP and UDP (IPv6: 92 for
76); a client that pads its request by 4 bytes (16) gets no more than it sent.

An answer that simply goes back has all that RFC 5780 section 6.1 asks for: with two addresses 68 bytes (IPv6:
116) against a bare request of 20, with the headers a factor of 2 (2.41); with one address 44 (68), which is
1.5 (1.71). That is the worst: errors have no reason phrases, and PADDING never fills an answer beyond its
request.

=======================================  ==========================================================
request                                  answer
=======================================  ==========================================================
an unknown attribute below 0x8000        420
CHANGE-REQUEST for an endpoint we lack   420
RESPONSE-PORT of 0                       400
RESPONSE-PORT together with PADDING      400 (RFC 5780 section 7.6)
anything else                            success, from the endpoint and to the port that were asked for
=======================================  ==========================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from natcore.address import TransportAddress
from natcore.registry.reflection.offer import Offer
from natcore.stun import (
    MAX_MESSAGE_SIZE,
    AlternatePort,
    Attribute,
    ChangedAddress,
    ChangeRequest,
    ClassicRequest,
    MappedAddress,
    OtherAddress,
    Padding,
    ReceivedMessage,
    ResponseOrigin,
    ResponsePort,
    SourceAddress,
    XorMappedAddress,
    error_response,
    success_response,
    unknown_attributes_response,
)

_NO_CHANGE = ChangeRequest()
_ATTRIBUTE_HEADER_SIZE = 4
"""Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One datagram.

    Attributes:
        data: what it says.
        destination: where it goes; its address is always that of the request's source.
        origin: the endpoint of ours that it comes from.
        is_reflected: whether it is anything but a plain way back; then it must be allowed.
    """

    data: bytes
    destination: TransportAddress
    origin: TransportAddress
    is_reflected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Where a datagram came from, as the socket saw it, and the endpoint of ours that it came to."""

    source: TransportAddress
    local: TransportAddress

    def back(self, data: bytes) -> Answer:
        """The answer that goes back the way that the question came."""
        return Answer(data=data, destination=self.source, origin=self.local)


def answer_stranger(request: ReceivedMessage, arrival: Arrival, offer: Offer) -> Answer:
    """The answer to a Binding request that proves nothing.

    Args:
        request: a decoded Binding request.
        arrival: the way of its datagram.
        offer: what endpoints there are.
    """
    source, local = arrival.source, arrival.local
    change = request.get(ChangeRequest) or _NO_CHANGE
    origin = offer.origin(local, change)
    if origin is None or request.unknown_required:
        undoable = (ChangeRequest.TYPE,) if origin is None else ()
        return arrival.back(unknown_attributes_response(request, request.unknown_required + undoable))
    if _is_contradictory(request):
        return arrival.back(refuse(request, 400))
    port = request.get(ResponsePort)
    destination = source if port is None else TransportAddress(source.ip, port.port)
    is_reflected = (origin, destination) != (local, source)

    def encode(attributes: tuple[Attribute, ...]) -> bytes:
        return success_response(request, attributes)

    max_size = len(request.raw) if is_reflected else MAX_MESSAGE_SIZE
    attributes = _fitting(
        encode, (XorMappedAddress(source),), _discovery(request, arrival, origin, offer), max_size
    )
    if origin.ip not in offer.elsewhere:  # it travels in one datagram to the other server
        attributes += _padding(request, len(encode(attributes)))
    data = encode(attributes)
    return Answer(data=data, destination=destination, origin=origin, is_reflected=is_reflected)


def answer_classic(request: ClassicRequest, arrival: Arrival, offer: Offer) -> Answer | None:
    """The answer to a Binding request of RFC 3489, or None if it wants an endpoint that we lack.

    With one address the answer is MAPPED-ADDRESS alone, and no change is obeyed: what a classic client makes
    of half a discovery is wrong.
    """
    source, local = arrival.source, arrival.local
    other = offer.other(local)
    origin = offer.origin(local, request.change)
    if origin is None or (other is None and origin != local):
        return None
    is_reflected = origin != local
    optional = () if other is None else (SourceAddress(origin), ChangedAddress(other))
    max_size = len(request.message.raw) if is_reflected else MAX_MESSAGE_SIZE
    attributes = _fitting(request.response, (MappedAddress(source),), optional, max_size)
    return Answer(
        data=request.response(attributes), destination=source, origin=origin, is_reflected=is_reflected
    )


def refuse(request: ReceivedMessage, code: int = 500) -> bytes:
    """An error as small as there is, 28 bytes: not larger than a request that asks to be reflected."""
    return error_response(request, code, "")


def _is_contradictory(request: ReceivedMessage) -> bool:
    """Whether RESPONSE-PORT names no port, or is to get fragments (RFC 5780 section 7.6)."""
    port = request.get(ResponsePort)
    return port is not None and (port.port == 0 or request.get(Padding) is not None)


def _discovery(
    request: ReceivedMessage, arrival: Arrival, origin: TransportAddress, offer: Offer
) -> tuple[Attribute, ...]:
    """What behaviour discovery adds to an answer, the most important first."""
    local = arrival.local
    attributes: list[Attribute] = [ResponseOrigin(origin)]
    other = offer.other(local)
    # Deviation: coturn's natdiscovery, having asked the second address, goes where *that* answer's
    # OTHER-ADDRESS points, and not to the second address's other port (RFC 5780 section 4.3, test III).
    # Section 7.4 would send it back to the first address, and it would misjudge a mapping that depends on the
    # address alone. Without one it remembers the first answer's, as the RFC has it. Whoever speaks of changes
    # is not it.
    if other is not None and not (offer.is_second(local) and request.get(ChangeRequest) is None):
        attributes.append(OtherAddress(other))
    port = offer.other_port(local)
    if port is not None and request.get(AlternatePort) is not None:
        attributes.append(AlternatePort(port))
    if other is not None:
        attributes.append(MappedAddress(arrival.source))  # differs where something rewrites payloads
    return tuple(attributes)


def _fitting(
    encode: Callable[[tuple[Attribute, ...]], bytes],
    required: tuple[Attribute, ...],
    optional: tuple[Attribute, ...],
    max_size: int,
) -> tuple[Attribute, ...]:
    """The required attributes, and of the optional ones as many, from the first on, as there is room for.

    Args:
        encode: makes an answer of attributes.
        required: those that are there in any case.
        optional: the most important first.
        max_size: bytes of the answer.
    """
    while optional and len(encode(required + optional)) > max_size:
        optional = optional[:-1]
    return required + optional


def _padding(request: ReceivedMessage, size: int) -> tuple[Attribute, ...]:
    """PADDING for an answer of ``size`` bytes: as much as the request had, never beyond its whole size."""
    padding = request.get(Padding)
    room = len(request.raw) - size - _ATTRIBUTE_HEADER_SIZE
    return () if padding is None or room < 0 else (Padding(min(padding.length, room)),)
