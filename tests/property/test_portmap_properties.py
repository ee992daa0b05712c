"""Whatever a gateway sends: the clients never raise, and what they tell stays within bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from natcore.errors import DecodeError
from natcore.portmap import MAX_LIFETIME, NatPmpClient, PcpClient, PortMapped, natpmp, pcp
from natcore.portmap.mapping import MAX_RETRY_DELAY, RequestFailed
from tests.unit.natcore.portmap.gateway import (
    BASE,
    GATEWAY,
    NONCE,
    address_answer,
    natpmp_answer,
    pcp_answer,
    pcp_header,
)

U16, U32 = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)
ANSWERS = st.one_of(
    st.binary(max_size=80),
    st.builds(address_answer, result=st.just(0) | U16, epoch=U32, ip=st.ip_addresses(v=4)),
    st.builds(
        natpmp_answer,
        result=st.just(0) | U16,
        epoch=U32,
        internal=st.just(4000) | U16,
        external=U16,
        lifetime=U32,
    ),
    st.builds(pcp_header, opcode=st.integers(0, 127), result=st.integers(0, 255), epoch=U32),
    st.builds(
        pcp_answer,
        result=st.just(0) | st.integers(0, 255),
        lifetime=U32,
        epoch=U32,
        nonce=st.just(NONCE) | st.binary(min_size=12, max_size=12),
        external=U16,
        ip=st.ip_addresses(v=6).map(str),
        options=st.binary(max_size=12),
    ),
)
ACTS = st.one_of(
    st.sampled_from(["probe", "map", "unmap", "wait"]),
    ANSWERS,
    ANSWERS.flatmap(lambda answer: st.integers(0, len(answer)).map(lambda length: answer[:length])),
)


@given(st.binary(max_size=1200))
def test_decoders_are_total(data: bytes) -> None:
    for decode in (natpmp.Response.decode, pcp.Response.decode):
        try:
            decode(data)
        except DecodeError:
            continue


def do(client: NatPmpClient | PcpClient, act: str | bytes, now: float) -> float:
    """Does one thing; returns the instant after it."""
    match act:
        case bytes():
            client.receive_datagram(act, GATEWAY, BASE, now)
        case "probe":
            client.probe(now)
        case "map":
            client.map(internal_port=4000, external_port=0, lifetime=3600, now=now)
        case "unmap":
            client.unmap(internal_port=4000, now=now)
        case _:
            now = client.get_timer() or now + 1.0
            client.handle_timer(now)
    return now


@given(st.sampled_from(["nat-pmp", "pcp"]), st.lists(ACTS, max_size=30))
def test_a_client_survives_every_gateway(kind: str, acts: list[str | bytes]) -> None:
    client: NatPmpClient | PcpClient
    if kind == "pcp":
        client = PcpClient(gateway=GATEWAY.ip, base=BASE, nonce=NONCE)
    else:
        client = NatPmpClient(gateway=GATEWAY.ip, base=BASE)
    now = 0.0
    for act in acts:
        now = do(client, act, now)
        assert len(client.datagrams_to_send()) <= 1
        events = list(iter(client.next_event, None))
        assert len(events) <= 2
        for event in events:
            if isinstance(event, PortMapped):
                assert 1 <= event.lifetime <= MAX_LIFETIME
                assert event.external.port > 0
                assert not event.external.ip.is_unspecified
            if isinstance(event, RequestFailed) and event.retry_after is not None:
                assert event.retry_after <= MAX_RETRY_DELAY
