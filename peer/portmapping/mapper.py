"""Keeping one UDP port mapped: obtained, renewed, watched, and removed at the end.

A gateway that restarts forgets its mappings. NAT-PMP and PCP show it by their clocks and UPnP by its list, so
one of these is looked at every minute; waiting for the renewal would leave a hole of half an hour.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from natcore.address import TransportAddress
from natcore.portmap import MAX_LIFETIME, Lease, MappingProtocol
from peer.errors import MappingFailed
from peer.portmapping.gateway import Gateway, find_gateway
from peer.portmapping.method import WANTED_LIFETIME, Mapping, Method, Wanted
from peer.portmapping.race import ALL_PROTOCOLS, close_all, methods_for, obtain, remove

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MapperConfig:
    """What can be chosen about a mapper.

    Attributes:
        protocols: which ones are tried.
        lifetime: seconds that are asked for.
        watch_interval: seconds between two looks at whether the mapping is still there.
        retry_interval: seconds after a mapping was lost, before the gateway is asked for a new one.
    """

    protocols: Collection[MappingProtocol] = ALL_PROTOCOLS
    lifetime: int = WANTED_LIFETIME
    watch_interval: float = 60.0
    retry_interval: float = 60.0


class PortMapper:
    """See the module.

    Attributes:
        mapping: what there is now, or None.
        reason: why there is none, or None while that is not known; it may hold a gateway's text.
    """

    def __init__(
        self,
        wanted: Wanted,
        *,
        tell: Callable[[], None],
        config: MapperConfig | None = None,
        gateway: Gateway | None = None,
        nonce: bytes | None = None,
    ) -> None:
        """Makes a mapper that has asked for nothing yet.

        Args:
            wanted: what is to be mapped; its lifetime gives way to the configured one.
            tell: called when ``mapping`` has changed.
            config: the defaults suit.
            gateway: whom to ask instead of the gateway of the default route.
            nonce: of a mapping that PCP made before, which is to go on.
        """
        self.mapping: Mapping | None = None
        self.reason: str | None = None
        self._config = config or MapperConfig()
        self._wanted = replace(wanted, lifetime=self._config.lifetime)
        self._tell = tell
        self._gateway = gateway
        self._nonce = nonce

    async def run(self) -> None:
        """Keeps the port mapped until cancelled, then removes the mapping; ends where there can be none."""
        try:
            gateway = self._gateway or find_gateway(self._wanted.internal.ip)
        except MappingFailed as exc:
            self.reason = exc.reason
            return
        methods = methods_for(gateway, self._config.protocols, nonce=self._nonce)
        try:
            while (method := await self._obtain(methods)) is not None:
                await self._keep(method)
                await asyncio.sleep(self._config.retry_interval)
        finally:
            await close_all(methods)

    async def _obtain(self, methods: Sequence[Method]) -> Method | None:
        try:
            method, mapping = await obtain(methods, self._wanted)
        except MappingFailed as exc:
            self.reason = exc.reason
            return None
        self._set(mapping)
        return method

    async def _keep(self, method: Method) -> None:
        """Renews and watches until the mapping is lost; removes it where we are the ones who leave."""
        try:
            await self._renew_until_lost(method)
        finally:
            mapping = self.mapping
            self._set(None)
            if mapping is not None:
                await remove(method, mapping)

    async def _renew_until_lost(self, method: Method) -> None:
        loop = asyncio.get_running_loop()
        lease = self._lease(loop.time())
        while not lease.is_expired(loop.time()):
            wake_at = min(lease.renew_at, loop.time() + self._config.watch_interval)
            await asyncio.sleep(wake_at - loop.time())
            is_gone = loop.time() < lease.renew_at and await self._is_gone(method)
            if not is_gone and loop.time() < lease.renew_at:
                continue
            try:
                self._set(await method.map(self._renewal()))
            except MappingFailed as exc:
                self.reason = exc.reason
                if is_gone:
                    return
                lease.attempt_failed(loop.time())
            else:
                lease = self._lease(loop.time())

    async def _is_gone(self, method: Method) -> bool:
        """Whether the gateway says so; one that says nothing may be restarting, and is asked again later."""
        if self.mapping is None:
            return True
        try:
            is_gone = not await method.is_there(self.mapping)
        except MappingFailed as exc:
            logger.info("! the gateway was asked whether the mapping is there: %s", ascii(exc.reason))
            return False
        if is_gone:
            logger.info("= the gateway has lost the mapping of %s", self.mapping.external)
        return is_gone

    def _renewal(self) -> Wanted:
        port = self._wanted.external_port if self.mapping is None else self.mapping.external.port
        return replace(self._wanted, external_port=port)

    def _lease(self, now: float) -> Lease:
        lifetime = None if self.mapping is None else self.mapping.lifetime
        return Lease(
            lifetime=MAX_LIFETIME if lifetime is None else lifetime, now=now, random=secrets.token_bytes
        )

    def _set(self, mapping: Mapping | None) -> None:
        before, self.mapping = self.mapping, mapping
        if mapping is not None:
            self.reason = None
        if _external(before) != _external(mapping):
            logger.info("= mapped: %s", _external(mapping))
            self._tell()


def _external(mapping: Mapping | None) -> TransportAddress | None:
    return None if mapping is None else mapping.external
