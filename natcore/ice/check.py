"""Connectivity checks as messages (RFC 8445 section 7): built here, and taken apart here.

A check is a STUN Binding request::

    USERNAME            their-ufrag:our-ufrag
    PRIORITY            of the peer-reflexive candidate that this check may reveal
    ICE-CONTROLLING or ICE-CONTROLLED, with our tie-breaker
    USE-CANDIDATE       when it nominates
    MESSAGE-INTEGRITY   keyed with *their* password
    FINGERPRINT

Nothing in here remembers anything. What does not fit or is not authentic is None to the agent.
"""

from __future__ import annotations

from dataclasses import dataclass

from natcore import stun
from natcore.address import TransportAddress
from natcore.ice.candidate import CandidateType, LocalCandidate, priority_of
from natcore.ice.credentials import Credentials

ROLE_CONFLICT = 487
"""RFC 8445 section 7.3.1.1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingCheck:
    """An authentic check of the peer's.

    Attributes:
        message: the request, for building its response.
        priority: of the peer-reflexive candidate that it may reveal.
        is_from_controlling: the role that its sender believes to have.
        tie_breaker: the sender's.
        nominates: whether it carries USE-CANDIDATE.
    """

    message: stun.ReceivedMessage
    priority: int
    is_from_controlling: bool
    tie_breaker: int
    nominates: bool


def build_check(
    *,
    transaction_id: stun.TransactionId,
    local: Credentials,
    remote: Credentials,
    candidate: LocalCandidate,
    is_controlling: bool,
    tie_breaker: int,
    nominates: bool,
) -> bytes:
    """The bytes of a check that is sent from ``candidate``'s base."""
    role = stun.IceControlling(tie_breaker) if is_controlling else stun.IceControlled(tie_breaker)
    attributes: list[stun.Attribute] = [
        stun.Username(f"{remote.ufrag}:{local.ufrag}"),
        stun.Priority(priority_of(CandidateType.PEER_REFLEXIVE, local_preference=candidate.local_preference)),
        role,
    ]
    if nominates:
        attributes.append(stun.UseCandidate())
    message = stun.Message(
        method=stun.Method.BINDING,
        message_class=stun.MessageClass.REQUEST,
        transaction_id=transaction_id,
        attributes=tuple(attributes),
    )
    return message.encode(key=remote.key, fingerprint=True)


def read_check(
    message: stun.ReceivedMessage, *, local: Credentials, remote: Credentials
) -> IncomingCheck | None:
    """A request of the peer's, or None where it is not an authentic check of this session.

    Deviation from RFC 8489 section 9.1.3: a request that is not authentic is dropped and not answered with
    an error, so that whoever scans for us learns nothing and nobody can be made a reflector's victim.
    """
    username = message.get(stun.Username)
    priority = message.get(stun.Priority)
    controlling = message.get(stun.IceControlling)
    role = controlling or message.get(stun.IceControlled)
    if username is None or priority is None or role is None or message.unknown_required:
        return None
    if username.value != f"{local.ufrag}:{remote.ufrag}" or not message.is_authentic(local.key):
        return None
    return IncomingCheck(
        message=message,
        priority=priority.value,
        is_from_controlling=controlling is not None,
        tie_breaker=role.tie_breaker,
        nominates=message.get(stun.UseCandidate) is not None,
    )


def build_success(request: stun.Message, source: TransportAddress, *, local: Credentials) -> bytes:
    """The answer to a check: where we saw it come from (RFC 8445 section 7.3)."""
    return _response(request, stun.MessageClass.SUCCESS_RESPONSE, stun.XorMappedAddress(source), local)


def build_role_conflict(request: stun.Message, *, local: Credentials) -> bytes:
    """The answer to a check whose sender must switch its role (RFC 8445 section 7.3.1.1)."""
    return _response(
        request, stun.MessageClass.ERROR_RESPONSE, stun.ErrorCode(ROLE_CONFLICT, "Role Conflict"), local
    )


def _response(
    request: stun.Message,
    message_class: stun.MessageClass,
    attribute: stun.Attribute,
    local: Credentials,
) -> bytes:
    message = stun.Message(
        method=stun.Method.BINDING,
        message_class=message_class,
        transaction_id=request.transaction_id,
        attributes=(attribute,),
    )
    return message.encode(key=local.key, fingerprint=True)
