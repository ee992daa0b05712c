"""One whole check: names, both address families, TCP and the gateway, all at the same time.

Nothing in here knows what a NAT does; it carries bytes and instants between sockets and natcore.discovery.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from natcore.address import IPAddress, TransportAddress
from natcore.discovery import (
    DiscoveryReport,
    Known,
    LifetimeConfig,
    LifetimeProgress,
    value_of,
)
from peer.check.behavior import discover, measure_lifetime
from peer.check.report import CheckReport, FamilyReport, Observed, reach_rows
from peer.check.servers import resolve
from peer.check.verdict import judge
from peer.errors import ServerUnreachable
from peer.portmapping import ProtocolSurvey, Survey, survey
from peer.server_address import ServerAddress
from peer.sockets import address_towards

PROTOCOL_NAMES = {"upnp": "UPnP", "nat_pmp": "NAT-PMP", "pcp": "PCP"}
"""The fields of a survey, as people call them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """What is to be checked.

    Attributes:
        servers: whom to ask, best first.
        ask_gateway: whether the gateway is asked which port mapping protocols it speaks.
        lifetime: how a mapping's lifetime is measured, or None for not at all.
    """

    servers: tuple[ServerAddress, ...]
    ask_gateway: bool = True
    lifetime: LifetimeConfig | None = None


async def check(
    options: CheckOptions, *, progress: Callable[[LifetimeProgress], None] = lambda _: None
) -> CheckReport:
    """Measures and judges.

    Args:
        options: what.
        progress: hears how far the measurement of the lifetime has come.

    Raises:
        ServerUnreachable: no server's name resolves, or this host has no address that leads to any.
    """
    started_at = asyncio.get_running_loop().time()
    resolved = await resolve(options.servers)
    if not resolved.addresses:
        names = ", ".join(map(str, options.servers))
        raise ServerUnreachable(server=names, detail="no name of a server resolves")
    async with asyncio.TaskGroup() as tasks:
        gateway = tasks.create_task(_survey(options.ask_gateway, resolved.addresses))
        by_family = {
            version: tasks.create_task(_discover(_of_family(resolved.addresses, version), options, progress))
            for version in (4, 6)
        }
    ipv4, ipv6 = by_family[4].result(), by_family[6].result()
    if isinstance(ipv4, str) and isinstance(ipv6, str):
        raise ServerUnreachable(server=", ".join(map(str, options.servers)), detail=ipv4)
    return _report(
        ipv4,
        ipv6,
        gateway.result(),
        notes=resolved.failures,
        elapsed=asyncio.get_running_loop().time() - started_at,
    )


def _of_family(addresses: Sequence[TransportAddress], version: int) -> tuple[TransportAddress, ...]:
    return tuple(one for one in addresses if one.ip.version == version)


# --- one address family ------------------------------------------------------------------------------------


async def _discover(
    servers: tuple[TransportAddress, ...],
    options: CheckOptions,
    progress: Callable[[LifetimeProgress], None],
) -> DiscoveryReport | str:
    """The report of one family, or why there is none."""
    if not servers:
        return "no server has an address of this family"
    local = address_towards(servers[0].ip)
    if local is None:
        return "this host has no address of this family that leads to a server"
    try:
        report = await discover(local, servers)
        if options.lifetime is None or report.is_blocked or report.rtt is None:
            return report
        finding = await measure_lifetime(local, report, options.lifetime, progress)
    except OSError as exc:  # too many open files, or an address that has just gone
        return f"no sockets can be opened: {exc.strerror or exc}"
    return replace(report, mapping_lifetime=finding)


# --- the gateway -------------------------------------------------------------------------------------------


async def _survey(is_wanted: bool, servers: Sequence[TransportAddress]) -> Survey | None:
    ipv4 = _of_family(servers, 4)
    local = address_towards(ipv4[0].ip) if ipv4 else None
    if not is_wanted or local is None or local.is_loopback:
        return None
    return await survey(local)


def external_address(found: Survey | None) -> IPAddress | None:
    """What the gateway calls its outside address, by whichever protocol says it."""
    if found is None:
        return None
    said = (found.pcp.external_address, found.nat_pmp.external_address, found.upnp.external_address)
    return next((ip for ip in said if ip is not None), None)


def _protocols(found: Survey) -> dict[str, Observed]:
    rows: dict[str, ProtocolSurvey] = {name: getattr(found, name) for name in PROTOCOL_NAMES}
    return {
        PROTOCOL_NAMES[name]: Observed.of(
            Known(True, f"{row.gateway} speaks it")
            if row.is_available
            else Known(False, row.reason or "nobody answers")
        )
        for name, row in rows.items()
    }


# --- the report --------------------------------------------------------------------------------------------


def _report(
    ipv4: DiscoveryReport | str,
    ipv6: DiscoveryReport | str,
    found: Survey | None,
    *,
    notes: Sequence[str],
    elapsed: float,
) -> CheckReport:
    four = ipv4 if isinstance(ipv4, DiscoveryReport) else None
    six = ipv6 if isinstance(ipv6, DiscoveryReport) else None
    has_gateway = found is not None and any(getattr(found, name).is_available for name in PROTOCOL_NAMES)
    external = external_address(found)
    if four is not None and external is not None:
        four = four.with_gateway(external)
    has_mapped_port = has_gateway and four is not None and external in four.reflexive_addresses
    verdict = judge(
        four,
        has_mapped_port=has_mapped_port,
        has_gateway=has_gateway,
        has_ipv6=six is not None and value_of(six.udp_blocked) is False,
    )
    return CheckReport(
        ipv4=None if four is None else FamilyReport.of(four),
        ipv6=None if six is None else FamilyReport.of(six),
        ipv4_unknown_because=ipv4 if isinstance(ipv4, str) else None,
        ipv6_unknown_because=ipv6 if isinstance(ipv6, str) else None,
        port_mapping={} if found is None else _protocols(found),
        verdict=verdict.sentence,
        advice=verdict.advice,
        reach=reach_rows(four, has_mapped_port=has_mapped_port),
        notes=tuple(notes),
        elapsed=round(elapsed, 6),
    )
