from __future__ import annotations

from dataclasses import replace

from netlab.evidence import Endpoint, Recording, is_tracked, server_is_out, went_directly
from netlab.instruments.capture import TCP, UDP, Packet

ELSA, ANNA = ("203.0.113.7", 40001), ("203.0.113.33", 40002)
SERVER = ("198.51.100.10", 10080)
TEXT = "can you hear me"


def packet(source: Endpoint, destination: Endpoint, payload: bytes, protocol: int = UDP) -> Packet:
    return Packet(time=0.0, protocol=protocol, source=source, destination=destination, payload=payload)


def tracked(inside: str, own: Endpoint, other: Endpoint) -> str:
    return (
        f"udp      17 119 src={inside} dst={other[0]} sport=1 dport={other[1]}"
        f" src={other[0]} dst={own[0]} sport={other[1]} dport={own[1]} mark=0 use=1"
    )


CONVERSATION = (packet(ELSA, ANNA, b"say: " + TEXT.encode()), packet(ANNA, ELSA, b"delivered"))
GOOD = Recording(
    public_addresses={"nat-elsa": ELSA[0], "nat-anna": ANNA[0]},
    at_nats={"nat-elsa": CONVERSATION, "nat-anna": CONVERSATION},
    at_server=(packet(ELSA, SERVER, b"register", TCP), packet(SERVER, ELSA, b"welcome", TCP)),
    conntrack={
        "nat-elsa": [tracked("192.168.1.10", ELSA, ANNA)],
        "nat-anna": [tracked("192.168.1.20", ANNA, ELSA)],
    },
    texts=[TEXT],
)


def test_an_honest_recording_bears_out_every_claim() -> None:
    assert went_directly(GOOD).holds
    assert is_tracked(GOOD).holds
    assert server_is_out(GOOD).holds


def test_the_evidence_counts_and_names_the_path() -> None:
    assert went_directly(GOOD).evidence == (
        "nat-elsa: 1 datagrams out, 1 in, 1 with readable chat text",
        "nat-anna: 1 datagrams out, 1 in, 1 with readable chat text",
        "203.0.113.33:40002 <-> 203.0.113.7:40001",
    )


def test_one_way_is_not_a_conversation() -> None:
    assert not went_directly(replace(GOOD, at_nats={**GOOD.at_nats, "nat-anna": CONVERSATION[:1]})).holds


def test_silence_is_not_a_conversation() -> None:
    assert not went_directly(replace(GOOD, at_nats={"nat-elsa": (), "nat-anna": ()})).holds


def test_two_nats_that_saw_different_paths_did_not_see_one_conversation() -> None:
    elsewhere = tuple(
        packet((p.source[0], 9), (p.destination[0], 8), p.payload, p.protocol) for p in CONVERSATION
    )
    assert not went_directly(replace(GOOD, at_nats={**GOOD.at_nats, "nat-anna": elsewhere})).holds


def test_what_went_over_the_server_is_not_direct() -> None:
    relayed = (packet(ELSA, SERVER, TEXT.encode()), packet(SERVER, ELSA, b"ok"))
    assert not went_directly(replace(GOOD, at_nats={"nat-elsa": relayed, "nat-anna": relayed})).holds


def test_an_unanswered_or_a_missing_mapping_is_none() -> None:
    line = tracked("192.168.1.10", ELSA, ANNA)
    for wrong in ([], [line.replace(" mark", " [UNREPLIED] mark")], [line.replace("udp", "tcp")]):
        claim = is_tracked(replace(GOOD, conntrack={**GOOD.conntrack, "nat-elsa": wrong}))
        assert not claim.holds
        assert claim.evidence[0] == "nat-elsa: none"


def test_text_at_the_server_is_found_even_across_segments() -> None:
    halves = (packet(ELSA, SERVER, b"can you ", TCP), packet(ELSA, SERVER, b"hear me", TCP))
    assert not server_is_out(replace(GOOD, at_server=(*GOOD.at_server, *halves))).holds


def test_a_server_that_saw_nothing_proves_nothing() -> None:
    assert not server_is_out(replace(GOOD, at_server=())).holds
