"""What a client tells its peers of its NAT, from what it has found."""

from __future__ import annotations

from natcore.control.messages import NatSummary
from natcore.discovery.report import DiscoveryReport, value_of


def nat_summary(report: DiscoveryReport, *, sockets: int) -> NatSummary | None:
    """The summary, or None where mapping, filtering or allocation is unknown.

    Args:
        report: what was found.
        sockets: how many further sockets we would open for one peer.
    """
    mapping, filtering = value_of(report.mapping), value_of(report.filtering)
    allocation = value_of(report.allocation)
    if mapping is None or filtering is None or allocation is None:
        return None
    return NatSummary(
        mapping=mapping.value,
        filtering=filtering.value,
        allocation=allocation.kind.value,
        step=allocation.step or 0,
        lowest=max(1, allocation.lowest),
        highest=max(1, allocation.highest),
        sockets=sockets,
    )
