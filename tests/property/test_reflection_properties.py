"""Whatever a stranger asks: the answer goes to its own host, and a reflected one is no amplified one."""

from __future__ import annotations

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from natcore.address import TransportAddress
from natcore.registry.reflection import LinkOptions, Offer
from natcore.registry.reflection.answers import answer_classic, answer_stranger
from natcore.registry.reflection.link import MAX_ORDERED_SIZE, Link
from natcore.stun import (
    HEADER_SIZE,
    AlternatePort,
    Attribute,
    ChangeRequest,
    ClassicRequest,
    Data,
    IntegrityAlgorithm,
    Message,
    MessageClass,
    Method,
    Padding,
    ResponsePort,
    ServerLink,
    Software,
    TransactionId,
    UnknownAttribute,
    XorPeerAddress,
)
from tests.unit.natcore.registry.reflection.world import (
    A1,
    A2,
    B1,
    B2,
    ENDPOINTS,
    FULL,
    ONE_ADDRESS,
    ONE_PORT,
    at,
    classic,
    request,
)

LEAST_SUCCESS = 32

attributes: st.SearchStrategy[Attribute] = st.one_of(
    st.builds(ChangeRequest, st.booleans(), st.booleans()),
    st.builds(ResponsePort, st.integers(0, 65535)),
    st.builds(Padding, st.integers(0, 300)),
    st.builds(AlternatePort, st.integers(0, 65535)),
    st.builds(Software, st.text("x", max_size=100)),
    st.builds(UnknownAttribute, st.sampled_from([0x7777, 0x7778, 0x8888]), st.binary(max_size=20)),
)
sources = st.builds(TransportAddress, st.integers(0, 2**32 - 1).map(IPv4Address), st.integers(1, 65535))
offers = st.sampled_from([FULL, ONE_ADDRESS, ONE_PORT])
locals_ = st.sampled_from(list(ENDPOINTS.values()))


@given(st.lists(attributes, max_size=6), st.booleans(), sources, locals_, offers)
def test_an_answer_goes_to_the_source_and_a_reflected_one_does_not_amplify(
    asked: list[Attribute], fingerprint: bool, source: TransportAddress, local: TransportAddress, offer: Offer
) -> None:
    message = request(*asked, fingerprint=fingerprint)
    answer = answer_stranger(message, at(local, source), offer)
    heard = Message.decode(answer.data)
    size, proof = len(answer.data), 8 * fingerprint
    assert answer.destination.ip == source.ip
    assert answer.destination.port != 0
    assert answer.origin in ENDPOINTS.values()
    assert answer.is_reflected == ((answer.origin, answer.destination) != (local, source))
    if answer.is_reflected:
        assert heard.message_class is MessageClass.SUCCESS_RESPONSE
        assert size <= max(len(message.raw), LEAST_SUCCESS + proof)
        assert size <= len(message.raw) + 4
    elif heard.message_class is MessageClass.ERROR_RESPONSE:
        assert size <= len(message.raw) + 12
    else:
        assert size <= max(len(message.raw), HEADER_SIZE + 48 + 8 + proof)


@given(st.integers(0, 255), sources, locals_, offers)
def test_so_it_is_for_classic_clients(
    flags: int, source: TransportAddress, local: TransportAddress, offer: Offer
) -> None:
    asked = ClassicRequest.decode(classic(flags))
    assert asked is not None
    answer = answer_classic(asked, at(local, source), offer)
    if answer is not None:
        assert answer.destination == source
        assert len(answer.data) <= (LEAST_SUCCESS if answer.is_reflected else HEADER_SIZE + 36)


@given(st.binary(max_size=100))
def test_reading_a_classic_request_is_total(data: bytes) -> None:
    ClassicRequest.decode(data)
    ClassicRequest.decode(b"\0\1" + data)


@given(
    st.lists(
        st.one_of(
            st.builds(
                ServerLink,
                sequence=st.integers(0, 2**64 - 1),
                sender=st.integers(0, 3),
                receiver=st.integers(0, 3),
            ),
            st.builds(AlternatePort, st.sampled_from([0, 9, A1.port, A2.port])),
            st.builds(XorPeerAddress, sources),
            st.builds(Data, st.binary(max_size=1100)),
        ),
        max_size=5,
    ),
    st.booleans(),
    st.booleans(),
)
def test_what_the_other_server_says_is_survived_and_believed_only_with_the_key(
    attributes: list[Attribute], has_key: bool, is_there: bool
) -> None:
    options = LinkOptions(local=A1, remote=B1, alternate_port=A2.port, key=b"k" * 22, first_sequence=1)
    link = Link(options, lambda length: bytes(length - 1) + b"\1")
    message = Message(
        method=Method.SERVER_LINK,
        message_class=MessageClass.INDICATION,
        transaction_id=TransactionId(bytes(12)),
        attributes=tuple(attributes),
    )
    signed = message.encode(key=b"k" * 22 if has_key else b"x" * 22, algorithm=IntegrityAlgorithm.SHA256)
    arrival = at(A1, B1 if is_there else B2)
    heard = link.receive(Message.decode(signed), arrival, 1.0)
    if not (has_key and is_there):
        assert (heard.is_authentic, heard.order, heard.reply) == (False, None, None)
    if heard.order is not None:
        assert heard.order.is_reflected, "so that it is within the limits"
        assert heard.order.origin in (A1, A2)
        assert len(heard.order.data) <= MAX_ORDERED_SIZE
    if heard.reply is not None:
        assert heard.reply.destination == B1
        assert len(heard.reply.data) <= len(signed) + 8
