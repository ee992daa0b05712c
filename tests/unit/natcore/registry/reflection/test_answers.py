from __future__ import annotations

import pytest

from natcore.address import TransportAddress
from natcore.registry.reflection import NO_OFFER, Offer
from natcore.registry.reflection.answers import answer_classic, answer_stranger
from natcore.stun import (
    AlternatePort,
    Attribute,
    ChangeRequest,
    ClassicRequest,
    ErrorCode,
    MappedAddress,
    MessageClass,
    OtherAddress,
    Padding,
    ResponseOrigin,
    ResponsePort,
    Software,
    UnknownAttribute,
    UnknownAttributes,
    XorMappedAddress,
)
from tests.unit.natcore.registry.reflection.world import (
    A1,
    A2,
    B1,
    B2,
    CLASSIC_ID,
    CLIENT,
    ENDPOINTS,
    FULL,
    ONE_ADDRESS,
    ONE_PORT,
    at,
    classic,
    request,
    said,
)

NO, PORT, IP, BOTH = (
    ChangeRequest(change_ip=ip, change_port=port) for ip in (False, True) for port in (False, True)
)
ROOM = Software("x" * 64)
CLIENT6 = TransportAddress.parse("[2001:db8::7]:40001")

FROM = [
    ("A1", NO, "A1"),
    ("A1", PORT, "A2"),
    ("A1", IP, "B1"),
    ("A1", BOTH, "B2"),
    ("A2", NO, "A2"),
    ("A2", PORT, "A1"),
    ("A2", IP, "B2"),
    ("A2", BOTH, "B1"),
    ("B1", NO, "B1"),
    ("B1", PORT, "B2"),
    ("B1", IP, "A1"),
    ("B1", BOTH, "A2"),
    ("B2", NO, "B2"),
    ("B2", PORT, "B1"),
    ("B2", IP, "A2"),
    ("B2", BOTH, "A1"),
]
OPPOSITE = {"A1": B2, "A2": B1, "B1": A2, "B2": A1}


@pytest.mark.parametrize(("local", "change", "origin"), FROM)
def test_the_answer_comes_from_where_it_was_asked_to_come_from(
    local: str, change: ChangeRequest, origin: str
) -> None:
    answer = answer_stranger(request(change, ROOM), at(ENDPOINTS[local]), FULL)
    assert (answer.origin, answer.destination) == (ENDPOINTS[origin], CLIENT)
    assert answer.is_reflected == (change != NO)
    assert said(answer).attributes == (
        XorMappedAddress(CLIENT),
        ResponseOrigin(ENDPOINTS[origin]),
        OtherAddress(OPPOSITE[local]),
        MappedAddress(CLIENT),
    )


@pytest.mark.parametrize("local", ["A1", "A2", "B2"])
def test_a_bare_request_learns_where_it_was_answered_and_the_opposite_endpoint(local: str) -> None:
    answer = answer_stranger(request(), at(ENDPOINTS[local]), FULL)
    assert said(answer).get(OtherAddress) == OtherAddress(OPPOSITE[local])
    assert (len(answer.data), answer.is_reflected) == (68, False)


def test_the_second_question_of_coturns_discovery_is_answered_without_another_address() -> None:
    assert said(answer_stranger(request(), at(B1), FULL)).attributes == (
        XorMappedAddress(CLIENT),
        ResponseOrigin(B1),
        MappedAddress(CLIENT),
    )


@pytest.mark.parametrize(
    ("offer", "change", "is_obeyed"),
    [
        (ONE_ADDRESS, NO, True),
        (ONE_ADDRESS, PORT, True),
        (ONE_ADDRESS, IP, False),
        (ONE_ADDRESS, BOTH, False),
        (ONE_PORT, NO, True),
        (ONE_PORT, PORT, False),
        (ONE_PORT, IP, False),
        (ONE_PORT, BOTH, False),
        (NO_OFFER, PORT, False),
    ],
)
def test_what_one_address_cannot_do_is_refused_not_ignored(
    offer: Offer, change: ChangeRequest, is_obeyed: bool
) -> None:
    answer = answer_stranger(request(change, ROOM), at(A1), offer)
    assert said(answer).get(OtherAddress) is None
    if is_obeyed:
        assert answer.origin == (A2 if change.change_port else A1)
        assert said(answer).get(ResponseOrigin) == ResponseOrigin(answer.origin)
    else:
        assert said(answer).get(UnknownAttributes) == UnknownAttributes((ChangeRequest.TYPE,))
        assert (answer.origin, answer.destination, answer.is_reflected) == (A1, CLIENT, False)


@pytest.mark.parametrize(
    ("offer", "local", "port"),
    [(ONE_ADDRESS, A1, 10081), (ONE_ADDRESS, A2, 10080), (FULL, A1, 10081), (ONE_PORT, A1, None)],
)
def test_who_asks_for_the_other_port_is_told_and_the_answer_adds_no_byte(
    offer: Offer, local: TransportAddress, port: int | None
) -> None:
    plain = answer_stranger(request(), at(local), offer)
    asked = answer_stranger(request(AlternatePort()), at(local), offer)
    told = said(asked).get(AlternatePort)
    assert told == (None if port is None else AlternatePort(port))
    assert said(plain).get(AlternatePort) is None
    assert len(asked.data) - len(plain.data) <= len(request(AlternatePort()).raw) - len(request().raw)


def test_the_answer_goes_to_another_port_of_the_same_host() -> None:
    answer = answer_stranger(request(ResponsePort(4000)), at(A1), FULL)
    assert answer.destination == TransportAddress(CLIENT.ip, 4000)
    assert (answer.origin, answer.is_reflected) == (A1, True)
    assert said(answer).get(XorMappedAddress) == XorMappedAddress(CLIENT)


def test_the_port_that_it_came_from_is_no_reflection() -> None:
    assert not answer_stranger(request(ResponsePort(CLIENT.port)), at(A1), FULL).is_reflected


@pytest.mark.parametrize(
    "attributes", [(ResponsePort(0),), (ResponsePort(4000), Padding(64)), (ResponsePort(0), BOTH)]
)
def test_a_port_that_nobody_can_be_sent_to_and_fragments_to_another_port_are_bad_requests(
    attributes: tuple[Attribute, ...],
) -> None:
    asked = request(*attributes)
    answer = answer_stranger(asked, at(A1), FULL)
    assert said(answer).get(ErrorCode) == ErrorCode(400, "")
    assert (answer.origin, answer.destination, answer.is_reflected) == (A1, CLIENT, False)
    assert len(answer.data) <= len(asked.raw)


def test_unknown_required_attributes_are_named_beside_what_cannot_be_obeyed() -> None:
    answer = answer_stranger(request(UnknownAttribute(0x7777, b""), BOTH), at(A1), ONE_ADDRESS)
    assert said(answer).get(UnknownAttributes) == UnknownAttributes((0x7777, ChangeRequest.TYPE))


@pytest.mark.parametrize("length", [0, 1, 12, 48, 49, 1500, 2004])
def test_padding_is_answered_with_padding_and_never_beyond_the_request(length: int) -> None:
    asked = request(Padding(length))
    answer = answer_stranger(asked, at(A1), FULL)
    padding = said(answer).get(Padding)
    assert len(answer.data) <= max(len(asked.raw), 68)
    assert padding is None or padding.length <= length
    assert (padding is not None) == (len(asked.raw) >= 68 + 4)
    if length >= 1500:
        assert len(answer.data) == len(asked.raw)


@pytest.mark.parametrize(
    ("room", "count"), [(0, 1), (8, 1), (12, 2), (20, 2), (24, 3), (32, 3), (36, 4), (64, 4)]
)
def test_a_reflected_answer_has_what_fits_into_the_request_and_its_mapped_address(
    room: int, count: int
) -> None:
    """4 more than the request is the least that there is: 32 bytes for 28."""
    asked = request(BOTH, Software("x" * room))  # 28 bytes, 4 for the header, and the room
    answer = answer_stranger(asked, at(A1), FULL)
    assert len(said(answer).attributes) == count
    assert len(answer.data) <= max(len(asked.raw), 32)


def test_the_least_reflected_answer_outgrows_its_request_by_four_bytes_and_sixteen() -> None:
    bare = request(BOTH)
    assert len(answer_stranger(bare, at(A1), FULL).data) == len(bare.raw) + 4
    six = Offer(port=1, alternate_port=2)
    local = TransportAddress.parse("[2001:db8::10]:1")
    assert len(answer_stranger(request(PORT), at(local, CLIENT6), six).data) == len(bare.raw) + 16


def test_a_fingerprint_is_answered_with_one() -> None:
    assert said(answer_stranger(request(BOTH, fingerprint=True), at(A1), FULL)).has_fingerprint


@pytest.mark.parametrize(("flags", "origin"), [(0, A1), (2, A2), (4, B1), (6, B2)])
def test_a_classic_client_gets_all_of_the_classic_service_from_two_addresses(
    flags: int, origin: TransportAddress
) -> None:
    asked = ClassicRequest.decode(classic(flags))
    assert asked is not None
    answer = answer_classic(asked, at(A1), FULL)
    assert answer is not None
    assert (answer.origin, answer.destination, answer.is_reflected) == (origin, CLIENT, flags != 0)
    assert answer.data[4:20] == CLASSIC_ID
    if flags:
        assert len(answer.data) == 32
        assert answer.data[20:] == bytes.fromhex("00010008 0001 9c41 cb007107")
    else:
        assert answer.data[32:] == bytes.fromhex("00040008 0001 2760 c633640a 00050008 0001 2761 c6336414"), (
            "SOURCE-ADDRESS, then CHANGED-ADDRESS"
        )


@pytest.mark.parametrize("offer", [ONE_ADDRESS, ONE_PORT, NO_OFFER])
def test_a_classic_client_that_wants_a_change_of_one_address_hears_nothing(offer: Offer) -> None:
    for flags in (2, 4, 6):
        asked = ClassicRequest.decode(classic(flags))
        assert asked is not None
        assert answer_classic(asked, at(A1), offer) is None
    plain = ClassicRequest.decode(classic())
    assert plain is not None
    answer = answer_classic(plain, at(A1), offer)
    assert answer is not None
    assert len(answer.data) == 32


def test_a_success_is_a_success() -> None:
    assert said(answer_stranger(request(BOTH), at(A1), FULL)).message_class is MessageClass.SUCCESS_RESPONSE
