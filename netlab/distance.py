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
trap, but what the core's instruments send is delayed, too. Its path has been tested as text alone, for want
of a kernel with netem.

A rate is a token bucket (tbf) for what either end sends, in bits of Ethernet frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from typing import NamedTuple

from netlab.rules.scripts import IP6TABLES, IPTABLES, RuleScript, text_of
from netlab.topology import CORE, IPAddress, Topology
from netlab.topology.link import PERFECT, Link
from netlab.wiring import LAN, WAN, Cable, cables

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

_TOOLS = {4: IPTABLES, 6: IP6TABLES}


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
class LinkChange:
    """What has a running lab follow the link of one cable.

    Attributes:
        setting: what ``delay.py --change`` is told.
        holders: the nodes whose delay lines must be told; none where the kernel has netem.
        tc: for each end of the cable, by node, a text for ``tc -batch -``.
    """

    setting: str
    holders: tuple[str, ...]
    tc: Mapping[str, str]


def plan_distance(topology: Topology, *, has_netem: bool) -> dict[str, NodeDistance]:
    """What makes a lab of this topology as wide as it says, for each node that needs anything.

    Args:
        topology: with the links.
        has_netem: whether this kernel can make them without our help.
    """
    plugged = cables(topology)
    lines = {} if has_netem else _delay_lines(topology, plugged)
    tc: dict[str, list[str]] = {}
    for cable in plugged:
        for end in _ends(cable, topology):
            tc.setdefault(end.node, []).extend(_queues(end, has_netem=has_netem))
    return {
        node: NodeDistance(
            delay_line=lines[node].options() if node in lines else (),
            rules=lines[node].scripts() if node in lines else (),
            tc=text_of(tc.get(node, [])),
        )
        for node in (CORE, *topology.node_names)
        if node in lines or tc.get(node)
    }


def change_link(before: Cable, after: Cable, topology: Topology, *, has_netem: bool) -> LinkChange:
    """What to do when a cable of a running lab gets another link.

    Delay lines know a link that delayed or lost packets when the lab came up, and refuse any other.

    Args:
        before: the cable as it was.
        after: the cable with its new link.
        topology: the lab's, with the new link.
        has_netem: whether this kernel can make links without our help.
    """
    was_slow = before.link.rate is not None and after.link.rate is None
    tc = {}
    for end in _ends(after, topology):
        lines = _queues(end, has_netem=has_netem)
        reset = [f"qdisc replace dev {end.device} root noqueue"] if was_slow or not lines else []
        tc[end.node] = text_of([*reset, *lines])
    home = [cable.node for cable in cables(topology) if cable.parent == after.parent != CORE]
    waited = _waits(before.link) or _waits(after.link)
    return LinkChange(
        setting=f"{_name(after)}={_setting(after.link)}",
        holders=() if has_netem or not waited else tuple(dict.fromkeys([after.parent, *home])),
        tc=tc,
    )


def with_link(topology: Topology, node: str, interface: str, link: Link) -> Topology:
    """The same topology with another link at an interface of a node, or at its ``wan0``."""
    nats = tuple(
        replace(nat, link=link) if (nat.name, WAN) == (node, interface) else nat for nat in topology.nats
    )
    hosts = tuple(
        replace(
            host,
            interfaces=tuple(
                replace(leg, link=link) if (host.name, f"eth{number}") == (node, interface) else leg
                for number, leg in enumerate(host.interfaces)
            ),
        )
        for host in topology.hosts
    )
    return replace(topology, nats=nats, hosts=hosts)


def _core_link(topology: Topology) -> Link:
    """What the core does to a packet between two of its ports."""
    return Link(delay=topology.rtt / 2, loss=topology.loss)


class _End(NamedTuple):
    """One end of a cable, which sends to the other: what is sent passes the core, if it is a port of that."""

    node: str
    device: str
    link: Link
    core: Link = PERFECT


def _ends(cable: Cable, topology: Topology) -> tuple[_End, _End]:
    far = _core_link(topology) if cable.parent == CORE else PERFECT
    near_end = _End(cable.node, cable.interface, cable.link)
    return near_end, _End(cable.parent, cable.port, cable.link, core=far)


def _queues(end: _End, *, has_netem: bool) -> list[str]:
    """The lines for ``tc`` that shape what one end of a cable sends."""
    link, lines, parent = end.link, [], "root"
    delay = end.core.delay + link.delay
    loss = 1 - (1 - end.core.loss) * (1 - link.loss)
    if has_netem and (delay or loss):
        lines.append(
            f"qdisc replace dev {end.device} root handle 1: netem limit {MAX_WAITING}"
            f" delay {delay * 1e6:.0f}us {link.jitter * 1e6:.0f}us loss {loss * 100:.4f}%"
        )
        parent = "parent 1:1"
    if link.rate is not None:
        burst = max(2 * _FRAME, round(link.rate / 8 * _BURST_TIME))
        waiting = max(_BUFFER_FRAMES * _FRAME, round(link.rate / 8 * _BUFFER_TIME))
        bucket = f"tbf rate {link.rate:.0f}bit burst {burst} limit {waiting}"
        lines.append(f"qdisc replace dev {end.device} {parent} {bucket}")
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
        """The rules. They have no bypass: without the process traffic stops, and is not quietly undelayed.

        They may be applied again: a second hook is never reached, since a queued packet goes on after it.
        """
        table, chain = self.hook
        scripts = []
        for version, rules in self.rules.items():
            kinds = _NEIGHBOR_DISCOVERY if version == 6 and table == "raw" else ()
            free = [f"-p icmpv6 --icmpv6-type {kind} -j RETURN" for kind in kinds]
            lines = [f"*{table}", ":NL_DELAY - [0:0]", f"-A {chain} -j NL_DELAY"]
            lines += [f"-A NL_DELAY {rule}" for rule in (*free, *rules)]
            if rules:
                scripts.append(RuleScript(tool=_TOOLS[version], text=text_of([*lines, "COMMIT"])))
        return tuple(scripts)


def _delay_lines(topology: Topology, plugged: Sequence[Cable]) -> dict[str, _DelayLine]:
    core = _core_link(topology)
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
        line.add_port(cable.port, _name(cable), cable.link)
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
    queue = line.add_queue(_name(cable), cable.link)
    for source in _sources(cable, topology):
        line.add_rule((source.version,), f"-i {LAN} -s {source} ", queue)


def _delay_downlink(line: _DelayLine, cable: Cable, siblings: Sequence[Cable], topology: Topology) -> None:
    """At the end of a cable in a home, where what comes from a sibling pays for the sibling's link, too."""
    for sibling in siblings:
        queue = line.add_queue(_name(sibling), sibling.link)
        for source in _sources(sibling, topology):
            for address in cable.addresses:
                if address.version == source.version:
                    line.add_rule((source.version,), f"-i {cable.interface} -s {source} -d {address} ", queue)
    if _waits(cable.link):
        line.add_port(cable.interface, _name(cable), cable.link)
        line.add_rule((4, 6) if topology.has_ipv6 else (4,), f"-i {cable.interface} ", 0)


def _sources(cable: Cable, topology: Topology) -> tuple[IPAddress | IPv4Network, ...]:
    """From where what a node sends into a home comes: a firewall lets through its own home's addresses."""
    routed = [nat.lan_network for nat in topology.nats if nat.name == cable.node and not nat.translates]
    return (*cable.addresses, *routed)


def _name(cable: Cable) -> str:
    """What delay lines call a cable's link; they call the core itself ``inet``."""
    return f"{cable.node}.{cable.interface}"


def _waits(link: Link) -> bool:
    """Whether packets must pass a delay line for this link; a rate alone needs none."""
    return (link.delay, link.loss) != (PERFECT.delay, PERFECT.loss)


def _setting(link: Link) -> str:
    return f"{link.delay:.6f},{link.jitter:.6f},{link.loss:.6f}"
