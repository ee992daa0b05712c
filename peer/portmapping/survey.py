"""Which of the three protocols the gateway speaks, for reports."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from natcore.address import IPAddress
from natcore.portmap import MappingProtocol
from peer.errors import MappingFailed
from peer.portmapping.gateway import Gateway, find_gateway
from peer.portmapping.method import Method
from peer.portmapping.race import ALL_PROTOCOLS, close_all, find, methods_for


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolSurvey:
    """One protocol.

    Attributes:
        is_available: whether the gateway speaks it.
        reason: why not; None where it does. It may hold a gateway's text: make it printable.
        external_address: what the gateway claims to have outside; None where the protocol does not tell
            without a mapping, which is PCP's way.
        gateway: who was asked; None where there is none.
    """

    is_available: bool
    reason: str | None
    external_address: IPAddress | None
    gateway: IPAddress | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """The three protocols."""

    upnp: ProtocolSurvey
    nat_pmp: ProtocolSurvey
    pcp: ProtocolSurvey


async def survey(local_ip: IPAddress | None = None, *, gateway: Gateway | None = None) -> Survey:
    """Asks the gateway for all three protocols at once; nothing is mapped. Takes 1 s where nobody answers.

    Args:
        local_ip: our address whose network's gateway is meant; None for that of the default route.
        gateway: whom to ask instead of the one of the default route.
    """
    try:
        asked = gateway or find_gateway(local_ip)
    except MappingFailed as exc:
        nobody = ProtocolSurvey(is_available=False, reason=exc.reason, external_address=None, gateway=None)
        return Survey(upnp=nobody, nat_pmp=nobody, pcp=nobody)
    methods = methods_for(asked, ALL_PROTOCOLS)
    try:
        async with asyncio.TaskGroup() as tasks:
            rows = {method.protocol: tasks.create_task(_survey_one(method, asked.ip)) for method in methods}
    finally:
        await close_all(methods)
    return Survey(
        upnp=rows[MappingProtocol.UPNP].result(),
        nat_pmp=rows[MappingProtocol.NAT_PMP].result(),
        pcp=rows[MappingProtocol.PCP].result(),
    )


async def _survey_one(method: Method, gateway: IPAddress) -> ProtocolSurvey:
    found = await find(method)
    return ProtocolSurvey(
        is_available=found.reason is None,
        reason=found.reason,
        external_address=found.external_ip,
        gateway=gateway,
    )
