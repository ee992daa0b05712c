"""From a topology to what makes its links long, lossy and slow. Pure: nothing is run here.

Where the kernel has netem, each end of a cable gets a netem queue for what it sends, and the core's ports
another half of the core's round trip. Elsewhere rules hand packets to a delay line (instruments/delay.py),
one process a node, at places where a queue does no harm::

    elsa eth0 --- p1 |lan0 nat-elsa wan0| --- v2 | inet | v1 --- eth0 server
         <B                <A                    C
                                                        C  on the core, which tracks no connections: once for
                                                           the core and the links of both ports
                                                        A  uplink of a home: as it enters the router
                                                        B  downlink of a home: as it enters the node

A and B are in raw PREROUTING, before connection tracking: a queue after it would have a symmetric NAT map
each packet of a new flow anew. A bridge does not show its ports to iptables, so A knows a host by its source
address, and what hosts of one home send each other pays for both links where it arrives.

Loss is drawn in the line, not by ``-m statistic``: so a link is one setting in one place and can be changed
while the lab runs. Neighbour discovery is let pass, as ARP, which iptables never sees, is.

What B delays has been seen by captures and stamped by the kernel on its arrival, before it waited. Programs
get it in time, but ``ping`` believes the stamp; ``ping -U`` measures what programs see. netem has no such
trap. Its path is tested as text alone where no kernel with netem is at hand.

A rate is a token bucket (tbf) for what either end sends, in bits of Ethernet frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from netlab.link import PERFECT, Link
from netlab.rules import RuleScript
from netlab.topology import CORE, IPAddress, Topology
from netlab.wiring import LAN, Cable, cables

MAX_WAITING = 65536
"""Packets that may wait in one netem; its default of 1,000 is 50 kpps at 20 ms. As the delay line's."""

_FRAME = 1514
"""Bytes of a full frame; tbf drops what is longer than its bucket."""

_BURST_TIME = 2e-3
"""Seconds of the rate in a full bucket, which is two frames at least: a timer late by less costs nothing."""

_BUFFER_TIME = 0.1
"""Seconds of the rate that may wait, as in a home router: a TCP with such a round trip fills the link."""

_BUFFER_FRAMES = 10
"""Full frames that may wait at least: what a TCP sends first (RFC 6928), where 0.1 s of the rate are less."""

_NEIGHBOR_DISCOVERY = (133, 134, 135, 136)

_TOOLS = {4: ("iptables-restore", "--noflush"), 6: ("ip6tables-restore", "--noflush")}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDistance:
    """What one node needs.

    Attributes:
        delay_line: the options of ``delay.py``, to be ready before the rules are there; empty for none.
        rules: the scripts that hand packets to it.
        tc: a text for ``tc -batch -``; empty for none.
    """

    delay_line: tuple[str, ...] = ()
    rules: tuple[RuleScript, ...] = ()
    tc: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DistancePlan:
    """What all nodes need.

    Attributes:
        nodes: those that need something, by name.
        holders: for the name of each link, the nodes whose delay line knows it.
    """

    nodes: Mapping[str, NodeDistance]
    holders: Mapping[str, tuple[str, ...]]


def link_name(node: str, interface: str) -> str:
    """What a delay line calls the link of an interface; it calls the core itself ``inet``."""
    return f"{node}.{interface}"


def setting_line(name: str, link: Link) -> str:
    """The line that tells a running delay line of a link's new delay, jitter and loss."""
    return f"set {name} {_setting(link)}"


def plan_distance(topology: Topology, *, has_netem: bool) -> DistancePlan:
    """What makes a lab of this topology as wide as it says.

    Args:
        topology: with the links.
        has_netem: whether this kernel can make them without our help.
    """
    plugged = cables(topology)
    core = Link(delay=topology.rtt / 2, loss=topology.loss)
    lines = {} if has_netem else _delay_lines(topology, plugged, core)
    tc: dict[str, list[str]] = {}
    for cable in plugged:
        down = _one_after_the_other(core, cable.link) if cable.parent == CORE else cable.link
        tc.setdefault(cable.node, []).extend(_queues(cable.interface, cable.link, has_netem=has_netem))
        tc.setdefault(cable.parent, []).extend(_queues(cable.port, down, has_netem=has_netem))
    nodes = {
        node: NodeDistance(
            delay_line=lines[node].options() if node in lines else (),
            rules=lines[node].scripts() if node in lines else (),
            tc=_text(tc.get(node, [])),
        )
        for node in (CORE, *topology.node_names)
        if node in lines or tc.get(node)
    }
    names = sorted({name for line in lines.values() for name in line.links})
    holders = {
        name: tuple(node for node in nodes if node in lines and name in lines[node].links) for name in names
    }
    return DistancePlan(nodes=nodes, holders=holders)


def _one_after_the_other(first: Link, second: Link) -> Link:
    """Two links in a row, the first without jitter and rate."""
    passes = (1 - first.loss) * (1 - second.loss)
    return Link(delay=first.delay + second.delay, jitter=second.jitter, loss=1 - passes, rate=second.rate)


def _queues(device: str, link: Link, *, has_netem: bool) -> list[str]:
    """The lines for ``tc`` that shape what a device sends."""
    lines = []
    parent = "root"
    if has_netem and (link.delay or link.loss):
        lines.append(
            f"qdisc replace dev {device} root handle 1: netem limit {MAX_WAITING}"
            f" delay {link.delay * 1e6:.0f}us {link.jitter * 1e6:.0f}us loss {link.loss * 100:.4f}%"
        )
        parent = "parent 1:1"
    if link.rate is not None:
        burst = max(2 * _FRAME, round(link.rate / 8 * _BURST_TIME))
        waiting = max(_BUFFER_FRAMES * _FRAME, round(link.rate / 8 * _BUFFER_TIME))
        lines.append(
            f"qdisc replace dev {device} {parent} tbf rate {link.rate:.0f}bit burst {burst} limit {waiting}"
        )
    return lines


@dataclass(slots=True, kw_only=True)
class _DelayLine:
    """A delay line in the making, with the rules that feed it.

    Attributes:
        hook: the table and the built-in chain of its rules.
        links: the settings by name.
        queues: the links of each queue, by its number.
        ports: the link of each interface.
        rules: without the chain, by IP version.
    """

    hook: tuple[str, str] = ("raw", "PREROUTING")
    links: dict[str, Link] = field(default_factory=dict)
    queues: dict[int, tuple[str, ...]] = field(default_factory=lambda: {0: ()})
    ports: dict[str, str] = field(default_factory=dict)
    rules: dict[int, list[str]] = field(default_factory=lambda: {4: [], 6: []})

    def add_queue(self, name: str, link: Link) -> int:
        """A new queue of this link alone."""
        self.links[name] = link
        self.queues[len(self.queues)] = (name,)
        return len(self.queues) - 1

    def add_port(self, interface: str, name: str, link: Link) -> None:
        """Has packets of any queue pass a link where they use this interface."""
        self.links[name] = link
        self.ports[interface] = name

    def add_rule(self, versions: Iterable[int], match: str, queue: int) -> None:
        """Has the packets that match go through a queue."""
        for version in versions:
            self.rules[version].append(f"{match}-j NFQUEUE --queue-num {queue}")

    def options(self) -> tuple[str, ...]:
        """The options of the program."""
        return (
            *(f"--link={name}={_setting(link)}" for name, link in self.links.items()),
            *(f"--queue={number}={','.join(names)}" for number, names in self.queues.items()),
            *(f"--port={interface}={name}" for interface, name in self.ports.items()),
        )

    def scripts(self) -> tuple[RuleScript, ...]:
        """The rules. They have no bypass: without the process traffic stops, and is not quietly undelayed."""
        table, chain = self.hook
        scripts = []
        for version, rules in self.rules.items():
            kinds = _NEIGHBOR_DISCOVERY if version == 6 and table == "raw" else ()
            free = [f"-p icmpv6 --icmpv6-type {kind} -j RETURN" for kind in kinds]
            lines = [f"*{table}", ":NL_DELAY - [0:0]", f"-A {chain} -j NL_DELAY"]
            lines += [f"-A NL_DELAY {rule}" for rule in (*free, *rules)]
            if rules:
                scripts.append(RuleScript(tool=_TOOLS[version], text=_text([*lines, "COMMIT"])))
        return tuple(scripts)


def _delay_lines(topology: Topology, plugged: Sequence[Cable], core: Link) -> dict[str, _DelayLine]:
    versions = (4, 6) if topology.has_ipv6 else (4,)
    lines: dict[str, _DelayLine] = {}
    to_core = [cable for cable in plugged if cable.parent == CORE and _waits(cable.link)]
    if _waits(core) or to_core:
        lines[CORE] = _core_line(to_core, core, versions)
    for nat in topology.nats:
        home = [cable for cable in plugged if cable.parent == nat.name]
        for cable in home:
            if _waits(cable.link):
                _delay_uplink(lines.setdefault(nat.name, _DelayLine()), cable, topology)
            siblings = [other for other in home if other is not cable and _waits(other.link)]
            if siblings or _waits(cable.link):
                _delay_downlink(lines.setdefault(cable.node, _DelayLine()), cable, siblings, topology)
    return lines


def _core_line(to_core: Sequence[Cable], core: Link, versions: tuple[int, ...]) -> _DelayLine:
    line = _DelayLine(hook=("mangle", "FORWARD"))
    for cable in to_core:
        line.add_port(cable.port, link_name(cable.node, cable.interface), cable.link)
    if _waits(core):
        line.links[CORE] = core
        line.queues[0] = (CORE,)
        line.add_rule(versions, "", 0)
        return line
    for cable in to_core:
        line.add_rule(versions, f"-i {cable.port} ", 0)
        line.add_rule(versions, f"-o {cable.port} ", 0)
    return line


def _delay_uplink(line: _DelayLine, cable: Cable, topology: Topology) -> None:
    """At the router of a home, which knows the sender by its address."""
    queue = line.add_queue(link_name(cable.node, cable.interface), cable.link)
    for source in _sources(cable, topology):
        line.add_rule((source.version,), f"-i {LAN} -s {source} ", queue)


def _delay_downlink(line: _DelayLine, cable: Cable, siblings: Sequence[Cable], topology: Topology) -> None:
    """At the end of a cable in a home, where what comes from a sibling pays for the sibling's link, too."""
    for sibling in siblings:
        queue = line.add_queue(link_name(sibling.node, sibling.interface), sibling.link)
        for source in _sources(sibling, topology):
            for address in cable.addresses:
                if address.version == source.version:
                    line.add_rule((source.version,), f"-i {cable.interface} -s {source} -d {address} ", queue)
    if _waits(cable.link):
        line.add_port(cable.interface, link_name(cable.node, cable.interface), cable.link)
        line.add_rule((4, 6) if topology.has_ipv6 else (4,), f"-i {cable.interface} ", 0)


def _sources(cable: Cable, topology: Topology) -> tuple[IPAddress | IPv4Network, ...]:
    """From where what a node sends into a home comes: a firewall lets through its own home's addresses."""
    routed = [nat.lan_network for nat in topology.nats if nat.name == cable.node and not nat.translates]
    return (*cable.addresses, *routed)


def _waits(link: Link) -> bool:
    """Whether packets must pass a delay line for this link; a rate alone needs none."""
    return (link.delay, link.loss) != (PERFECT.delay, PERFECT.loss)


def _setting(link: Link) -> str:
    return f"{link.delay:.6f},{link.jitter:.6f},{link.loss:.6f}"


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
