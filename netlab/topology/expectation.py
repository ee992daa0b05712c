"""What the law of NATs says of two hosts of a topology, so that a test can hold a program against it."""

from __future__ import annotations

from itertools import product

from natcore.nat import Outcome, expected_outcome
from netlab.errors import NodeNotFound, UsageProblem
from netlab.topology.values import Host, Interface, Topology

_BEST_FIRST = (Outcome.DIRECT, Outcome.TIMING, Outcome.IMPOSSIBLE)


class NoPrediction(UsageProblem):
    """Two hosts of which the law says nothing, because they share a router.

    Attributes:
        hosts: the two.
        router: what they share.
    """

    def __init__(self, hosts: tuple[str, str], *, router: str) -> None:
        self.hosts = hosts
        self.router = router
        super().__init__(hosts, router)

    def __str__(self) -> str:
        one, other = self.hosts
        return f"no prediction for {one} and {other}: both are behind {self.router}, and may meet inside"


def expected_between(topology: Topology, a: str, b: str) -> Outcome:
    """What plain connectivity checks between two hosts come to, over UDP and IPv4.

    It is :func:`natcore.nat.expected_outcome` of all the routers on either side. A host with several
    interfaces may use the best of them. Where both have IPv6, that is one more way, of which nothing is said
    here.

    Raises:
        NodeNotFound: the topology has no host of that name.
        NoPrediction: the two share a router.
    """
    one, other = (_host(topology, name) for name in (a, b))
    pairs = list(product(one.interfaces, other.interfaces))
    for leg, far_leg in pairs:
        if shared := _shared_router(topology, leg, far_leg):
            raise NoPrediction((a, b), router=shared)
    outcomes = {
        expected_outcome(topology.behavior_of(leg), topology.behavior_of(far_leg)) for leg, far_leg in pairs
    }
    return next(outcome for outcome in _BEST_FIRST if outcome in outcomes)


def _host(topology: Topology, name: str) -> Host:
    for host in topology.hosts:
        if host.name == name:
            return host
    raise NodeNotFound(name, known=[host.name for host in topology.hosts])


def _shared_router(topology: Topology, one: Interface, other: Interface) -> str | None:
    others = {router.name for router in topology.chain(other.nat)}
    return next((router.name for router in topology.chain(one.nat) if router.name in others), None)
