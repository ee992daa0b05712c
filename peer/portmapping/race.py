"""The three protocols beside one another: who is there, and a mapping by the first that answers.

All three are asked at once *whether they are there*, which changes nothing. Only then one of them is asked
for the port: on a gateway that speaks several of them they are three doors to one table, so a second mapping
for the port would be the first one's, and removing the loser's would remove the winner's.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from natcore.address import IPAddress, TransportAddress
from natcore.portmap import NONCE_LENGTH, MappingProtocol
from peer.errors import MappingFailed
from peer.portmapping.control import ControlMethod
from peer.portmapping.gateway import Gateway
from peer.portmapping.method import Mapping, Method, Wanted
from peer.portmapping.upnp import UpnpMethod

logger = logging.getLogger(__name__)

ALL_PROTOCOLS = (MappingProtocol.PCP, MappingProtocol.NAT_PMP, MappingProtocol.UPNP)
"""In the order of preference where several have answered: PCP knows by a secret whose a mapping is, it and
NAT-PMP notice a restart by the gateway's clock, and UPnP is XML over a dozen TCP connections."""

FIND_TIMEOUT = 4.0
"""Seconds for a gateway that answers, but slowly; where nobody answers, it takes one."""

REMOVE_TIMEOUT = 1.5
"""Seconds for ending a mapping when we leave, an answer that was lost included."""


def methods_for(
    gateway: Gateway, protocols: Collection[MappingProtocol] = ALL_PROTOCOLS, *, nonce: bytes | None = None
) -> list[Method]:
    """One method a protocol, in the order of preference; to be closed by who asks for them.

    Args:
        gateway: whom to ask.
        protocols: which ones.
        nonce: of the mappings that PCP makes; None for a new one.
    """
    nonce = secrets.token_bytes(NONCE_LENGTH) if nonce is None else nonce
    return [_method(one, gateway, nonce) for one in ALL_PROTOCOLS if one in protocols]


async def close_all(methods: Sequence[Method]) -> None:
    """Closes their sockets."""
    for method in methods:
        await method.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came of asking one protocol.

    Attributes:
        reason: why it cannot be used; None where it can.
        external_ip: what the gateway claims to have outside; None where it does not tell.
    """

    reason: str | None = None
    external_ip: IPAddress | None = None


async def find(method: Method) -> Found:
    """Asks one protocol whether it is there."""
    try:
        async with asyncio.timeout(FIND_TIMEOUT):
            return Found(external_ip=await method.find())
    except TimeoutError:
        return Found(reason=f"no end of its answer in {FIND_TIMEOUT:g} s")
    except MappingFailed as exc:
        return Found(reason=exc.reason)


async def remove(method: Method, mapping: Mapping) -> None:
    """Ends a mapping, or gives up soon: then its lifetime ends it."""
    try:
        async with asyncio.timeout(REMOVE_TIMEOUT):
            await method.unmap(mapping)
            logger.info("= %s is not mapped any more", mapping.external)
    except (MappingFailed, TimeoutError) as exc:
        logger.info("! the mapping of %s was not removed: %s", mapping.external, ascii(str(exc)))


async def obtain(methods: Sequence[Method], wanted: Wanted) -> tuple[Method, Mapping]:
    """Asks all methods at once and maps with the first that answers; with the next where that fails.

    Raises:
        MappingFailed: none of them maps the port; the reasons, in the order of preference.
    """
    reasons: dict[MappingProtocol, str] = {}
    async with asyncio.TaskGroup() as tasks:
        asked = {tasks.create_task(find(method)): method for method in methods}
        pending = set(asked)
        try:
            while pending:
                answered, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in sorted(answered, key=list(asked).index):
                    mapping = await _map_if_there(asked[task], task.result(), wanted, reasons)
                    if mapping is not None:
                        return asked[task], mapping
        finally:
            for task in pending:
                task.cancel()
    told = "; ".join(f"{one.protocol.value}: {reasons[one.protocol]}" for one in methods)
    raise MappingFailed(reason=told)


async def _map_if_there(
    method: Method, found: Found, wanted: Wanted, reasons: dict[MappingProtocol, str]
) -> Mapping | None:
    reason = found.reason
    if reason is None:
        try:
            return await method.map(wanted)
        except asyncio.CancelledError:
            await remove(method, _perhaps_made(method, wanted))
            raise
        except MappingFailed as exc:
            reason = exc.reason
    logger.info("= no port mapping by %s: %s", method.protocol.value, ascii(reason))
    reasons[method.protocol] = reason
    return None


def _perhaps_made(method: Method, wanted: Wanted) -> Mapping:
    """What the gateway may have granted in an answer that nobody waited for."""
    port = wanted.external_port or wanted.internal.port
    return Mapping(
        protocol=method.protocol,
        gateway=wanted.internal.ip,
        internal=wanted.internal,
        external=TransportAddress(wanted.internal.ip, port),
        lifetime=wanted.lifetime,
    )


def _method(protocol: MappingProtocol, gateway: Gateway, nonce: bytes) -> Method:
    if protocol is MappingProtocol.UPNP:
        return UpnpMethod(gateway)
    return ControlMethod(protocol, gateway, nonce=nonce)
