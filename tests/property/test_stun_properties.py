"""STUN under arbitrary input: the codec loses nothing, the decoder is total, integrity covers every bit."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import example, given
from hypothesis import strategies as st

from natcore.address import TransportAddress
from natcore.errors import DecodeError
from natcore.stun import (
    AdditionalAddressFamily,
    AddressErrorCode,
    AddressFamily,
    AlternateDomain,
    AlternatePort,
    AlternateServer,
    Attribute,
    AwakeSequence,
    ChangeRequest,
    ChannelNumber,
    ClientTransaction,
    Data,
    DontFragment,
    ErrorCode,
    EvenPort,
    IceControlled,
    IceControlling,
    Icmp,
    IntegrityAlgorithm,
    Lifetime,
    MappedAddress,
    Message,
    MessageClass,
    Method,
    Nonce,
    OtherAddress,
    Padding,
    PasswordAlgorithm,
    PasswordAlgorithms,
    Priority,
    Realm,
    RequestedAddressFamily,
    RequestedTransport,
    ReservationToken,
    ResponseOrigin,
    ResponsePort,
    RetransmissionSchedule,
    ServerLink,
    Software,
    TransactionId,
    TransactionState,
    UnknownAttribute,
    UnknownAttributes,
    UseCandidate,
    UserHash,
    Username,
    XorMappedAddress,
    XorPeerAddress,
    XorRelayedAddress,
    answer_binding_request,
    is_stun,
)
from natcore.stun.attributes import ATTRIBUTES, decode_attribute
from natcore.stun.header import ALLOWED_CLASSES
from natcore.stun.integrity import FINGERPRINT_TYPE

SOURCE = TransportAddress.parse("203.0.113.7:40001")
PROOF_TYPES = {FINGERPRINT_TYPE, *(algorithm.attribute_type for algorithm in IntegrityAlgorithm)}


def unsigned(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, 2**bits - 1)


ports = unsigned(16)
addresses = st.builds(
    TransportAddress,
    st.one_of(
        unsigned(32).map(IPv4Address),
        unsigned(128).map(IPv6Address).filter(lambda ip: ip.ipv4_mapped is None),
    ),
    ports,
)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
codes = st.integers(300, 699)
families = st.sampled_from(AddressFamily)
password_algorithms = st.builds(PasswordAlgorithm, unsigned(16), st.binary(max_size=9))

attributes: st.SearchStrategy[Attribute] = st.one_of(
    *(
        st.builds(kind, addresses)
        for kind in (
            MappedAddress,
            XorMappedAddress,
            AlternateServer,
            OtherAddress,
            ResponseOrigin,
            XorPeerAddress,
            XorRelayedAddress,
        )
    ),
    *(st.builds(kind, text) for kind in (Username, Realm, Nonce, Software, AlternateDomain)),
    st.builds(UserHash, st.binary(min_size=32, max_size=32)),
    st.builds(ErrorCode, codes, text),
    st.builds(UnknownAttributes, st.lists(unsigned(16), max_size=20).map(tuple)),
    password_algorithms,
    st.builds(PasswordAlgorithms, st.lists(password_algorithms, max_size=4).map(tuple)),
    st.builds(ChangeRequest, st.booleans(), st.booleans()),
    st.builds(ResponsePort, ports),
    st.builds(Padding, st.integers(0, 100)),
    st.builds(Priority, unsigned(32)),
    st.builds(UseCandidate),
    st.builds(IceControlled, unsigned(64)),
    st.builds(IceControlling, unsigned(64)),
    st.builds(ChannelNumber, st.integers(0x4000, 0x4FFF)),
    st.builds(Lifetime, unsigned(32)),
    st.builds(Data, st.binary(max_size=100)),
    st.builds(RequestedAddressFamily, families),
    st.builds(AdditionalAddressFamily, families),
    st.builds(EvenPort, st.booleans()),
    st.builds(RequestedTransport, unsigned(8)),
    st.builds(DontFragment),
    st.builds(ReservationToken, st.binary(min_size=8, max_size=8)),
    st.builds(AddressErrorCode, families, codes, text),
    st.builds(Icmp, unsigned(7), unsigned(9), st.binary(min_size=4, max_size=4)),
    st.builds(AwakeSequence, unsigned(64)),
    st.builds(AlternatePort, ports),
    st.builds(ServerLink, sequence=unsigned(64), sender=unsigned(64), receiver=unsigned(64)),
    st.builds(
        UnknownAttribute,
        unsigned(16).filter(lambda number: number not in ATTRIBUTES and number not in PROOF_TYPES),
        st.binary(max_size=40),
    ),
)

transaction_ids = st.binary(min_size=12, max_size=12).map(TransactionId)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    method = draw(st.sampled_from(Method))
    return Message(
        method=method,
        message_class=draw(st.sampled_from(sorted(ALLOWED_CLASSES[method]))),
        transaction_id=draw(transaction_ids),
        attributes=tuple(draw(st.lists(attributes, max_size=6))),
    )


keys = st.binary(min_size=1, max_size=70)


@given(
    message=messages(),
    key=st.none() | keys,
    algorithm=st.sampled_from(IntegrityAlgorithm),
    fingerprint=st.booleans(),
    padding=st.binary(min_size=1, max_size=1),
)
def test_what_is_encoded_decodes_to_itself(
    message: Message, key: bytes | None, algorithm: IntegrityAlgorithm, fingerprint: bool, padding: bytes
) -> None:
    data = message.encode(key=key, algorithm=algorithm, fingerprint=fingerprint, padding=padding)
    assert is_stun(data)
    received = Message.decode(data)
    assert received.method is message.method
    assert received.message_class is message.message_class
    assert received.transaction_id == message.transaction_id
    assert received.attributes == message.attributes
    assert received.has_integrity is (key is not None)
    assert received.has_fingerprint is fingerprint
    assert key is None or received.is_authentic(key)


def decodes_or_is_refused(data: bytes) -> None:
    try:
        received = Message.decode(data)
    except DecodeError:
        return
    received.is_authentic(b"key")
    answer_binding_request(received, SOURCE)


@given(st.binary(max_size=200))
@example(b"")
@example(bytes(2049))
def test_the_decoder_is_total_over_arbitrary_bytes(data: bytes) -> None:
    decodes_or_is_refused(data)


@given(word=st.sampled_from(["0001", "0101", "0113", "0016"]), body=st.binary(max_size=300))
def test_the_decoder_is_total_over_arbitrary_attributes(word: str, body: bytes) -> None:
    body = body[: len(body) // 4 * 4]
    header = bytes.fromhex(word) + len(body).to_bytes(2, "big") + bytes.fromhex("2112a442") + bytes(12)
    decodes_or_is_refused(header + body)


@given(kind=st.sampled_from(list(ATTRIBUTES)), value=st.binary(max_size=40), transaction_id=transaction_ids)
def test_every_attribute_decoder_is_total_and_settles(
    kind: int, value: bytes, transaction_id: TransactionId
) -> None:
    try:
        attribute = decode_attribute(kind, value, transaction_id)
    except DecodeError:
        return
    again = decode_attribute(kind, attribute.encode_value(transaction_id), transaction_id)
    assert again == attribute


@given(message=messages(), key=keys, algorithm=st.sampled_from(IntegrityAlgorithm), data=st.data())
def test_flipping_any_bit_of_a_signed_message_breaks_it(
    message: Message, key: bytes, algorithm: IntegrityAlgorithm, data: st.DataObject
) -> None:
    signed = bytearray(message.encode(key=key, algorithm=algorithm))
    bit = data.draw(st.integers(0, 8 * len(signed) - 1))
    signed[bit // 8] ^= 1 << bit % 8
    try:
        received = Message.decode(bytes(signed))
    except DecodeError:
        return
    assert not received.is_authentic(key)


@given(message=messages(), data=st.data())
def test_flipping_any_bit_under_a_fingerprint_is_noticed(message: Message, data: st.DataObject) -> None:
    flipped = bytearray(message.encode(fingerprint=True))
    bit = data.draw(st.integers(0, 8 * len(flipped) - 1))
    flipped[bit // 8] ^= 1 << bit % 8
    try:
        received = Message.decode(bytes(flipped))
    except DecodeError:
        return
    assert not received.has_fingerprint  # its own type was hit: it is some other attribute now


@given(message=messages(), source=addresses, fingerprint=st.booleans())
def test_no_answer_is_larger_than_its_request_but_a_plain_success(
    message: Message, source: TransportAddress, fingerprint: bool
) -> None:
    request = Message.decode(message.encode(fingerprint=fingerprint))
    data = answer_binding_request(request, source)
    if data is None:
        return
    answer = Message.decode(data)
    assert answer.transaction_id == request.transaction_id
    if answer.message_class is MessageClass.SUCCESS_RESPONSE:
        assert answer.attributes == (XorMappedAddress(source),)
    else:
        assert len(data) <= len(request.raw)


@given(
    rto=st.floats(0.01, 10),
    max_requests=st.integers(1, 12),
    final_wait_factor=st.integers(0, 16),
    cap=st.none() | st.floats(1, 4),
    delays=st.lists(st.floats(0, 30), min_size=13, max_size=13),
)
def test_a_transaction_ends_however_late_its_timers_are(
    rto: float, max_requests: int, final_wait_factor: int, cap: float | None, delays: list[float]
) -> None:
    schedule = RetransmissionSchedule(
        rto=rto,
        max_requests=max_requests,
        final_wait_factor=final_wait_factor,
        max_rto=None if cap is None else rto * cap,
    )
    transaction = ClientTransaction(
        transaction_id=TransactionId(bytes(12)), request=b"request", schedule=schedule, now=0.0
    )
    now = 0.0
    for delay in delays:
        timer = transaction.get_timer()
        if timer is None:
            break
        assert timer >= now
        now = timer + delay
        transaction.handle_timer(now)
    assert transaction.state is TransactionState.TIMED_OUT
    assert 1 <= transaction.requests_sent <= max_requests
    assert now >= schedule.send_offsets[-1] + schedule.final_wait - 1e-6
