from __future__ import annotations

import pytest

from natcore.address import TransportAddress
from natcore.errors import MisuseError
from natcore.stun import (
    Attribute,
    ChangeRequest,
    ErrorCode,
    IntegrityAlgorithm,
    Message,
    MessageClass,
    Method,
    Padding,
    ReceivedMessage,
    ResponsePort,
    Software,
    TransactionId,
    UnknownAttribute,
    UnknownAttributes,
    Username,
    XorMappedAddress,
    answer_binding_request,
    error_response,
)

TRANSACTION_ID = TransactionId(b"0123456789ab")
SOURCE = TransportAddress.parse("203.0.113.7:40001")
SOURCE6 = TransportAddress.parse("[2001:db8::7]:40001")
KEY = b"key"
ROOM = Software("x" * 64)  # makes a request longer than any answer here


def received(
    *attributes: Attribute,
    method: Method = Method.BINDING,
    message_class: MessageClass = MessageClass.REQUEST,
    key: bytes | None = None,
    algorithm: IntegrityAlgorithm = IntegrityAlgorithm.SHA1,
    fingerprint: bool = False,
) -> ReceivedMessage:
    message = Message(
        method=method, message_class=message_class, transaction_id=TRANSACTION_ID, attributes=attributes
    )
    return Message.decode(message.encode(key=key, algorithm=algorithm, fingerprint=fingerprint))


def answer_to(
    request: ReceivedMessage, source: TransportAddress = SOURCE, *, key: bytes | None = None
) -> ReceivedMessage:
    data = answer_binding_request(request, source, key=key)
    assert data is not None, "the request was not answered"
    return Message.decode(data)


@pytest.mark.parametrize(("source", "size"), [(SOURCE, 32), (SOURCE6, 44)])
def test_a_bare_request_learns_its_source_and_nothing_else(source: TransportAddress, size: int) -> None:
    answer = answer_to(received(), source)
    assert answer.message_class is MessageClass.SUCCESS_RESPONSE
    assert answer.method is Method.BINDING
    assert answer.transaction_id == TRANSACTION_ID
    assert answer.attributes == (XorMappedAddress(source),)
    assert len(answer.raw) == size


def test_the_answer_has_a_fingerprint_if_the_request_had_one() -> None:
    assert answer_to(received(fingerprint=True)).has_fingerprint
    assert not answer_to(received()).has_fingerprint


@pytest.mark.parametrize("algorithm", IntegrityAlgorithm)
def test_the_answer_is_signed_as_the_request_was_when_there_is_a_key(algorithm: IntegrityAlgorithm) -> None:
    request = received(Username("a"), key=KEY, algorithm=algorithm)
    signed = answer_to(request, key=KEY)
    assert signed.is_authentic(KEY)
    assert signed.integrity is not None
    assert signed.integrity.algorithm is algorithm
    assert not answer_to(request).has_integrity


@pytest.mark.parametrize(
    "message",
    [
        received(message_class=MessageClass.INDICATION),
        received(message_class=MessageClass.SUCCESS_RESPONSE),
        received(message_class=MessageClass.ERROR_RESPONSE),
        received(method=Method.ALLOCATE),
    ],
    ids=["indication", "success response", "error response", "allocate request"],
)
def test_only_a_binding_request_is_answered(message: ReceivedMessage) -> None:
    assert answer_binding_request(message, SOURCE) is None


def test_unknown_required_attributes_are_named_in_a_420() -> None:
    answer = answer_to(received(UnknownAttribute(0x7777, b""), ROOM, UnknownAttribute(0x0002, b"")))
    assert answer.message_class is MessageClass.ERROR_RESPONSE
    assert answer.attributes == (
        ErrorCode(420, ""),
        UnknownAttributes((0x7777, 0x0002)),
    )


def test_unknown_optional_attributes_are_ignored() -> None:
    answer = answer_to(received(UnknownAttribute(0x8888, b"abc")))
    assert answer.message_class is MessageClass.SUCCESS_RESPONSE


def test_a_change_request_that_asks_for_no_change_is_answered() -> None:
    answer = answer_to(received(ChangeRequest()))
    assert answer.message_class is MessageClass.SUCCESS_RESPONSE
    assert answer.attributes == (XorMappedAddress(SOURCE),)


@pytest.mark.parametrize(
    "attribute",
    [ChangeRequest(change_ip=True), ChangeRequest(change_port=True), ResponsePort(4000), Padding(64)],
)
def test_what_a_server_with_one_address_cannot_obey_is_refused_not_ignored(attribute: Attribute) -> None:
    answer = answer_to(received(attribute, ROOM))
    assert answer.get(UnknownAttributes) == UnknownAttributes((attribute.TYPE,))


@pytest.mark.parametrize("length", [0, 1, 4, 12, 500])
def test_a_420_outgrows_its_request_by_no_more_than_a_success_would(length: int) -> None:
    request = received(UnknownAttribute(0x7777, bytes(length)))
    assert len(answer_to(request).raw) <= len(request.raw) + 12


def test_no_answer_to_the_most_unknown_attributes_is_larger_than_the_request() -> None:
    request = received(*(UnknownAttribute(0x7000 + number, b"") for number in range(64)))
    assert len(answer_to(request).raw) <= len(request.raw)


def test_an_error_response_says_what_and_why() -> None:
    answer = Message.decode(error_response(received(), 401, "Unauthorized"))
    assert answer.message_class is MessageClass.ERROR_RESPONSE
    assert answer.transaction_id == TRANSACTION_ID
    assert answer.attributes == (ErrorCode(401, "Unauthorized"),)
    assert not answer.has_integrity


def test_an_error_response_is_signed_with_a_key() -> None:
    request = received(method=Method.REFRESH, key=KEY, fingerprint=True)
    answer = Message.decode(error_response(request, 437, "Allocation Mismatch", KEY))
    assert answer.method is Method.REFRESH
    assert answer.is_authentic(KEY)
    assert answer.has_fingerprint


def test_an_error_response_to_anything_but_a_request_is_misuse() -> None:
    with pytest.raises(MisuseError, match="got a INDICATION to answer, expected a REQUEST"):
        error_response(received(message_class=MessageClass.INDICATION), 400, "Bad Request")


def test_an_error_code_out_of_range_is_misuse() -> None:
    with pytest.raises(MisuseError, match="ERROR-CODE: got 200, expected 300 to 699"):
        error_response(received(), 200, "OK")
