"""A node's port at its gateway: asked for in the background while the node is Awake, and told to peers."""

from __future__ import annotations

import asyncio
import logging

from natcore.address import ReflexiveAddress, TransportAddress
from peer.driver import Driver
from peer.portmapping import MapperConfig, PortMapper, Wanted, may_be_behind_nat
from peer.text import printable
from peer.trace import Trace

logger = logging.getLogger(__name__)


class Forwarding:
    """Asks once for each socket that the server observes: in another network there is another gateway.

    Args:
        driver: of the endpoint that tells the peers.
        tasks: where the asking runs.
        config: how.
        trace: where mappings are recorded.
    """

    def __init__(self, driver: Driver, tasks: asyncio.TaskGroup, config: MapperConfig, trace: Trace) -> None:
        self._driver = driver
        self._tasks = tasks
        self._config = config
        self._trace = trace
        self._base: TransportAddress | None = None
        self._mapper: PortMapper | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Asks the gateway; does nothing the second time, or where there can be none."""
        base = self._driver.endpoint.base
        if base is None or base == self._base:
            return
        self.cancel()
        self._base = base
        if not may_be_behind_nat(base.ip):
            return
        wanted = Wanted(internal=base, external_port=base.port)
        self._mapper = PortMapper(wanted, tell=self._handle_mapping, config=self._config)
        self._task = self._tasks.create_task(self._run(self._mapper))

    def judge(self, observed: ReflexiveAddress) -> None:
        """Where no NAT has been observed, none is to be opened; in another network, another."""
        self.begin()
        if observed == self._driver.endpoint.base:
            self.cancel()

    def cancel(self) -> None:
        """Stops asking; a mapping that there is, is given back."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self, mapper: PortMapper) -> None:
        try:
            await mapper.run()
        except Exception:
            logger.exception("! port mapping ended")  # a defect of ours in there must not end the node
        if mapper.reason is not None:
            logger.info("= no port mapping: %s", printable(mapper.reason))

    def _handle_mapping(self) -> None:
        mapping = None if self._mapper is None else self._mapper.mapping
        self._driver.endpoint.set_mapped(None if mapping is None else mapping.external)
        self._driver.transmit()
        if mapping is None:
            self._trace.event(self._driver.now, "PortUnmapped")
        else:
            name = mapping.protocol.value
            self._trace.event(self._driver.now, "PortMapped", external=mapping.external, protocol=name)
