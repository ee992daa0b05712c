"""From bare nodes to a connected lab with working NATs: applies what wiring and rules have written."""

from __future__ import annotations

from collections.abc import Sequence

from netlab.backend import namespace_of
from netlab.rules import RouterFacts, RuleScript, core_rules, install_chains, nat_rules
from netlab.tools import find_tool, for_each, in_namespace, run_tool
from netlab.topology import CORE, Nat, Topology
from netlab.wiring import LAN, WAN, Wiring


def connect_nodes(lab: str, wiring: Wiring) -> None:
    """Makes the links, then sets addresses and routes in all nodes at once.

    Raises:
        ToolFailed: iproute2 refused.
    """

    def configure(node: str) -> None:
        run_tool(["ip", "-n", namespace_of(lab, node), "-batch", "-"], text=wiring.batches[node])

    run_tool(["ip", "-batch", "-"], text=wiring.links)
    for_each(list(wiring.batches), configure)


def make_nats(lab: str, topology: Topology) -> None:
    """Gives every router its profile's rules.

    Raises:
        UnsupportedBehavior: there are no rules for one of them.
        ToolFailed: iptables or ipset refused.
    """

    def make(nat: Nat) -> None:
        facts = RouterFacts(
            wan=WAN,
            wan_address=nat.wan_address,
            lan=LAN,
            lan_network=nat.lan_network,
            hosts=tuple(host.address for host in topology.hosts_behind(nat)),
        )
        for script in (install_chains(), *nat_rules(nat.profile.behavior, facts)):
            _apply(lab, nat.name, script)

    for_each(topology.nats, make)


def forget_mappings(lab: str, nat: Nat) -> None:
    """Flushes all that a NAT knows: its connection tracking and what its ipsets remember."""
    run_in_node(lab, nat.name, ["conntrack", "-F"])
    run_in_node(lab, nat.name, ["ipset", "flush"])


def route_through_delay(lab: str, topology: Topology) -> None:
    """Has the core lose packets and hand them to the delay line, as the topology wants it."""
    if topology.rtt or topology.loss:
        _apply(lab, CORE, core_rules(delayed=bool(topology.rtt), loss=topology.loss))


def run_in_node(lab: str, node: str, argv: Sequence[str], *, text: str = "") -> str:
    """Runs a tool of the host in a node's network, and returns what it wrote on stdout.

    Raises:
        MissingTool: it is not installed.
        ToolFailed: it refused.
    """
    return run_tool(in_namespace(namespace_of(lab, node), [find_tool(argv[0]), *argv[1:]]), text=text)


def _apply(lab: str, node: str, script: RuleScript) -> None:
    run_in_node(lab, node, script.tool, text=script.text)
