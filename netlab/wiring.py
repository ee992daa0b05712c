"""From a topology to links, addresses and routes, as text for ``ip -batch``. Pure: nothing is run here.

The internet is one router, the core, and every public node hangs off it by a veth pair of its own::

    elsa eth0 --- p1 |lan0 bridge| nat-elsa wan0 --- v2 |      |
                                                        | inet | v1 --- eth0 server
    anna eth0 --- p1 |lan0 bridge| nat-anna wan0 --- v3 |      |

Each public address is a /32 route on the core, and the core answers on each link as 169.254.0.1, which the
node reaches ``onlink``. There is no flat bridge between public nodes: nothing short-cuts the core, so time to
live counts hops as in the world and one place can delay all traffic. A router in another router's home
network is wired as a host is, with its ``wan0`` in the outer one's bridge.

IPv6 is the same with fe80::1 for the core's and the routers' side of a link and fe80::2 for a router's side
towards the core. Every address is fixed: none is made up by the kernel, and none is checked for duplicates,
which would make a lab wait for a second.

Names of interfaces mean the same in every node: ``wan0`` and ``lan0`` on a router, ``eth0`` on a host.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from netlab.backend import NodeSpec, namespace_of
from netlab.rules.lifetime import whole_seconds
from netlab.topology import (
    CORE,
    INSTRUMENT_ADDRESSES,
    INSTRUMENT_ADDRESSES_IPV6,
    SINK_ADDRESS,
    Host,
    Interface,
    IPAddress,
    Nat,
    Topology,
)
from netlab.topology.link import Link

WAN = "wan0"
LAN = "lan0"
HOST_INTERFACE = "eth0"

_GATEWAY = IPv4Address("169.254.0.1")
_GATEWAY6 = IPv6Address("fe80::1")
_ROUTER6 = IPv6Address("fe80::2")

_FIRST_TABLE = 100
"""Routing table of a host's second interface; the third one's is the next."""

_FIRST_NODE_INDEX = 1000
_FIRST_PORT_INDEX = 100
"""Interface numbers of the two ends of a cable: eth0 or wan0 is 1000, v1 or p1 is 101."""

_EAGER_ARP = {
    # The kernel asks for a neighbour again after 1 s; a port that was not up yet would cost a lab that long.
    "net.ipv4.neigh.default.retrans_time_ms": "50",
    "net.ipv4.neigh.default.mcast_solicit": "20",
}
_EAGER_ND = {name.replace("ipv4", "ipv6"): value for name, value in _EAGER_ARP.items()}
_IPV4_ONLY = _EAGER_ARP | {"net.ipv6.conf.all.disable_ipv6": "1", "net.ipv6.conf.default.disable_ipv6": "1"}
_IPV6_AS_CONFIGURED = {
    **_EAGER_ARP,
    **_EAGER_ND,
    "net.ipv6.conf.default.accept_dad": "0",
    "net.ipv6.conf.default.accept_ra": "0",
    "net.ipv6.conf.default.addr_gen_mode": "1",  # no address that is not in the topology
}
_IPV6_ROUTER = {"net.ipv6.conf.all.forwarding": "1"}
_ROUTER = {
    "net.ipv4.ip_forward": "1",
    "net.ipv4.conf.all.rp_filter": "0",  # the delay line and asymmetric routes would look like spoofing
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv4.conf.all.send_redirects": "0",  # a hairpin must pass the NAT, not be redirected around it
    "net.ipv4.conf.default.send_redirects": "0",
    "net.bridge.bridge-nf-call-iptables": "0",  # or frames inside the home would pass the NAT's rules
    "net.bridge.bridge-nf-call-ip6tables": "0",
}
ONE_PROCESSOR = {"net.core.rps_default_mask": "1"}
"""For a router: whoever sends, on whatever processor, one processor takes its packets, one after the other.

It must be set before the router has interfaces. Otherwise each packet is translated on the processor of its
sender, and two that come within the same microseconds both find that there is no mapping yet: measured on two
processors, 148 of 150 flows were then shown with two ports, and two hosts were given one port. It costs no
measurable time. Linux before 6.3 does not have it, and its routers can be surprised so.
"""

_MULTI_HOMED = {
    "net.ipv4.conf.all.rp_filter": "0",  # what comes in by the second interface is not a spoof
    "net.ipv4.conf.default.rp_filter": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cable:
    """A veth pair: an interface of a node, and the port that it is plugged into.

    Attributes:
        node: the host, or the router with its outer side.
        interface: there.
        parent: the core, or the router in whose home network the node is.
        port: there; on a router a port of its bridge.
        addresses: of the interface.
        link: what the cable does to packets.
    """

    node: str
    interface: str
    parent: str
    port: str
    addresses: tuple[IPAddress, ...]
    link: Link


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


def cables(topology: Topology) -> tuple[Cable, ...]:
    """Every cable: those to the core first, hosts before routers, then those of each home network."""
    ports: dict[str, int] = {}
    found: list[Cable] = []
    for node, interface, nat, addresses, link in sorted(_legs(topology), key=lambda leg: leg[2] is not None):
        parent = nat or CORE
        ports[parent] = ports.get(parent, 0) + 1
        port = f"{'v' if nat is None else 'p'}{ports[parent]}"
        found.append(
            Cable(node=node, interface=interface, parent=parent, port=port, addresses=addresses, link=link)
        )
    return tuple(found)


def wire(topology: Topology, lab: str) -> Wiring:
    """The wiring of a topology for a lab of this name.

    Raises:
        UnsupportedBehavior: the kernel cannot count a mapping lifetime.
    """
    plugged = cables(topology)
    ports = {nat.name: [cable.port for cable in plugged if cable.parent == nat.name] for nat in topology.nats}
    batches = {CORE: _core_batch(topology, plugged)}
    for nat in topology.nats:
        batches[nat.name] = [*outer_side(nat, topology), *_home_side(nat, ports[nat.name])]
    for host in topology.hosts:
        batches[host.name] = _host_batch(host, topology)
    return Wiring(
        nodes=_nodes(topology),
        links=_text([_pair(lab, cable) for cable in plugged]),
        batches={node: _text(lines) for node, lines in batches.items()},
    )


def core_side(cable: Cable, topology: Topology) -> list[str]:
    """What the core needs to reach a public node, in a form that may be applied again after a cut."""
    lines = [f"address replace {_GATEWAY}/32 dev {cable.port}", f"link set {cable.port} up"]
    if topology.has_ipv6:
        lines.append(f"address replace {_GATEWAY6}/64 dev {cable.port} nodad")
    lines += [f"route replace {address} dev {cable.port}" for address in cable.addresses]
    nat = next((nat for nat in topology.nats if nat.name == cable.node), None)
    if nat is not None and not nat.translates:
        lines.append(f"route replace {nat.lan_network} via {nat.wan_address} dev {cable.port} onlink")
    if nat is not None and nat.lan6_network is not None:
        lines.append(f"route replace {nat.lan6_network} via {_ROUTER6} dev {cable.port}")
    return lines


def outer_side(nat: Nat, topology: Topology) -> list[str]:
    """A router's side towards the internet, in a form that may be applied again."""
    if nat.behind is not None:
        outer = topology.nat(nat.behind)
        return [
            f"address replace {nat.wan_address}/{outer.lan_network.prefixlen} dev {WAN}",
            f"link set {WAN} up",
            f"route replace default via {outer.gateway}",
        ]
    lines = [
        f"address replace {nat.wan_address}/32 dev {WAN}",
        f"link set {WAN} up",
        f"route replace default via {_GATEWAY} dev {WAN} onlink src {nat.wan_address}",
    ]
    if topology.has_ipv6:
        lines.append(f"address replace {_ROUTER6}/64 dev {WAN} nodad")
        lines.append(f"route replace default via {_GATEWAY6} dev {WAN}")
    return lines


def _legs(
    topology: Topology,
) -> Iterator[tuple[str, str, str | None, tuple[IPAddress, ...], Link]]:
    """Each interface that a cable is plugged into, with the router that it leads to."""
    for host in topology.hosts:
        for number, leg in enumerate(host.interfaces):
            yield host.name, f"eth{number}", leg.nat, leg.addresses, leg.link
    for nat in topology.nats:
        yield nat.name, WAN, nat.behind, (nat.wan_address,), nat.link


def _nodes(topology: Topology) -> tuple[NodeSpec, ...]:
    ipv6 = _IPV6_AS_CONFIGURED if topology.has_ipv6 else _IPV4_ONLY
    router = _ROUTER | ipv6 | (_IPV6_ROUTER if topology.has_ipv6 else {})
    hosts = {host.name: host for host in topology.hosts}
    nats = {nat.name: nat for nat in topology.nats}
    nodes = [NodeSpec(name=CORE, sysctls=router)]
    for name in topology.node_names:
        if name in nats:
            nodes.append(NodeSpec(name=name, sysctls=router | ONE_PROCESSOR | lifetime_settings(nats[name])))
        else:
            several = _MULTI_HOMED if len(hosts[name].interfaces) > 1 else {}
            nodes.append(NodeSpec(name=name, sysctls=ipv6 | several))
    return tuple(nodes)


def lifetime_settings(nat: Nat) -> dict[str, str]:
    """Both of Linux's UDP timers: the second one rules a flow that has lived for over 2 s.

    Raises:
        UnsupportedBehavior: the kernel cannot count such a lifetime.
    """
    seconds = str(whole_seconds(nat.profile.behavior))
    timers = ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream")
    return {f"net.netfilter.{timer}": seconds for timer in timers}


def _pair(lab: str, cable: Cable) -> str:
    """One line that makes a cable.

    The two ends get different interface numbers. By itself the kernel counts in each namespace from the
    bottom, the numbers are often equal, and it then takes the veth for a device without a lower one, whose
    carrier may be announced a second late (``linkwatch_urgent_event`` in net/core/link_watch.c).
    """
    node, interface = namespace_of(lab, cable.node), cable.interface
    parent, port = namespace_of(lab, cable.parent), cable.port
    near = f"{interface} index {_FIRST_NODE_INDEX + int(interface[-1])} netns {node}"
    far = f"{port} index {_FIRST_PORT_INDEX + int(port[1:])} netns {parent}"
    return f"link add name {near} type veth peer name {far}"


def _core_batch(topology: Topology, plugged: tuple[Cable, ...]) -> list[str]:
    own: tuple[IPAddress, ...] = INSTRUMENT_ADDRESSES
    if topology.has_ipv6:
        own = (*own, *INSTRUMENT_ADDRESSES_IPV6)
    lines = [f"address add {address} dev lo" for address in own]
    lines.append(f"route add blackhole {SINK_ADDRESS}")
    for cable in plugged:
        if cable.parent == CORE:
            lines += core_side(cable, topology)
    return lines


def _home_side(nat: Nat, ports: list[str]) -> list[str]:
    lines = [
        f"link add name {LAN} type bridge forward_delay 0",  # or the bridge is deaf for its first 15 s
        f"address add {nat.gateway}/{nat.lan_network.prefixlen} dev {LAN}",
        f"link set {LAN} up",
        *(f"link set {port} master {LAN} up" for port in ports),
    ]
    if nat.lan6_network is not None:
        lines.append(f"address add {nat.gateway6}/{nat.lan6_network.prefixlen} dev {LAN} nodad")
        # Without a link-local address a router asks for no neighbour on behalf of a packet that it forwards.
        lines.append(f"address add {_GATEWAY6}/64 dev {LAN} nodad")
    return lines


def _host_batch(host: Host, topology: Topology) -> list[str]:
    """All interfaces of a host.

    All but the first have a routing table of their own, which is asked for what leaves from their addresses:
    an answer goes out where the question came in.
    """
    lines: list[str] = []
    for number, leg in enumerate(host.interfaces):
        device, table = f"eth{number}", _FIRST_TABLE + number
        lines += [f"address add {own} dev {device} nodad" for own in _own_addresses(leg, topology)]
        lines.append(f"link set {device} up")
        for version in sorted({address.version for address in leg.addresses}):
            own = [address for address in leg.addresses if address.version == version]
            route = f"route add default via {_gateway(leg, topology, version)} dev {device}"
            if leg.nat is None:
                route += f" onlink src {own[0]}"
            if not number:
                lines.append(route)
            elif version == 4:
                lines += [f"{route} table {table}", *(f"rule add from {each} lookup {table}" for each in own)]
            else:  # `ip -batch` makes only IPv4 rules; an IPv6 route can name its sources itself
                lines += [route.replace("default", f"default from {each}", 1) for each in own]
    return lines


def _own_addresses(leg: Interface, topology: Topology) -> list[str]:
    """The addresses of an interface with their prefix lengths."""
    if leg.nat is None:
        has_ipv6 = any(address.version == 6 for address in leg.addresses)
        return [*map(str, leg.addresses), *([f"{_ROUTER6}/64"] if has_ipv6 else [])]
    nat = topology.nat(leg.nat)
    lengths = {4: nat.lan_network.prefixlen, 6: nat.lan6_network.prefixlen if nat.lan6_network else 128}
    return [f"{address}/{lengths[address.version]}" for address in leg.addresses]


def _gateway(leg: Interface, topology: Topology, version: int) -> IPAddress:
    if leg.nat is None:
        return _GATEWAY if version == 4 else _GATEWAY6
    nat = topology.nat(leg.nat)
    return nat.gateway if version == 4 or nat.gateway6 is None else nat.gateway6


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
