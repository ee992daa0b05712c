"""What may happen to a network while programs run in it: reboots, new addresses, cut cables, other NATs.

Every event takes effect before its method returns. Rules alone change nothing for flows that exist, because
a NAT's rules see only the first packet of a flow; so whatever changes a router also makes it forget.

An event happens or does not: an interrupt waits for its end, and what the kernel refuses half-way is undone,
so what the lab is said to be is always what it is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from netlab.backend import namespace_of
from netlab.construction import (
    apply_distance,
    distance_of,
    follow_link,
    forget_mappings,
    remake_router,
)
from netlab.distance import with_link
from netlab.errors import BadTopology, LabError, NodeNotFound, ProcessFailed
from netlab.interrupts import interrupts_deferred
from netlab.process import NodeProcess
from netlab.profiles import Boundary, NatProfile
from netlab.tools import run_tool
from netlab.topology import CORE, SINK_ADDRESS, Nat, Topology
from netlab.topology.link import Link
from netlab.wiring import Cable, cables, core_side, outer_side

if TYPE_CHECKING:
    from netlab.lab import Lab

_CARRIER_TIMEOUT = 5.0
"""Seconds; Linux reports a second change of carrier up to 1 s after the first one."""

_POLL_INTERVAL = 0.01
"""Seconds between looks at an interface."""

MAX_TRAFFIC = 1000
"""New mappings a second of background traffic; beyond it the machine is measured, not the NAT."""


class Events:
    """The events of one lab, as ``lab.events``.

    Routers and hosts are named as in the topology. Every method raises NodeNotFound for a name that is none,
    and ToolFailed where the kernel refused.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    @interrupts_deferred()
    def reboot(self, nat: str) -> None:
        """Power-cycles a router: all mappings are gone, and random ports come in another order than before.

        A NAT that preserves ports maps as before once its hosts send again; until then nobody reaches them.
        """
        router = self._router(nat)
        remake_router(self._lab.name, self._now, router)

    @interrupts_deferred()
    def forget(self, nat: str) -> None:
        """Has a router forget its mappings and nothing else."""
        forget_mappings(self._lab.name, self._now, self._router(nat))

    @interrupts_deferred()
    def swap(self, nat: str, profile: NatProfile) -> None:
        """Puts another profile in a router's place.

        Raises:
            BadTopology: the profile is ``open`` or two routers, or filters where this one translates.
        """
        old = self._router(nat)
        if (old.profile.boundary is Boundary.FIREWALL) is not (profile.boundary is Boundary.FIREWALL):
            addresses = "private" if old.translates else "public"
            raise BadTopology(f"{nat!r} cannot become {profile.name!r}: its home has {addresses} addresses")
        new = replace(old, profile=profile)
        before, changed = self._now, self._with(old, new)
        with _or_else(lambda: remake_router(self._lab.name, before, old)):
            remake_router(self._lab.name, changed, new)
            self._lab.adopt(changed)

    @interrupts_deferred()
    def change_address(self, nat: str, address: IPv4Address) -> None:
        """Gives a router another address on the side of the internet, as a provider does at night.

        Raises:
            BadTopology: the address is taken, or cannot be there, or the router's cable is cut.
        """
        old = self._router(nat)
        new = replace(old, wan_address=address)
        before, changed = self._now, self._with(old, new)
        cable = self._cable(nat, 0)
        if not _is_up(namespace_of(self._lab.name, cable.parent), cable.port):
            raise BadTopology(f"the cable of {nat!r} is cut: restore it first")
        with _or_else(lambda: self._move(new, old, before)):
            self._move(old, new, changed)
            self._lab.adopt(changed)

    def _move(self, old: Nat, new: Nat, changed: Topology) -> None:
        """Gives a router its new address, wherever on the way there it is."""
        cable = replace(self._cable(new.name, 0), addresses=(new.wan_address,))
        if new.behind is None:
            leave = f"route flush exact {old.wan_address}/32 dev {cable.port}"
            self._configure(CORE, leave, *core_side(cable, changed))
        leave = f"address flush dev {cable.interface} to {old.wan_address}/32"
        self._configure(new.name, leave, *outer_side(new, changed))
        for router in changed.chain(new.name)[:2]:  # an outer router's rules name the inner one's address
            remake_router(self._lab.name, changed, router)
        if new.behind is not None:  # the outer router knows by the address whose link a packet came by
            for node, needed in distance_of(self._lab.name, changed).items():
                apply_distance(self._lab.name, node, needed)

    @interrupts_deferred()
    def cut(self, node: str, interface: int = 0) -> None:
        """Pulls the cable of a host's interface, or of a router towards the internet.

        The node sees its carrier go. Its addresses stay, and what it has mapped elsewhere lives on.
        """
        cable = self._cable(node, interface)
        self._configure(cable.parent, f"link set {cable.port} down")

    @interrupts_deferred()
    def restore(self, node: str, interface: int = 0) -> None:
        """Plugs in a cable that was cut."""
        cable = self._cable(node, interface)
        lines = core_side(cable, self._now) if cable.parent == CORE else [f"link set {cable.port} up"]
        self._configure(cable.parent, *lines)
        self._await_carrier(cable)

    @interrupts_deferred()
    def change_link(self, node: str, link: Link, interface: int = 0) -> None:
        """Gives the cable of a host's interface, or of a router towards the internet, another link.

        What is on its way already arrives as it would have.

        Raises:
            BadTopology: without netem only a link that had delay or loss from the start can be changed.
        """
        before = self._cable(node, interface)
        after = replace(before, link=link)
        now, changed = self._now, with_link(self._now, node, before.interface, link)
        with _or_else(lambda: follow_link(self._lab.name, after, before, now)):
            follow_link(self._lab.name, before, after, changed)
            self._lab.adopt(changed)

    def background_traffic(self, nat: str, mappings_per_second: float) -> NodeProcess:
        """Has another device in a router's home open so many new mappings a second, until it is stopped.

        Raises:
            BadTopology: more than the lab can do, or the home has no address left for the device.
            ProcessFailed: the program that does it did not start.
        """
        router = self._router(nat)
        if not 0 < mappings_per_second <= MAX_TRAFFIC:
            expected = f"more than 0 and at most {MAX_TRAFFIC} mappings a second"
            raise BadTopology(f"background traffic: got {mappings_per_second:g}, expected {expected}")
        taken = {router.gateway, *self._now.home_addresses(router)}
        last = int(router.lan_network.broadcast_address) - 1
        free = (IPv4Address(last - number) for number in range(router.lan_network.num_addresses - 2))
        device = next((address for address in free if address not in taken), None)
        if device is None:
            raise BadTopology(f"background traffic: no address of {router.lan_network} is free for a device")
        options = ("--from", str(device), "--to", str(SINK_ADDRESS), "--rate", f"{mappings_per_second:g}")
        return self._lab.start_instrument(nat, "traffic.py", *options)

    @property
    def _now(self) -> Topology:
        return self._lab.topology

    def _router(self, name: str) -> Nat:
        routers = {nat.name: nat for nat in self._now.nats}
        if name not in routers:
            raise NodeNotFound(name, known=routers, kind="router")
        return routers[name]

    def _cable(self, node: str, interface: int) -> Cable:
        known = {(cable.node, cable.interface): cable for cable in cables(self._now)}
        names = [f"eth{interface}", *(["wan0"] if interface == 0 else [])]
        found = [known[node, name] for name in names if (node, name) in known]
        if found:
            return found[0]
        ends = [end for end in known if end[0] == node]
        if not ends:
            raise NodeNotFound(node, known=dict.fromkeys(name for name, _ in known))
        raise NodeNotFound(f"{node} {names[0]}", known=map(" ".join, ends), kind="interface")

    def _await_carrier(self, cable: Cable) -> None:
        """The kernel tells the two ends of a cable that they are up some time after they are."""
        deadline = time.monotonic() + _CARRIER_TIMEOUT
        ends = ((cable.parent, cable.port), (cable.node, cable.interface))
        while not all(_is_up(namespace_of(self._lab.name, node), end) for node, end in ends):
            if time.monotonic() >= deadline:
                expected = f"a carrier within {_CARRIER_TIMEOUT:g} s"
                raise ProcessFailed(f"the cable of {cable.node}", expected=expected, got="none")
            time.sleep(_POLL_INTERVAL)

    def _with(self, old: Nat, new: Nat) -> Topology:
        """The topology with another router in one's place; raises BadTopology where that cannot be."""
        return replace(self._now, nats=tuple(new if nat is old else nat for nat in self._now.nats))

    def _configure(self, node: str, *lines: str) -> None:
        command = ["ip", "-n", namespace_of(self._lab.name, node), "-batch", "-"]
        run_tool(command, text="".join(f"{line}\n" for line in lines))


@contextmanager
def _or_else(undo: Callable[[], None]) -> Iterator[None]:
    """Has what an event did before it failed undone; what then cannot be is lost beside what failed first."""
    try:
        yield
    except BaseException:
        with suppress(LabError):
            undo()
        raise


def _is_up(namespace: str, interface: str) -> bool:
    links = json.loads(run_tool(["ip", "-n", namespace, "-json", "link", "show", "dev", interface]))
    return bool(links[0]["operstate"] == "UP")
