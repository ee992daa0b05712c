"""The table of attributes that we know, by type: the only place that a new one must be entered."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from natcore.errors import DecodeError
from natcore.stun.attributes import alternate_port, awake, behavior, control, ice, server_link, stun, turn
from natcore.stun.attributes.attribute import Attribute, InvalidAttribute, UnknownAttribute
from natcore.stun.header import TransactionId

_KNOWN: tuple[type[Attribute], ...] = (
    # RFC 8489
    stun.MappedAddress,
    stun.Username,
    stun.ErrorCode,
    stun.UnknownAttributes,
    stun.Realm,
    stun.Nonce,
    stun.PasswordAlgorithm,
    stun.UserHash,
    stun.XorMappedAddress,
    stun.PasswordAlgorithms,
    stun.AlternateDomain,
    stun.Software,
    stun.AlternateServer,
    # RFC 5780
    behavior.ChangeRequest,
    behavior.Padding,
    behavior.ResponsePort,
    behavior.ResponseOrigin,
    behavior.OtherAddress,
    # RFC 8445
    ice.Priority,
    ice.UseCandidate,
    ice.IceControlled,
    ice.IceControlling,
    # RFC 8656
    turn.ChannelNumber,
    turn.Lifetime,
    turn.XorPeerAddress,
    turn.Data,
    turn.XorRelayedAddress,
    turn.RequestedAddressFamily,
    turn.EvenPort,
    turn.RequestedTransport,
    turn.DontFragment,
    turn.ReservationToken,
    turn.AdditionalAddressFamily,
    turn.AddressErrorCode,
    turn.Icmp,
    # ours
    awake.AwakeSequence,
    awake.AddressToken,
    alternate_port.AlternatePort,
    server_link.ServerLink,
    control.ControlSequence,
)

ATTRIBUTES: Mapping[int, type[Attribute]] = MappingProxyType({kind.TYPE: kind for kind in _KNOWN})
"""Attribute classes by the type number on the wire."""


def decode_attribute(attribute_type: int, value: bytes, transaction_id: TransactionId) -> Attribute:
    """Decodes one value by the table; a type that is not in it becomes an :class:`UnknownAttribute`.

    Raises:
        DecodeError: the value is not what its type demands.
    """
    kind = ATTRIBUTES.get(attribute_type)
    if kind is None:
        return UnknownAttribute(attribute_type, value)
    try:
        return kind.decode_value(value, transaction_id)
    except InvalidAttribute as refusal:
        raise DecodeError(refusal.what, got=refusal.got, expected=refusal.expected) from refusal
