"""A mapping ends in the second that was claimed, whatever remembers it and whatever it has been used for."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import product

import pytest

from tests.lab.bare_router import (
    ONE_HOST,
    TWO_HOSTS,
    BareRouter,
    Endpoint,
    changed,
    endpoint_of,
    endpoint_outside,
    heard,
    router_with,
)

pytestmark = pytest.mark.lab

LIFETIME = 3.0
"""Seconds; connection tracking takes a flow for a stream after 2 s, and has a second timer for it."""

USED_FOR, PACKETS = 2.4, 6
"""Seconds of use, and how many packets of each kind come in that time."""

ALIVE, GONE = 0.9, 1.1
"""When to knock, in lifetimes from the last packet that counts."""

UNSURE = 0.02
"""Lifetimes by which a clock may be off that stands still between packets: 60 ms; 30 ms were measured."""

KEEPERS = [
    *((name, ONE_HOST, True) for name in ("port-restricted", "full-cone", "address-restricted", "symmetric")),
    *((name, TWO_HOSTS, True) for name in ("port-restricted", "full-cone", "address-restricted", "naive")),
    *((name, ONE_HOST, True) for name in ("eim-eif-random", "adm-adf-random", "symmetric-sequential")),
    *((name, ONE_HOST, False) for name in ("port-restricted", "full-cone", "eim-adf-random", "symmetric")),
]
"""Everything that remembers a mapping, and whether packets from outside keep it alive."""


@dataclass(slots=True, kw_only=True)
class Mapping:
    """A mapping that is used for a while, and knocked at after a time.

    Attributes:
        label: of what router it is, and for what it is used.
        host: its inside endpoint.
        server: whom it was made for.
        external: its external endpoint.
        refreshes: whether packets from outside keep it alive.
        silence: seconds without a packet that counts, before the knock.
    """

    label: str
    host: socket.socket
    server: socket.socket
    external: Endpoint
    refreshes: bool
    silence: float = 0.0
    _since: float = field(default_factory=time.monotonic)
    _token: bytes = field(default_factory=lambda: secrets.token_bytes(8))

    def send_out(self) -> None:
        self.host.sendto(b"out", endpoint_of(self.server))
        self._since = time.monotonic()

    def send_in(self) -> None:
        self.server.sendto(b"in", self.external)
        if self.refreshes:
            self._since = time.monotonic()

    def knock(self) -> None:
        self.silence = time.monotonic() - self._since
        self.server.sendto(self._token, self.external)

    @property
    def is_alive(self) -> bool:
        """Whether the knock was heard."""
        return heard(self.host, self._token, within=0.01) is not None


USES: dict[str, tuple[Callable[[Mapping], None], ...]] = {
    "talk": (Mapping.send_out, Mapping.send_in),
    "packets out": (Mapping.send_out,),
    "packets in": (Mapping.send_in,),
}

Plan = list[tuple[float, Callable[[], None]]]


def test_every_mapping_ends_in_the_second_that_was_claimed() -> None:
    """Every engine and every use side by side, so that it takes as long as one of them."""
    plan: Plan = []
    mappings: list[Mapping] = []
    with ExitStack() as stack:
        routers: list[tuple[str, bool, BareRouter]] = []
        for name, facts, refreshes in KEEPERS:
            one = changed(name, mapping_lifetime=LIFETIME, inbound_refresh=refreshes)
            label = f"{name}, {len(facts.hosts)} hosts, inbound refresh {refreshes}"
            routers.append((label, refreshes, stack.enter_context(router_with(one, facts))))
        for label, refreshes, router in routers:
            server = router.on_internet()
            for use, share in product(USES, (ALIVE, GONE)):
                host = router.at_home()
                external = endpoint_outside(server, host)
                mapping = Mapping(
                    label=f"{label}, {use}", host=host, server=server, external=external, refreshes=refreshes
                )
                mappings.append(mapping)
                plan += planned(mapping, use, silence=share * LIFETIME)
        for instant, act in sorted(plan, key=lambda entry: entry[0]):
            time.sleep(max(0.0, instant - time.monotonic()))
            act()
        outcomes = [(one.label, one.silence / LIFETIME, one.is_alive) for one in mappings]
    known = [each for each in outcomes if abs(each[1] - 1) > UNSURE]
    assert not [each for each in known if each[2] is not (each[1] < 1)]
    assert len(known) > len(outcomes) / 2, "the machine was too busy to look in time"


def planned(mapping: Mapping, use: str, *, silence: float) -> Plan:
    """When to do what with a mapping that has just been made."""
    now = time.monotonic()
    uses = [now + USED_FOR * number / PACKETS for number in range(1, PACKETS + 1)]
    counts = mapping.refreshes or Mapping.send_out in USES[use]
    knock = (uses[-1] if counts else now) + silence
    return [
        *((instant, partial(act, mapping)) for instant in uses for act in USES[use]),
        (knock, mapping.knock),
    ]
