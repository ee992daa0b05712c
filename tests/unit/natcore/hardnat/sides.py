"""Sides for the tests of hard attempts."""

from __future__ import annotations

from natcore.hardnat import PortSample, SideSummary
from natcore.nat import FilteringBehavior, MappingBehavior, PortAllocation

EIM, ADM, APDM = MappingBehavior
EIF, ADF, APDF = FilteringBehavior
PRESERVING, RANDOM, SEQUENTIAL_PORTS = PortAllocation


def side(
    mapping: MappingBehavior = APDM,
    filtering: FilteringBehavior = APDF,
    allocation: PortAllocation = RANDOM,
    *,
    lowest: int = 2000,
    highest: int = 64000,
    samples: tuple[PortSample, ...] = (),
    step: int | None = None,
    sockets: int = 256,
    packets: int = 2000,
    has_mapped_port: bool = False,
    udp_blocked: bool = False,
) -> SideSummary:
    return SideSummary(
        mapping=mapping,
        filtering=filtering,
        allocation=allocation,
        step=step,
        lowest=lowest,
        highest=highest,
        seen=17,
        samples=samples,
        sockets=sockets,
        packets=packets,
        has_mapped_port=has_mapped_port,
        udp_blocked=udp_blocked,
    )


def sequential(
    *ports: int, step: int = 1, every: float = 0.1, age: float = 0.1, filtering: FilteringBehavior = APDF
) -> SideSummary:
    """A sequential side whose newest sample has that age."""
    count = len(ports)
    samples = tuple(
        PortSample(port=port, age=age + every * (count - 1 - index)) for index, port in enumerate(ports)
    )
    return side(APDM, filtering, SEQUENTIAL_PORTS, samples=samples, step=step)


EASY = side(EIM, APDF, PRESERVING)
HARD = side()
HARD_OPEN = side(filtering=ADF)
NEXT = sequential(40000, 40001, 40002)
NEXT_OPEN = sequential(40000, 40001, 40002, filtering=ADF)
