"""The Binding request that every question of discovery is."""

from __future__ import annotations

from natcore import stun
from natcore.agent import RandomBytes

SOFTWARE = stun.Software("nat-traversal-toolkit")
"""Says who asks, and makes requests long enough for their answers: a server that answers from elsewhere may
not send more than it got."""


def binding_request(random: RandomBytes, *attributes: stun.Attribute) -> tuple[stun.TransactionId, bytes]:
    """A request with a fresh transaction id and these attributes, and that id."""
    transaction = stun.TransactionId(random(stun.TRANSACTION_ID_SIZE))
    request = stun.Message(
        method=stun.Method.BINDING,
        message_class=stun.MessageClass.REQUEST,
        transaction_id=transaction,
        attributes=attributes,
    )
    return transaction, request.encode(fingerprint=True)
