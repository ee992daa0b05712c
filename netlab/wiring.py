"""From a topology to links, addresses and routes, as text for ``ip -batch``. Pure: nothing is run here.

The internet is one router, the core, and every public node hangs off it by a veth pair of its own::

    elsa eth0 --- p1 |lan0 bridge| nat-elsa wan0 --- v2 |      |
                                                        | inet | v1 --- eth0 server
    anna eth0 --- p1 |lan0 bridge| nat-anna wan0 --- v3 |      |

Each public address is a /32 route on the core, and the core answers on each link as 169.254.0.1, which the
node reaches ``onlink``. There is no flat bridge between public nodes: nothing short-cuts the core, so time to
live counts hops as in the world and one place can delay all traffic.

Names of interfaces mean the same in every node: ``wan0`` and ``lan0`` on a NAT, ``eth0`` on a host.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from netlab.backend import NodeSpec, namespace_of
from netlab.topology import CORE, INSTRUMENT_ADDRESSES, Host, Nat, Topology

WAN = "wan0"
LAN = "lan0"
HOST_INTERFACE = "eth0"

_GATEWAY = IPv4Address("169.254.0.1")

_IPV4_ONLY = {"net.ipv6.conf.all.disable_ipv6": "1", "net.ipv6.conf.default.disable_ipv6": "1"}
_ROUTER = _IPV4_ONLY | {
    "net.ipv4.ip_forward": "1",
    "net.ipv4.conf.all.rp_filter": "0",  # the delay line and asymmetric routes would look like spoofing
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv4.conf.all.send_redirects": "0",  # a hairpin must pass the NAT, not be redirected around it
    "net.ipv4.conf.default.send_redirects": "0",
    "net.bridge.bridge-nf-call-iptables": "0",  # or frames inside the home would pass the NAT's rules
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """Everything between bare nodes and a connected lab.

    Attributes:
        nodes: what to create, the core first.
        links: one ``ip -batch`` text for the host, making each veth pair right inside its two nodes.
        batches: for each node the ``ip -batch`` text to run inside it once the links are there.
    """

    nodes: tuple[NodeSpec, ...]
    links: str
    batches: Mapping[str, str]


def wire(topology: Topology, lab: str) -> Wiring:
    """The wiring of a topology for a lab of this name."""
    links: list[str] = []
    core = [f"address add {address}/32 dev lo" for address in INSTRUMENT_ADDRESSES]
    batches: dict[str, str] = {}
    for number, (node, interface, addresses) in enumerate(_public_nodes(topology), start=1):
        links.append(_link(lab, node, interface, CORE, f"v{number}"))
        core += _core_side(f"v{number}", addresses)
        batches[node] = _text(_public_side(interface, addresses))
    for nat in topology.nats:
        hosts = topology.hosts_behind(nat)
        batches[nat.name] += _text(_home_side(nat, port_count=len(hosts)))
        for number, host in enumerate(hosts, start=1):
            links.append(_link(lab, host.name, HOST_INTERFACE, nat.name, f"p{number}"))
            batches[host.name] = _text(_host_side(host, nat))
    return Wiring(nodes=_nodes(topology), links=_text(links), batches={CORE: _text(core), **batches})


def _nodes(topology: Topology) -> tuple[NodeSpec, ...]:
    core = NodeSpec(name=CORE, sysctls=_ROUTER)
    public = [NodeSpec(name=host.name, sysctls=_IPV4_ONLY) for host in topology.public_hosts]
    nats = [NodeSpec(name=nat.name, sysctls=_ROUTER | _lifetime(nat)) for nat in topology.nats]
    hosts = [NodeSpec(name=host.name, sysctls=_IPV4_ONLY) for host in topology.hosts]
    return (core, *public, *nats, *hosts)


def _lifetime(nat: Nat) -> dict[str, str]:
    """Both of Linux's UDP timers: the second one rules a flow that has lived for over 2 s."""
    seconds = f"{nat.profile.behavior.mapping_lifetime:.0f}"
    timers = ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream")
    return {f"net.netfilter.{timer}": seconds for timer in timers}


def _public_nodes(topology: Topology) -> Iterator[tuple[str, str, tuple[IPv4Address, ...]]]:
    for host in topology.public_hosts:
        yield host.name, HOST_INTERFACE, host.addresses
    for nat in topology.nats:
        yield nat.name, WAN, (nat.wan_address,)


def _link(lab: str, node: str, interface: str, far_node: str, far_interface: str) -> str:
    near = f"{interface} netns {namespace_of(lab, node)}"
    far = f"{far_interface} netns {namespace_of(lab, far_node)}"
    return f"link add name {near} type veth peer name {far}"


def _core_side(interface: str, addresses: tuple[IPv4Address, ...]) -> list[str]:
    return [
        f"address add {_GATEWAY}/32 dev {interface}",
        f"link set {interface} up",
        *(f"route add {address}/32 dev {interface}" for address in addresses),
    ]


def _public_side(interface: str, addresses: tuple[IPv4Address, ...]) -> list[str]:
    return [
        *(f"address add {address}/32 dev {interface}" for address in addresses),
        f"link set {interface} up",
        f"route add default via {_GATEWAY} dev {interface} onlink src {addresses[0]}",
    ]


def _home_side(nat: Nat, *, port_count: int) -> list[str]:
    ports = [f"p{number}" for number in range(1, port_count + 1)]
    return [
        f"link add name {LAN} type bridge forward_delay 0",  # or the bridge is deaf for its first 15 s
        f"address add {nat.lan_address}/{nat.lan_network.prefixlen} dev {LAN}",
        f"link set {LAN} up",
        *(f"link set {port} master {LAN} up" for port in ports),
    ]


def _host_side(host: Host, nat: Nat) -> list[str]:
    return [
        f"address add {host.address}/{nat.lan_network.prefixlen} dev {HOST_INTERFACE}",
        f"link set {HOST_INTERFACE} up",
        f"route add default via {nat.lan_address}",
    ]


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
