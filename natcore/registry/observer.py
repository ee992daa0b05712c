"""The UDP half of the registry: which datagrams show where a client is.

An *Awake request* is a STUN Binding request with the USERNAME of a session, message integrity by that
session's key, and an AWAKE-SEQUENCE. The datagram's source address then is the client's: the only thing on
this port that changes anything. Whatever else comes leaves a number in the counters and nothing more, so
strangers cannot fill the memory however many addresses they write from.

=================================  ==============================  =================
datagram                           answer                          counted as
=================================  ==============================  =================
not STUN, damaged                  none                            undecodable
Binding request of classic STUN    success (RFC 5389 section 12.2) bindings
not a Binding request              none                            unexpected
Binding request, no USERNAME       success (RFC 8489 section 12)   bindings
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

from collections.abc import Mapping
from dataclasses import dataclass

from natcore.address import TransportAddress
from natcore.errors import DecodeError
from natcore.registry.client import Client, Observation
from natcore.registry.counters import Counters
from natcore.stun import (
    AwakeSequence,
    Message,
    MessageClass,
    Method,
    ReceivedMessage,
    Username,
    answer_binding_request,
    answer_classic_request,
    error_response,
    not_understood,
    short_term_key,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one datagram leads to.

    Attributes:
        response: what to answer its source, or None.
        client: whose address its source is now, or None if it proves nothing new.
    """

    response: bytes | None = None
    client: Client | None = None


_NOTHING = Finding()


class Observer:
    """Examines datagrams against the sessions there are; remembers one observation a session."""

    def __init__(self, sessions: Mapping[str, Client], counters: Counters) -> None:
        self._sessions = sessions
        self._counters = counters

    def examine(self, data: bytes, source: TransportAddress) -> Finding:
        """Judges one datagram; never raises, whatever the bytes are."""
        try:
            request = Message.decode(data)
        except DecodeError:
            return self._examine_classic(data, source)
        is_request = (request.method, request.message_class) == (Method.BINDING, MessageClass.REQUEST)
        if not is_request or source.port == 0:  # nobody can be answered, or reached, at port 0
            self._counters.unexpected_datagrams += 1
            return _NOTHING
        username = request.get(Username)
        if username is None:
            self._counters.bindings += 1
            return Finding(response=answer_binding_request(request, source))
        client = self._sessions.get(username.value)
        if client is None:
            self._counters.unknown_sessions += 1
            return _unauthenticated(request)
        return self._authenticate(client, request, source)

    def _examine_classic(self, data: bytes, source: TransportAddress) -> Finding:
        answer = answer_classic_request(data, source) if source.port else None
        if answer is None:
            self._counters.undecodable_datagrams += 1
            return _NOTHING
        self._counters.bindings += 1
        return Finding(response=answer)

    def _authenticate(self, client: Client, request: ReceivedMessage, source: TransportAddress) -> Finding:
        key = short_term_key(client.key)
        if not request.is_authentic(key):
            self._counters.forged_awakes += 1
            return _unauthenticated(request)
        if not_understood(request):
            self._counters.unexpected_datagrams += 1
            return Finding(response=answer_binding_request(request, source, key=key))  # a 420
        sequence = request.get(AwakeSequence)
        if sequence is None:
            self._counters.unexpected_datagrams += 1
            return Finding(response=error_response(request, 400, "Bad Request", key))
        observation = Observation(sequence=sequence.value, transaction=request.transaction_id, source=source)
        last = client.observation
        if last == observation:
            self._counters.retransmissions += 1
            return Finding(response=answer_binding_request(request, source, key=key))
        if last is not None and sequence.value <= last.sequence:
            self._counters.replayed_awakes += 1
            return _NOTHING
        self._counters.awakes += 1
        client.observation = observation
        return Finding(response=answer_binding_request(request, source, key=key), client=client)


def _unauthenticated(request: ReceivedMessage) -> Finding:
    """A 401, unless it were larger than the request: that would amplify what a forged source asks for."""
    response = error_response(request, 401, "Unauthenticated")
    return Finding(response=response) if len(response) <= len(request.raw) else _NOTHING
