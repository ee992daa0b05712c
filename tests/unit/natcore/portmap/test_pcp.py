from __future__ import annotations

import pytest

from natcore.address import TransportAddress
from natcore.errors import MisuseError
from natcore.portmap import (
    MAX_LIFETIME,
    GatewayAnswered,
    GatewayRestarted,
    PcpClient,
    PortMapped,
    PortUnmapped,
    RequestFailed,
)
from tests.unit.natcore.portmap.gateway import (
    BASE,
    EXTERNAL,
    GATEWAY,
    NONCE,
    hear,
    pcp_answer,
    pcp_header,
    run_out,
    sent,
)

CLIENT_IP = "00000000 00000000 0000ffff c0a8010a"
ANY_IP = "00000000 00000000 0000ffff 00000000"


def new() -> PcpClient:
    return PcpClient(gateway=GATEWAY.ip, base=BASE, nonce=NONCE)


def asking() -> PcpClient:
    client = new()
    client.map(internal_port=4000, external_port=4001, lifetime=3600, now=0.0)
    return client


def test_a_probe_is_an_announce() -> None:
    client = new()
    client.probe(0.0)
    assert sent(client) == [bytes.fromhex(f"02 00 0000 00000000 {CLIENT_IP}")]
    assert hear(client, pcp_header(opcode=0)) == [GatewayAnswered(external_ip=None)]


def test_a_gateway_that_does_not_know_announce_is_there_all_the_same() -> None:
    client = new()
    client.probe(0.0)
    assert hear(client, pcp_header(opcode=0, result=4)) == [GatewayAnswered(external_ip=None)]


def test_a_mapping_is_one_exchange() -> None:
    client = asking()
    wire = f"02 01 0000 00000e10 {CLIENT_IP} {NONCE.hex()} 11 000000 0fa0 0fa1 {ANY_IP}"
    assert sent(client) == [bytes.fromhex(wire)]
    mapped = PortMapped(external=TransportAddress(EXTERNAL, 5000), lifetime=120)
    assert hear(client, pcp_answer(external=5000, lifetime=120)) == [mapped]
    assert client.get_timer() is None


def test_a_mapping_ends_by_its_nonce_and_a_lifetime_of_zero() -> None:
    client = new()
    client.unmap(internal_port=4000, now=0.0)
    wire = f"02 01 0000 00000000 {CLIENT_IP} {NONCE.hex()} 11 000000 0fa0 0000 {ANY_IP}"
    assert sent(client) == [bytes.fromhex(wire)]
    assert hear(client, pcp_answer(lifetime=0, external=0)) == [PortUnmapped()]


def test_silence_is_given_up_after_a_second() -> None:
    client = new()
    client.probe(0.0)
    instants, events = run_out(client)
    assert instants == [0.0, 0.25, 0.75]
    assert events == [RequestFailed(reason="no answer from 192.168.1.1:5351")]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (bytes.fromhex("00 80 0001 00000064"), "the gateway speaks NAT-PMP only"),
        (pcp_header(opcode=0, result=1, version=3), "the gateway speaks version 3 only, and we speak 2"),
    ],
)
def test_a_gateway_of_another_version_says_so(answer: bytes, text: str) -> None:
    client = new()
    client.probe(0.0)
    assert hear(client, answer) == [RequestFailed(reason=text)]


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (2, "not authorized"),
        (8, "no room"),
        (11, "cannot provide"),
        (12, "another NAT"),
        (255, "(result 255)"),
    ],
)
def test_a_refusal_says_why_and_for_how_long(result: int, text: str) -> None:
    (failed,) = hear(asking(), pcp_answer(result=result, lifetime=30))
    assert isinstance(failed, RequestFailed)
    assert text in failed.reason
    assert failed.retry_after == 30


def test_a_refusal_is_believed_for_half_an_hour_at_most() -> None:
    (failed,) = hear(asking(), pcp_answer(result=2, lifetime=2**32 - 1))
    assert isinstance(failed, RequestFailed)
    assert failed.retry_after == 1800


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x02",
        pcp_answer()[:-1],
        pcp_answer()[:-4],
        pcp_answer() + bytes(1),
        pcp_answer() + bytes(1100),
        pcp_answer(nonce=bytes(12)),
        pcp_answer(protocol=6),
        pcp_answer(internal=4002),
        pcp_header(opcode=0),
        pcp_header(opcode=2),
        b"\x02\x01" + pcp_answer()[2:],
        b"\x03" + pcp_answer()[1:],
        pcp_answer(options=b"\x01\x00\x00\x05\x00\x00\x00\x00"),
    ],
    ids=[
        *("empty", "one byte", "cut", "no address", "not of four", "huge", "nonce", "tcp", "another port"),
        *("announce", "peer", "request", "version without refusal", "option longer than the rest"),
    ],
)
def test_what_was_not_asked_for_is_dropped_and_counted(answer: bytes) -> None:
    client = asking()
    assert hear(client, answer) == []
    assert client.discarded == 1
    assert hear(client, pcp_answer()) != [], "the honest answer still counts"


@pytest.mark.parametrize("options", [b"\x02\x00\x00\x00", b"\xff\x00\x00\x01\x00\x00\x00\x00"])
def test_options_that_are_well_formed_are_ignored(options: bytes) -> None:
    (mapped,) = hear(asking(), pcp_answer(options=options))
    assert isinstance(mapped, PortMapped)


def test_nobody_but_the_gateway_is_believed() -> None:
    client = asking()
    assert hear(client, pcp_answer(), source=TransportAddress(GATEWAY.ip, 5350)) == []
    assert client.discarded == 1


@pytest.mark.parametrize(
    ("external", "lifetime", "ip"), [(0, 60, "::ffff:1.2.3.4"), (1, 0, "::ffff:1.2.3.4"), (1, 60, "::")]
)
def test_a_mapping_without_an_address_or_a_lifetime_is_none(external: int, lifetime: int, ip: str) -> None:
    (failed,) = hear(asking(), pcp_answer(external=external, lifetime=lifetime, ip=ip))
    assert isinstance(failed, RequestFailed)


@pytest.mark.parametrize(
    ("granted", "believed"), [(1, 1), (MAX_LIFETIME, MAX_LIFETIME), (2**32 - 1, MAX_LIFETIME)]
)
def test_a_lifetime_is_believed_up_to_a_day(granted: int, believed: int) -> None:
    (mapped,) = hear(asking(), pcp_answer(lifetime=granted))
    assert isinstance(mapped, PortMapped)
    assert mapped.lifetime == believed


def test_a_late_grant_does_not_end_the_wait_for_the_end() -> None:
    client = asking()
    client.unmap(internal_port=4000, now=0.0)
    assert hear(client, pcp_answer()) == []
    assert hear(client, pcp_answer(lifetime=0)) == [PortUnmapped()]


@pytest.mark.parametrize(
    ("later", "has_restarted"),
    [(160, False), (155, False), (154, True), (150, True), (99, True), (180, True)],
)
def test_a_clock_that_is_behind_or_runs_away_shows_a_restart(later: int, has_restarted: bool) -> None:
    client = new()
    client.probe(0.0)
    hear(client, pcp_header(opcode=0, epoch=100))
    client.probe(60.0)
    events = hear(client, pcp_header(opcode=0, epoch=later), now=60.0)  # 60 s - 60/16 - 2 = 54.25 at least
    assert (GatewayRestarted() in events) is has_restarted


def test_two_answers_that_overtook_one_another_are_no_restart() -> None:
    client = new()
    client.probe(0.0)
    hear(client, pcp_header(opcode=0, epoch=100))
    client.probe(0.0)
    assert hear(client, pcp_header(opcode=0, epoch=99)) == [GatewayAnswered(external_ip=None)]


@pytest.mark.parametrize("length", [11, 13])
def test_a_nonce_has_twelve_bytes(length: int) -> None:
    with pytest.raises(MisuseError, match=f"got {length} bytes, expected 12"):
        PcpClient(gateway=GATEWAY.ip, base=BASE, nonce=bytes(length))
