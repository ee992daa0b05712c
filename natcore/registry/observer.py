"""The UDP half of the registry: which datagrams show where a client is.

An *Awake request* is a STUN Binding request with the USERNAME of a session, message integrity by that
session's key, and an AWAKE-SEQUENCE. The datagram's source address then is the client's: the only thing on
this port that changes anything. Whatever else comes leaves a number in the counters and nothing more, so
strangers cannot fill the memory however many addresses they write from.

=================================  ==============================  =================
datagram                           answer                          counted as
=================================  ==============================  =================
not STUN, damaged                  none                            undecodable
Binding request of classic STUN    see natcore.registry.reflection          bindings
of two servers' own method         see natcore.registry.reflection link_messages
a client's control message         none                            copies
one not believed                   none                            discarded_copies
not a Binding request              none                            unexpected
Binding request, no USERNAME       see natcore.registry.reflection          bindings
USERNAME of no session             401 if not larger               unknown_sessions
integrity missing or wrong         401 if not larger               forged_awakes
an attribute that we must know     420, signed                     unexpected
no AWAKE-SEQUENCE                  400, signed                     unexpected
sequence above the last one        success, signed                 awakes
same request from the same source  success, signed                 retransmissions
any other sequence                 none                            replayed_awakes
=================================  ==============================  =================

A replay stays unanswered: the answer, signed, would pass off the replayer's address as the client's.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from natcore.address import TransportAddress
from natcore.control.messages import Connect
from natcore.errors import DecodeError
from natcore.registry.client import Client, Observation
from natcore.registry.counters import Counters
from natcore.registry.reflection import Answer, Arrival, Reflector
from natcore.stun import (
    TOKEN_SIZE,
    AddressToken,
    AwakeSequence,
    ClassicRequest,
    Message,
    MessageClass,
    Method,
    ReceivedMessage,
    Username,
    XorMappedAddress,
    answer_binding_request,
    error_response,
    not_understood,
    short_term_key,
    success_response,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one datagram leads to.

    Attributes:
        answer: what to send, or None.
        client: whose address its source is now, or None if it proves nothing new.
        is_news: whether that source, or whether it is proven, differs from what the last one showed.
        wish: what a client said, and who.
    """

    answer: Answer | None = None
    client: Client | None = None
    is_news: bool = False
    wish: tuple[Client, Connect] | None = None


_NOTHING = Finding()


class Observer:
    """Examines datagrams against the sessions there are; remembers one observation a session."""

    def __init__(
        self, sessions: Mapping[str, Client], reflector: Reflector, counters: Counters, *, secret: bytes
    ) -> None:
        self._secret = secret
        self._sessions = sessions
        self._reflector = reflector
        self._counters = counters

    def examine(self, data: bytes, arrival: Arrival, now: float) -> Finding:
        """Judges one datagram; never raises, whatever the bytes are. ``now`` is in seconds."""
        try:
            request = Message.decode(data)
        except DecodeError:
            return self._examine_classic(data, arrival, now)
        if request.method is Method.SERVER_LINK:
            return Finding(answer=self._reflector.receive_link(request, arrival, now))
        if request.method is Method.CONTROL:
            return self._receive_copy(request)
        is_request = (request.method, request.message_class) == (Method.BINDING, MessageClass.REQUEST)
        if not is_request or arrival.source.port == 0:  # nobody can be answered, or reached, at port 0
            self._counters.unexpected_datagrams += 1
            return _NOTHING
        username = request.get(Username)
        if username is None:
            return Finding(answer=self._reflector.answer(request, arrival, now))
        client = self._sessions.get(username.value)
        if client is None:
            self._counters.unknown_sessions += 1
            return _unauthenticated(request, arrival)
        return self._authenticate(client, request, arrival)

    def _receive_copy(self, datagram: ReceivedMessage) -> Finding:
        """A control message. Where it came from proves nothing and changes nothing."""
        username = datagram.get(Username)
        client = None if username is None else self._sessions.get(username.value)
        message = None if client is None else client.copies.receive(datagram)
        if client is None or message is None:
            self._counters.discarded_copies += 1
            return _NOTHING
        self._counters.copies += 1
        return Finding(wish=(client, message))

    def _examine_classic(self, data: bytes, arrival: Arrival, now: float) -> Finding:
        request = ClassicRequest.decode(data) if arrival.source.port else None
        if request is None:
            self._counters.undecodable_datagrams += 1
            return _NOTHING
        return Finding(answer=self._reflector.answer_classic(request, arrival, now))

    def _authenticate(self, client: Client, request: ReceivedMessage, arrival: Arrival) -> Finding:
        key = short_term_key(client.key)
        if not request.is_authentic(key):
            self._counters.forged_awakes += 1
            return _unauthenticated(request, arrival)
        if not_understood(request):
            self._counters.unexpected_datagrams += 1
            return Finding(answer=_signed(request, arrival, key))  # a 420
        sequence = request.get(AwakeSequence)
        if sequence is None:
            self._counters.unexpected_datagrams += 1
            return Finding(answer=arrival.back(error_response(request, 400, "Bad Request", key)))
        token = AddressToken(self._token_of(arrival.source))
        observation = Observation(
            sequence=sequence.value,
            transaction=request.transaction_id,
            source=arrival.source,
            is_proven=request.get(AddressToken) == token,
            local=arrival.local,
        )
        last = client.observation
        if last == observation:
            self._counters.retransmissions += 1
            return Finding(answer=_observed(request, arrival, key, token))
        if last is not None and sequence.value <= last.sequence:
            self._counters.replayed_awakes += 1
            return _NOTHING
        self._counters.awakes += 1
        client.observation = observation
        is_news = last is None or (last.source, last.is_proven) != (arrival.source, observation.is_proven)
        return Finding(answer=_observed(request, arrival, key, token), client=client, is_news=is_news)

    def _token_of(self, source: TransportAddress) -> bytes:
        return hmac.digest(self._secret, str(source).encode(), "sha256")[:TOKEN_SIZE]


def _observed(request: ReceivedMessage, arrival: Arrival, key: bytes, token: AddressToken) -> Answer:
    return arrival.back(success_response(request, (XorMappedAddress(arrival.source), token), key))


def _signed(request: ReceivedMessage, arrival: Arrival, key: bytes) -> Answer | None:
    data = answer_binding_request(request, arrival.source, key=key)
    return None if data is None else arrival.back(data)


def _unauthenticated(request: ReceivedMessage, arrival: Arrival) -> Finding:
    """A 401, unless it were larger than the request: that would amplify what a forged source asks for."""
    response = error_response(request, 401, "Unauthenticated")
    return Finding(answer=arrival.back(response)) if len(response) <= len(request.raw) else _NOTHING
