"""Our side of the race: ``python -m benchmarks.lab_builder [--rootless]`` builds netlab's labs on order.

An order to build says besides ``homes`` which ``backend`` to take and whether to ``prove`` the NATs. With
``--rootless`` the program, which must have been started as a user, goes into that user's world first.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack, closing
from ipaddress import IPv4Address, IPv4Network

from benchmarks.builder import MAX_PINGS, PING, Order, answer, obey
from netlab.backends import backend_named
from netlab.errors import LabError, ProcessFailed
from netlab.interrupts import interrupt_on_sigterm
from netlab.lab import Lab
from netlab.profiles import profile
from netlab.rootless.world import enter
from netlab.topology import Host, Interface, Nat, Topology
from netlab.topology.scenes import SERVER, SERVER_ADDRESSES, two_nats

PROFILES = tuple(map(profile, ("port-restricted", "symmetric")))
"""The homes take them in turn."""

_PUBLIC = IPv4Network("203.0.113.0/24")
_HOME = IPv4Network("192.168.1.0/24")


def topology_of(homes: int) -> Topology:
    """A server, and so many hosts behind a NAT each; with two homes it is the scene of every traversal."""
    if homes == len(PROFILES):
        return two_nats(*PROFILES)
    nats = tuple(
        Nat(
            name=f"nat-{number}",
            profile=PROFILES[number % len(PROFILES)],
            wan_address=_PUBLIC[number],
            lan_network=_HOME,
        )
        for number in range(1, homes + 1)
    )
    hosts = (_host(f"host-{nat.name}", _HOME[10], nat.name) for nat in nats)
    return Topology(nats=nats, hosts=(_host(SERVER, SERVER_ADDRESSES[0]), *hosts))


def _host(name: str, address: IPv4Address, nat: str | None = None) -> Host:
    return Host(name=name, interfaces=(Interface(nat=nat, addresses=(address,)),))


class LabBuilder:
    """Implements :class:`benchmarks.builder.Builder`."""

    def __init__(self) -> None:
        self._up = ExitStack()

    def prepare(self, order: Order) -> None:
        """Makes Docker's image, which an edit of our sources while the race runs would make anew."""
        if order["backend"] == "docker":
            from netlab.docker.client import connect  # needs the Docker SDK, which most labs do not
            from netlab.docker.images import ensure_image

            with closing(connect()) as client:
                ensure_image(client)

    def up(self, order: Order) -> None:
        """Builds a lab and pings the server from every home.

        Raises:
            LabError: it could not be built, or carries no ping.
        """
        topology = topology_of(order["homes"])
        backend = backend_named(order["backend"])
        lab = self._up.enter_context(Lab(topology, backend=backend, prove=order["prove"]))
        for nat in topology.nats:
            _reach_server(lab, topology.hosts_behind(nat)[0].name)

    def down(self) -> None:
        """Removes the lab if there is one."""
        self._up.close()


def _reach_server(lab: Lab, host: str) -> None:
    ping = [*PING, str(SERVER_ADDRESSES[0])]
    if not any(lab.run(host, ping).returncode == 0 for _ in range(MAX_PINGS)):
        raise ProcessFailed(f"ping on {host}", expected="an answer", got=f"none to {MAX_PINGS}")


def main() -> None:
    """The program."""
    interrupt_on_sigterm()
    try:
        if "--rootless" in sys.argv[1:]:
            enter()
    except LabError as problem:
        answer({"absent": str(problem)})
        return
    obey(LabBuilder())


if __name__ == "__main__":
    main()
