from __future__ import annotations

import pytest

from natcore.address import TransportAddress
from natcore.stun import MAGIC_COOKIE, ChangeRequest, ClassicRequest, MappedAddress

SOURCE = TransportAddress.parse("203.0.113.7:40001")
TRANSACTION_ID = b"0123456789abcdef"
SUCCESS = bytes.fromhex("0101000c") + TRANSACTION_ID + bytes.fromhex("00010008 0001 9c41 cb007107")
NO_CHANGE = bytes.fromhex("00030004 00000000")


def request(attributes: bytes = b"", *, kind: int = 0x0001, transaction_id: bytes = TRANSACTION_ID) -> bytes:
    return kind.to_bytes(2, "big") + len(attributes).to_bytes(2, "big") + transaction_id + attributes


@pytest.mark.parametrize(
    "attributes",
    [b"", NO_CHANGE, bytes.fromhex("80220004 74657374")],
    ids=["nothing", "a change request that asks for no change", "an optional attribute"],
)
def test_a_classic_request_is_answered_with_its_own_transaction_id(attributes: bytes) -> None:
    classic = ClassicRequest.decode(request(attributes))
    assert classic is not None
    assert classic.change == ChangeRequest()
    assert classic.response((MappedAddress(SOURCE),)) == SUCCESS


@pytest.mark.parametrize(
    ("flags", "change"),
    [
        (2, ChangeRequest(change_port=True)),
        (4, ChangeRequest(change_ip=True)),
        (6, ChangeRequest(True, True)),
    ],
)
def test_what_it_wants_changed_is_read(flags: int, change: ChangeRequest) -> None:
    classic = ClassicRequest.decode(request(bytes.fromhex("00030004 000000") + bytes([flags])))
    assert classic is not None
    assert classic.change == change


@pytest.mark.parametrize(
    "attributes",
    [
        bytes.fromhex("00020008 0001 0050 c0000201"),
        bytes.fromhex("00060004 656c7361"),
        bytes.fromhex("00080014") + bytes(20),
        bytes.fromhex("7fff0000"),
    ],
    ids=["RESPONSE-ADDRESS", "USERNAME", "MESSAGE-INTEGRITY", "unknown"],
)
def test_a_request_that_wants_more_is_not_served(attributes: bytes) -> None:
    assert ClassicRequest.decode(request(attributes)) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        request()[:-1],
        request() + b"\0",
        request(NO_CHANGE[:-1]),
        request(kind=0x0002),
        request(kind=0x0101),
        request(kind=0x0003),
        request(transaction_id=MAGIC_COOKIE.to_bytes(4, "big") + bytes(12)),
    ],
)
def test_what_is_no_classic_binding_request_is_not_served(data: bytes) -> None:
    assert ClassicRequest.decode(data) is None
