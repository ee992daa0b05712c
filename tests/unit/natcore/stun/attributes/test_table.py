"""Every attribute against its bytes, in both directions, and against bytes and values that it refuses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from natcore.address import TransportAddress
from natcore.errors import DecodeError, MisuseError
from natcore.stun import (
    AdditionalAddressFamily,
    AddressErrorCode,
    AddressFamily,
    AddressToken,
    AlternateDomain,
    AlternatePort,
    AlternateServer,
    Attribute,
    AwakeSequence,
    ChangeRequest,
    ChannelNumber,
    ControlSequence,
    Data,
    DontFragment,
    ErrorCode,
    EvenPort,
    IceControlled,
    IceControlling,
    Icmp,
    Lifetime,
    MappedAddress,
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
    ServerLink,
    Software,
    TransactionId,
    UnknownAttribute,
    UnknownAttributes,
    UseCandidate,
    UserHash,
    Username,
    XorMappedAddress,
    XorPeerAddress,
    XorRelayedAddress,
)
from natcore.stun.attributes import ATTRIBUTES, decode_attribute, type_of

TRANSACTION_ID = TransactionId(bytes.fromhex("b7e7a701bc34d686fa87dfae"))
IPV4 = TransportAddress.parse("192.0.2.1:32853")
IPV6 = TransportAddress.parse("[2001:db8:1234:5678:11:2233:4455:6677]:32853")
CLEAR4 = "0001 8055 c0000201"
CLEAR6 = "0002 8055 20010db8123456780011223344556677"
XOR4 = "0001 a147 e112a643"
XOR6 = "0002 a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9"
LONGEST = "x" * 763

WIRE: list[tuple[Attribute, int, str]] = [
    # RFC 8489
    (MappedAddress(IPV4), 0x0001, CLEAR4),
    (MappedAddress(IPV6), 0x0001, CLEAR6),
    (Username("evtj:h6vY"), 0x0006, "6576746a3a68367659"),
    (Username("x" * 508), 0x0006, "78" * 508),
    (ErrorCode(300), 0x0009, "00000300"),
    (ErrorCode(487, "Role Conflict"), 0x0009, "00000457 526f6c6520436f6e666c696374"),
    (ErrorCode(699, LONGEST), 0x0009, "00000663" + "78" * 763),
    (UnknownAttributes(()), 0x000A, ""),
    (UnknownAttributes((0x7777, 0x0002)), 0x000A, "77770002"),
    (Realm("example.org"), 0x0014, "6578616d706c652e6f7267"),
    (Nonce(LONGEST), 0x0015, "78" * 763),
    (PasswordAlgorithm(2), 0x001D, "00020000"),
    (PasswordAlgorithm(9, b"abc"), 0x001D, "00090003616263"),
    (UserHash(bytes(range(32))), 0x001E, bytes(range(32)).hex()),
    (XorMappedAddress(IPV4), 0x0020, XOR4),
    (XorMappedAddress(IPV6), 0x0020, XOR6),
    (PasswordAlgorithms(()), 0x8002, ""),
    (
        PasswordAlgorithms((PasswordAlgorithm(9, b"abc"), PasswordAlgorithm(1))),
        0x8002,
        "00090003 61626300 00010000",
    ),
    (AlternateDomain("d" * 255), 0x8003, "64" * 255),
    (Software(""), 0x8022, ""),
    (Software("マ"), 0x8022, "e3839e"),
    (AlternateServer(IPV4), 0x8023, CLEAR4),
    # RFC 5780
    (ChangeRequest(), 0x0003, "00000000"),
    (ChangeRequest(change_ip=True), 0x0003, "00000004"),
    (ChangeRequest(change_port=True), 0x0003, "00000002"),
    (ChangeRequest(change_ip=True, change_port=True), 0x0003, "00000006"),
    (Padding(0), 0x0026, ""),
    (Padding(5), 0x0026, "0000000000"),
    (ResponsePort(65535), 0x0027, "ffff"),
    (ResponseOrigin(IPV6), 0x802B, CLEAR6),
    (OtherAddress(IPV4), 0x802C, CLEAR4),
    # RFC 8445
    (Priority(0x6E0001FF), 0x0024, "6e0001ff"),
    (UseCandidate(), 0x0025, ""),
    (IceControlled(2**64 - 1), 0x8029, "ff" * 8),
    (IceControlling(1), 0x802A, "0000000000000001"),
    # RFC 8656
    (ChannelNumber(0x4000), 0x000C, "40000000"),
    (ChannelNumber(0x4FFF), 0x000C, "4fff0000"),
    (Lifetime(600), 0x000D, "00000258"),
    (XorPeerAddress(IPV4), 0x0012, XOR4),
    (Data(b""), 0x0013, ""),
    (Data(b"\x00\xff"), 0x0013, "00ff"),
    (XorRelayedAddress(IPV6), 0x0016, XOR6),
    (RequestedAddressFamily(AddressFamily.IPV6), 0x0017, "02000000"),
    (EvenPort(), 0x0018, "00"),
    (EvenPort(reserve_next=True), 0x0018, "80"),
    (RequestedTransport(), 0x0019, "11000000"),
    (DontFragment(), 0x001A, ""),
    (ReservationToken(b"12345678"), 0x0022, "3132333435363738"),
    (AdditionalAddressFamily(AddressFamily.IPV4), 0x8000, "01000000"),
    (AddressErrorCode(AddressFamily.IPV6, 440, "No"), 0x8001, "02000428 4e6f"),
    (Icmp(3, 4, bytes.fromhex("000005dc")), 0x8004, "00000604 000005dc"),
    (Icmp(127, 511), 0x8004, "0000ffff 00000000"),
    # ours
    (AwakeSequence(0), 0xDA01, "00" * 8),
    (AwakeSequence(2**64 - 1), 0xDA01, "ff" * 8),
    (ControlSequence(0), 0xDA05, "00" * 8),
    (ControlSequence(2**64 - 1), 0xDA05, "ff" * 8),
    (AddressToken(bytes(range(8))), 0xDA04, "0001020304050607"),
    (AlternatePort(), 0xDA02, "00000000"),
    (AlternatePort(10081), 0xDA02, "27610000"),
    (
        ServerLink(sequence=1, sender=2, receiver=3),
        0xDA03,
        "0000000000000001 0000000000000002 0000000000000003",
    ),
    # nobody's
    (UnknownAttribute(0x7777, b"abc"), 0x7777, "616263"),
]


@pytest.mark.parametrize(("attribute", "attribute_type", "value"), WIRE)
def test_an_attribute_encodes_to_its_bytes(attribute: Attribute, attribute_type: int, value: str) -> None:
    assert type_of(attribute) == attribute_type
    assert attribute.encode_value(TRANSACTION_ID) == bytes.fromhex(value)


@pytest.mark.parametrize(("attribute", "attribute_type", "value"), WIRE)
def test_the_bytes_decode_to_the_attribute(attribute: Attribute, attribute_type: int, value: str) -> None:
    assert decode_attribute(attribute_type, bytes.fromhex(value), TRANSACTION_ID) == attribute


def test_the_wire_table_above_has_every_attribute_that_we_know() -> None:
    assert {type(attribute) for attribute, _, _ in WIRE} == {*ATTRIBUTES.values(), UnknownAttribute}


MALFORMED: list[tuple[type[Attribute], str]] = [
    *((kind, CLEAR4[:-2]) for kind in (MappedAddress, AlternateServer, ResponseOrigin, OtherAddress)),
    *((kind, XOR4 + "00") for kind in (XorMappedAddress, XorPeerAddress, XorRelayedAddress)),
    (XorMappedAddress, ""),
    (XorMappedAddress, "0001a1"),
    (XorMappedAddress, XOR6[:-2]),
    (XorMappedAddress, XOR6 + "00"),
    (XorMappedAddress, "0000 a147 e112a643"),
    (XorMappedAddress, "0003 a147 e112a643"),
    (Username, "78" * 509),
    (Username, "ff"),
    (Username, "eda080"),
    (Username, "c080"),
    *((kind, "78" * 764) for kind in (Realm, Nonce, Software)),
    (AlternateDomain, "64" * 256),
    (ErrorCode, ""),
    (ErrorCode, "000003"),
    (ErrorCode, "00000263"),
    (ErrorCode, "00000700"),
    (ErrorCode, "00000464"),
    (ErrorCode, "00000400ff"),
    (ErrorCode, "00000400" + "78" * 764),
    (UnknownAttributes, "777700"),
    (PasswordAlgorithm, ""),
    (PasswordAlgorithm, "000200"),
    (PasswordAlgorithm, "00020001"),
    (PasswordAlgorithm, "0002000000020000"),
    (PasswordAlgorithms, "0002"),
    (PasswordAlgorithms, "0002000000020005"),
    (UserHash, "00" * 31),
    (UserHash, "00" * 33),
    (ChangeRequest, "000000"),
    (ChangeRequest, "0000000000"),
    (ResponsePort, "ff"),
    (ResponsePort, "ffffff"),
    (ResponsePort, "ffffffffff"),
    (Priority, "6e0001"),
    (Priority, "6e0001ff00"),
    (UseCandidate, "00"),
    (IceControlled, "00" * 7),
    (IceControlling, "00" * 9),
    (ChannelNumber, "4000"),
    (ChannelNumber, "3fff0000"),
    (ChannelNumber, "50000000"),
    (Lifetime, "000258"),
    (RequestedAddressFamily, "03000000"),
    (RequestedAddressFamily, "01"),
    (AdditionalAddressFamily, "00000000"),
    (EvenPort, ""),
    (EvenPort, "8000"),
    (RequestedTransport, "11"),
    (DontFragment, "00"),
    (ReservationToken, "00" * 7),
    (ReservationToken, "00" * 9),
    (AddressErrorCode, "00000428"),
    (AddressErrorCode, "010004"),
    (AddressErrorCode, "01000200"),
    (Icmp, "00000604000005"),
    (Icmp, "00000604000005dc00"),
    (AwakeSequence, "00" * 7),
    (AwakeSequence, "00" * 9),
    (AddressToken, "00" * 7),
    (AddressToken, "00" * 9),
    (AlternatePort, "0000"),
    (ControlSequence, "00" * 7),
    (ControlSequence, "00" * 9),
    (ServerLink, "00" * 23),
    (ServerLink, "00" * 25),
    (AlternatePort, "0000000000"),
]


@pytest.mark.parametrize(("kind", "value"), MALFORMED)
def test_malformed_bytes_are_a_decode_error_that_names_the_attribute(
    kind: type[Attribute], value: str
) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_attribute(kind.TYPE, bytes.fromhex(value), TRANSACTION_ID)
    assert caught.value.what == kind.NAME


OUT_OF_RANGE: dict[str, Callable[[], Attribute]] = {
    "a port below 0": lambda: XorMappedAddress(TransportAddress(IPV4.ip, -1)),
    "a port above 65535": lambda: MappedAddress(TransportAddress(IPV4.ip, 65536)),
    "a username of 509 bytes": lambda: Username("x" * 509),
    "a username of 170 characters that are 510 bytes": lambda: Username("マ" * 170),
    "a lone surrogate": lambda: Username("\ud800"),
    "a lone surrogate in a reason": lambda: ErrorCode(400, "\ud800"),
    "a realm of 764 bytes": lambda: Realm("x" * 764),
    "a domain of 256 bytes": lambda: AlternateDomain("x" * 256),
    "code 299": lambda: ErrorCode(299),
    "code 700": lambda: ErrorCode(700),
    "a reason of 764 bytes": lambda: ErrorCode(400, "x" * 764),
    "an unknown type above 0xFFFF": lambda: UnknownAttributes((0x10000,)),
    "a user hash of 31 bytes": lambda: UserHash(bytes(31)),
    "algorithm 0x10000": lambda: PasswordAlgorithm(0x10000),
    "parameters of 64 KiB": lambda: PasswordAlgorithm(1, bytes(0x10000)),
    "response port 65536": lambda: ResponsePort(65536),
    "negative padding": lambda: Padding(-1),
    "priority 2^32": lambda: Priority(2**32),
    "a negative priority": lambda: Priority(-1),
    "tie-breaker 2^64": lambda: IceControlling(2**64),
    "channel 0x3FFF": lambda: ChannelNumber(0x3FFF),
    "channel 0x5000": lambda: ChannelNumber(0x5000),
    "a lifetime of 2^32 s": lambda: Lifetime(2**32),
    "data of 64 KiB": lambda: Data(bytes(0x10000)),
    "protocol 256": lambda: RequestedTransport(256),
    "a token of 9 bytes": lambda: ReservationToken(bytes(9)),
    "address error 299": lambda: AddressErrorCode(AddressFamily.IPV4, 299),
    "ICMP type 128": lambda: Icmp(128, 0),
    "ICMP code 512": lambda: Icmp(0, 512),
    "ICMP data of 5 bytes": lambda: Icmp(0, 0, bytes(5)),
    "sequence 2^64": lambda: AwakeSequence(2**64),
    "token of 7 bytes": lambda: AddressToken(bytes(7)),
    "alternate port 65536": lambda: AlternatePort(65536),
    "type 0x10000": lambda: UnknownAttribute(0x10000, b""),
    "an unknown value of 64 KiB": lambda: UnknownAttribute(0x7777, bytes(0x10000)),
}


@pytest.mark.parametrize("construct", OUT_OF_RANGE.values(), ids=OUT_OF_RANGE.keys())
def test_our_own_value_out_of_range_is_misuse(construct: Callable[[], Attribute]) -> None:
    with pytest.raises(MisuseError, match=r": got .+, expected "):
        construct()


RESERVED_BITS: list[tuple[Attribute, str]] = [
    (XorMappedAddress(IPV4), "ff01 a147 e112a643"),
    (ErrorCode(400), "ffff fc00"),
    (ChangeRequest(change_ip=True), "fffffffd"),
    (ResponsePort(7), "0007ffff"),
    (ChannelNumber(0x4001), "4001ffff"),
    (RequestedAddressFamily(AddressFamily.IPV4), "01ffffff"),
    (EvenPort(reserve_next=True), "ff"),
    (RequestedTransport(17), "11ffffff"),
    (AddressErrorCode(AddressFamily.IPV4, 400), "01fffc00"),
    (Icmp(3, 4), "ffff0604 00000000"),
    (Padding(3), "ffffff"),
    (PasswordAlgorithm(1, b"a"), "0001000161ffffff"),
]


@pytest.mark.parametrize(("attribute", "value"), RESERVED_BITS)
def test_reserved_bits_are_ignored(attribute: Attribute, value: str) -> None:
    assert decode_attribute(type_of(attribute), bytes.fromhex(value), TRANSACTION_ID) == attribute


def test_an_ipv4_mapped_ipv6_address_is_held_as_ipv4() -> None:
    value = bytes.fromhex("0002 8055 00000000 00000000 0000ffff c0000201")
    assert decode_attribute(MappedAddress.TYPE, value, TRANSACTION_ID) == MappedAddress(IPV4)


def test_an_unknown_attribute_cannot_be_decoded_without_its_type() -> None:
    with pytest.raises(DecodeError, match="expected a type as well"):
        UnknownAttribute.decode_value(b"", TRANSACTION_ID)
