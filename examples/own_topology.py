"""A lab of one's own: two homes behind one carrier's NAT, and two devices in one of them.

::

    server ----- internet ----- carrier --+-- home -------+-- laptop
                                          |               +-- phone
                                          +-- neighbour ----- desktop

Run it as root, or with ``netlab rootless -- python examples/own_topology.py``. The same lab as a file is in
``own_topology.toml``.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from natcore.nat import FilteringBehavior, NatBehavior, PortAllocation
from netlab import Host, Interface, Lab, Link, Nat, NatProfile, Topology, profile

CARRIER = NatProfile(
    name="carrier",
    behavior=NatBehavior(
        filtering=FilteringBehavior.ADDRESS_DEPENDENT, allocation=PortAllocation.RANDOM, hairpinning=True
    ),
    summary="a carrier's NAT",
    devices="",
)

HOME_NETWORK = IPv4Network("192.168.1.0/24")


def host(name: str, address: str, nat: str | None = None) -> Host:
    """A host with one interface."""
    return Host(name=name, interfaces=(Interface(nat=nat, addresses=(IPv4Address(address),)),))


TOPOLOGY = Topology(
    rtt=0.020,
    nats=(
        Nat(
            name="carrier",
            profile=CARRIER,
            wan_address=IPv4Address("203.0.113.7"),
            lan_network=IPv4Network("100.64.0.0/24"),
        ),
        Nat(
            name="home",
            profile=profile("port-restricted"),
            behind="carrier",
            wan_address=IPv4Address("100.64.0.2"),
            lan_network=HOME_NETWORK,
            link=Link(delay=0.005),
        ),
        Nat(
            name="neighbour",
            profile=profile("port-restricted"),
            behind="carrier",
            wan_address=IPv4Address("100.64.0.3"),
            lan_network=HOME_NETWORK,
        ),
    ),
    hosts=(
        host("server", "198.51.100.10"),
        host("laptop", "192.168.1.10", nat="home"),
        host("phone", "192.168.1.11", nat="home"),
        host("desktop", "192.168.1.20", nat="neighbour"),
    ),
)


def main() -> None:
    """Builds the lab, shows what was proven of it, and who reaches whom."""
    with Lab(TOPOLOGY) as lab:
        for proof in lab.proofs:
            print(f"{proof.node} is {proof.profile}: {proof.measured['filtering']} filtering")
        for name, address in (
            ("server", "198.51.100.10"),
            ("phone", "192.168.1.11"),
            ("desktop", "192.168.1.20"),
        ):
            ping = lab.run("laptop", ["ping", "-c", "1", "-W", "1", address])
            print(f"laptop {'reaches' if ping.returncode == 0 else 'does not reach'} {name}")


if __name__ == "__main__":
    main()
