"""Reports of whole checks, for tests of what is shown of them."""

from __future__ import annotations

from typing import Any

import msgspec

from natcore.discovery import DiscoveryReport
from peer.check.report import CheckReport, FamilyReport, Observed, reach_rows
from peer.check.verdict import judge
from tests.unit.natcore.discovery.reports import report_of

NO_IPV6 = "no server has an address of this family"


def check_of(found: DiscoveryReport | None = None, **changes: Any) -> CheckReport:
    """What a check over IPv4 reports, but for the ``changes``."""
    report = report_of() if found is None else found
    verdict = judge(report, has_mapped_port=False, has_gateway=False, has_ipv6=False)
    whole = CheckReport(
        ipv4=FamilyReport.of(report),
        ipv6=None,
        ipv6_unknown_because=NO_IPV6,
        port_mapping={"UPnP": Observed(value=False, evidence="nobody answers")},
        verdict=verdict.sentence,
        advice=verdict.advice,
        reach=reach_rows(report, has_mapped_port=False),
        elapsed=0.5,
    )
    return msgspec.structs.replace(whole, **changes)
