from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from natcore.address import TransportAddress
from natcore.portmap import (
    MAX_LIFETIME,
    GatewayAnswered,
    GatewayRestarted,
    NatPmpClient,
    PortMapped,
    PortUnmapped,
    RequestFailed,
)
from tests.unit.natcore.portmap.gateway import (
    BASE,
    EXTERNAL,
    GATEWAY,
    address_answer,
    hear,
    natpmp_answer,
    run_out,
    sent,
)


def new() -> NatPmpClient:
    return NatPmpClient(gateway=GATEWAY.ip, base=BASE)


def asking(*, lifetime: int = 3600) -> NatPmpClient:
    """A client that has learned the external address and waits for its port."""
    client = new()
    client.map(internal_port=4000, external_port=4001, lifetime=lifetime, now=0.0)
    sent(client)
    assert hear(client, address_answer()) == []
    return client


def test_a_probe_asks_for_the_external_address() -> None:
    client = new()
    client.probe(0.0)
    assert sent(client) == [b"\x00\x00"]
    assert hear(client, address_answer()) == [GatewayAnswered(external_ip=EXTERNAL)]
    assert client.get_timer() is None


def test_a_mapping_takes_the_address_and_then_the_port() -> None:
    client = new()
    client.map(internal_port=4000, external_port=4001, lifetime=3600, now=0.0)
    assert sent(client) == [b"\x00\x00"]
    assert hear(client, address_answer()) == []
    assert sent(client) == [bytes.fromhex("00 01 0000 0fa0 0fa1 00000e10")]
    mapped = PortMapped(external=TransportAddress(EXTERNAL, 5000), lifetime=120)
    assert hear(client, natpmp_answer(external=5000, lifetime=120)) == [mapped]


def test_a_mapping_ends_by_a_lifetime_of_zero_and_no_port() -> None:
    client = new()
    client.unmap(internal_port=4000, now=0.0)
    assert sent(client) == [bytes.fromhex("00 01 0000 0fa0 0000 00000000")]
    assert hear(client, natpmp_answer(external=0, lifetime=0)) == [PortUnmapped()]


def test_silence_is_given_up_after_a_second() -> None:
    client = new()
    client.probe(0.0)
    instants, events = run_out(client)
    assert instants == [0.0, 0.25, 0.75]
    assert events == [RequestFailed(reason="no answer from 192.168.1.1:5351")]


def test_a_known_gateway_is_waited_for_a_little_longer() -> None:
    client = asking()
    instants, (event,) = run_out(client)
    assert instants == [0.0, 0.25, 0.75, 1.75, 3.75]
    assert isinstance(event, RequestFailed)


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (1, "does not speak this version"),
        (2, "not authorized"),
        (3, "no external address"),
        (4, "no room"),
        (5, "does not know this request"),
        (65535, "for a reason that we do not know (result 65535)"),
    ],
)
def test_a_refusal_says_why(result: int, text: str) -> None:
    (failed,) = hear(asking(), natpmp_answer(result=result))
    assert isinstance(failed, RequestFailed)
    assert text in failed.reason


def test_a_refusal_may_be_as_short_as_its_header() -> None:
    client = new()
    client.probe(0.0)
    (failed,) = hear(client, address_answer(result=2)[:8])
    assert isinstance(failed, RequestFailed)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        natpmp_answer()[:15],
        natpmp_answer()[:7],
        b"\x02" + natpmp_answer()[1:],
        natpmp_answer()[:1] + b"\x01" + natpmp_answer()[2:],
        natpmp_answer()[:1] + b"\x82" + natpmp_answer()[2:],
        natpmp_answer(internal=4002),
        address_answer(),
    ],
    ids=["empty", "short", "no header", "version", "request", "tcp", "another port", "another question"],
)
def test_what_was_not_asked_for_is_dropped_and_counted(answer: bytes) -> None:
    client = asking()
    assert hear(client, answer) == []
    assert client.discarded == 1
    assert hear(client, natpmp_answer()) != [], "the honest answer still counts"


@pytest.mark.parametrize(
    "source",
    [TransportAddress(GATEWAY.ip, 5350), TransportAddress(IPv4Address("192.168.1.2"), 5351)],
    ids=["port", "address"],
)
def test_nobody_but_the_gateway_is_believed(source: TransportAddress) -> None:
    client = asking()
    assert hear(client, natpmp_answer(), source=source) == []
    assert client.discarded == 1


def test_nothing_is_believed_unasked() -> None:
    client = new()
    assert hear(client, address_answer(), natpmp_answer()) == []
    assert client.discarded == 2


@pytest.mark.parametrize(("external", "lifetime"), [(0, 3600), (4001, 0)])
def test_a_mapping_without_a_port_or_a_lifetime_is_none(external: int, lifetime: int) -> None:
    (failed,) = hear(asking(), natpmp_answer(external=external, lifetime=lifetime))
    assert isinstance(failed, RequestFailed)


def test_a_gateway_without_an_external_address_maps_nothing() -> None:
    client = new()
    client.map(internal_port=4000, external_port=0, lifetime=60, now=0.0)
    (failed,) = hear(client, address_answer(ip=IPv4Address(0)))
    assert isinstance(failed, RequestFailed)
    assert client.get_timer() is None


@pytest.mark.parametrize(
    ("granted", "believed"), [(1, 1), (MAX_LIFETIME, MAX_LIFETIME), (2**32 - 1, MAX_LIFETIME)]
)
def test_a_lifetime_is_believed_up_to_a_day(granted: int, believed: int) -> None:
    (mapped,) = hear(asking(), natpmp_answer(lifetime=granted))
    assert isinstance(mapped, PortMapped)
    assert mapped.lifetime == believed


def test_a_late_grant_does_not_end_the_wait_for_the_end() -> None:
    client = asking()
    client.unmap(internal_port=4000, now=0.0)
    assert hear(client, natpmp_answer()) == []
    assert hear(client, natpmp_answer(external=0, lifetime=0)) == [PortUnmapped()]


@pytest.mark.parametrize(("later", "has_restarted"), [(160, False), (151, False), (150, True), (0, True)])
def test_a_clock_that_is_behind_shows_a_restart(later: int, has_restarted: bool) -> None:
    client = new()
    client.probe(0.0)
    hear(client, address_answer(epoch=100))
    client.probe(60.0)
    events = hear(client, address_answer(epoch=later), now=60.0)  # 100 + 60 * 7/8 - 2 = 150.5
    assert (GatewayRestarted() in events) is has_restarted
