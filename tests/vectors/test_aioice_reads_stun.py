"""A third party reads what we write, and we read what it writes: aioice, an independent ICE agent."""

from __future__ import annotations

from aioice import stun as aioice_stun

from natcore.address import TransportAddress
from natcore.stun import (
    IceControlling,
    Message,
    MessageClass,
    Method,
    Priority,
    TransactionId,
    UseCandidate,
    Username,
    XorMappedAddress,
    answer_binding_request,
    short_term_key,
)

TRANSACTION_ID = TransactionId(b"0123456789ab")
KEY = short_term_key("VOkJxbRl1RmTxUk/WvJxBt")
SOURCES = [
    TransportAddress.parse("203.0.113.7:40001"),
    TransportAddress.parse("[2001:db8:1234:5678:11:2233:4455:6677]:40001"),
]


def a_check() -> Message:
    return Message(
        method=Method.BINDING,
        message_class=MessageClass.REQUEST,
        transaction_id=TRANSACTION_ID,
        attributes=(Username("anna:elsa"), Priority(0x6E0001FF), IceControlling(2**63), UseCandidate()),
    )


def test_aioice_reads_our_connectivity_check() -> None:
    data = a_check().encode(key=KEY, fingerprint=True)
    theirs = aioice_stun.parse_message(data)
    assert theirs.check_message_integrity(KEY)
    assert theirs.transaction_id == TRANSACTION_ID
    assert theirs.attributes["USERNAME"] == "anna:elsa"
    assert theirs.attributes["PRIORITY"] == 0x6E0001FF
    assert theirs.attributes["ICE-CONTROLLING"] == 2**63
    assert "USE-CANDIDATE" in theirs.attributes


def test_we_read_the_connectivity_check_of_aioice() -> None:
    theirs = aioice_stun.Message(
        message_method=aioice_stun.Method.BINDING,
        message_class=aioice_stun.Class.REQUEST,
        transaction_id=TRANSACTION_ID,
    )
    theirs.attributes["USERNAME"] = "anna:elsa"
    theirs.attributes["PRIORITY"] = 0x6E0001FF
    theirs.attributes["ICE-CONTROLLING"] = 2**63
    theirs.attributes["USE-CANDIDATE"] = None
    theirs.add_message_integrity(KEY)
    received = Message.decode(bytes(theirs))
    assert received.attributes == a_check().attributes
    assert received.is_authentic(KEY)
    assert received.has_fingerprint


def test_aioice_reads_our_answer_for_both_address_families() -> None:
    request = Message.decode(a_check().encode(key=KEY, fingerprint=True))
    for source in SOURCES:
        answer = answer_binding_request(request, source, key=KEY)
        assert answer is not None
        theirs = aioice_stun.parse_message(answer)
        assert theirs.check_message_integrity(KEY)
        assert theirs.message_class is aioice_stun.Class.RESPONSE
        assert theirs.attributes["XOR-MAPPED-ADDRESS"] == source.to_sockaddr()
        assert Message.decode(answer).get(XorMappedAddress) == XorMappedAddress(source)
