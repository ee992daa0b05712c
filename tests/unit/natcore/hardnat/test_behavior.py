from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from natcore.address import TransportAddress
from natcore.discovery import Allocation, Known
from natcore.discovery.report import everything_unknown
from natcore.hardnat import HardNatLimits, PortSample, SideSummary
from natcore.hardnat.behavior import MAX_AGE, MAX_SAMPLES
from natcore.nat import NatBehavior
from tests.unit.natcore.hardnat.sides import APDF, APDM, EASY, NEXT, SEQUENTIAL_PORTS

BLIND = everything_unknown(
    TransportAddress.parse("192.168.7.10:40000"),
    "no server answered",
    udp_blocked=Known(True, "nothing comes back"),
    tcp_passes=Known(True, "it does"),
)
SEEN = replace(
    BLIND,
    udp_blocked=Known(False, "answers came"),
    mapping=Known(APDM, "seen"),
    filtering=Known(APDF, "seen"),
    allocation=Known(
        Allocation(kind=SEQUENTIAL_PORTS, step=2, confidence=0.9, samples=17, lowest=4000, highest=4040),
        "seen",
    ),
)
LIMITS = HardNatLimits(packet_rate=50, max_packets=100, max_sockets=20)


def test_a_report_is_summed_up() -> None:
    samples = [PortSample(port=4000 + index, age=float(50 - index)) for index in range(50)]
    assert SideSummary.from_report(SEEN, samples=samples, limits=LIMITS, has_mapped_port=True) == SideSummary(
        mapping=APDM,
        filtering=APDF,
        allocation=SEQUENTIAL_PORTS,
        step=2,
        lowest=4000,
        highest=4040,
        seen=17,
        samples=tuple(samples[-MAX_SAMPLES:]),
        sockets=20,
        packets=100,
        packet_rate=50,
        has_mapped_port=True,
    )


def test_what_is_unknown_is_none_and_assumed_to_be_usual() -> None:
    blind = SideSummary.from_report(BLIND, limits=LIMITS)
    assert (blind.mapping, blind.filtering, blind.allocation, blind.seen) == (None, None, None, 0)
    assert blind.udp_blocked
    assert SideSummary().assumed() == NatBehavior(filtering=APDF)


def test_samples_grow_older_to_a_limit() -> None:
    later = NEXT.aged(2.0)
    assert [one.age for one in later.samples] == pytest.approx([2.3, 2.2, 2.1])
    assert later.aged(1e9).samples[0].age == MAX_AGE


@pytest.mark.parametrize("summary", [SideSummary(), EASY, NEXT], ids=["unknown", "easy", "sequential"])
def test_a_summary_travels_as_json(summary: SideSummary) -> None:
    wire = msgspec.json.encode(summary)
    assert msgspec.json.decode(wire, type=SideSummary) == summary
    assert len(wire) < 1024


@pytest.mark.parametrize(
    "wrong",
    [
        {"lowest": 0},
        {"highest": 65536},
        {"step": 33},
        {"sockets": -1},
        {"packets": 65537},
        {"packet_rate": 0},
        {"packet_rate": 10_001},
        {"mapping": "symmetric"},
        {"samples": [{"port": 5, "age": 1.0}] * 17},
        {"samples": [{"port": 5, "age": -1.0}]},
        {"samples": [{"port": 5, "age": 90_000.0}]},
        {"samples": [{"port": 0, "age": 1.0}]},
    ],
    ids=str,
)
def test_a_summary_out_of_bounds_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, SideSummary)
