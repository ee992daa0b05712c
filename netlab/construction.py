"""From bare nodes to a connected lab with working NATs: applies what wiring and rules have written."""

from __future__ import annotations

import secrets
import zlib

from netlab.backend import namespace_of
from netlab.distance import NodeDistance, change_link, plan_distance
from netlab.errors import BadTopology, ToolFailed
from netlab.instruments.launch import instrument_command
from netlab.rules import RouterFacts, RuleScript, first_rules, forget_scripts, router_rules
from netlab.tools import apply_settings, for_each, run_tool, run_tool_in
from netlab.topology import CORE, Nat, Topology
from netlab.wiring import LAN, WAN, Cable, Wiring, lifetime_settings


def connect_nodes(lab: str, wiring: Wiring) -> None:
    """Makes the links, then sets addresses and routes in all nodes at once.

    Raises:
        ToolFailed: iproute2 refused.
    """

    def configure(node: str) -> None:
        run_tool(["ip", "-n", namespace_of(lab, node), "-batch", "-"], text=wiring.batches[node])

    run_tool(["ip", "-batch", "-"], text=wiring.links)
    for_each(list(wiring.batches), configure)


def make_routers(lab: str, topology: Topology) -> None:
    """Gives every router, which is bare so far, its profile's rules.

    Raises:
        UnsupportedBehavior: there are no rules for one of them.
        ToolFailed: iptables, ipset or nft refused.
    """

    def make(nat: Nat) -> None:
        seed = zlib.crc32(nat.name.encode())
        _apply(lab, nat.name, *first_rules(nat.profile, _facts(topology, nat), seed=seed))

    for_each(topology.nats, make)


def remake_router(lab: str, topology: Topology, nat: Nat) -> None:
    """Gives a router its profile's rules in place of those that it has; all its mappings are gone.

    Raises:
        UnsupportedBehavior: there are no rules for it.
        ToolFailed: iptables, ipset or nft refused.
    """
    seed = secrets.randbits(32)  # or random ports would come in the order in which they came before
    rules = router_rules(nat.profile, _facts(topology, nat), seed=seed)
    apply_settings(namespace_of(lab, nat.name), lifetime_settings(nat))
    _apply(lab, nat.name, *rules)


def forget_mappings(lab: str, topology: Topology, nat: Nat) -> None:
    """Empties all that a router remembers; its rules stay.

    Raises:
        ToolFailed: iptables, ipset or nft refused.
    """
    _apply(lab, nat.name, *forget_scripts(nat.profile, _facts(topology, nat)))


def distance_of(lab: str, topology: Topology) -> dict[str, NodeDistance]:
    """What makes the lab as wide as its topology says, on this kernel, for each node that needs anything."""
    plan = plan_distance(topology, has_netem=False)
    return plan_distance(topology, has_netem=True) if plan and _has_netem(lab) else plan


def apply_distance(lab: str, node: str, needed: NodeDistance) -> None:
    """Has a node hand packets to its delay line, which must be ready, and shape what it sends.

    Raises:
        ToolFailed: iptables or tc refused.
    """
    _apply(lab, node, *needed.rules)
    if needed.tc:
        run_tool(["tc", "-n", namespace_of(lab, node), "-batch", "-"], text=needed.tc)


def follow_link(lab: str, before: Cable, after: Cable, topology: Topology) -> None:
    """Has a running lab follow a cable that has got another link, with nothing lost on its way.

    Raises:
        BadTopology: the link was perfect when the lab came up, so that nothing can delay its packets now.
        ToolFailed: tc refused.
    """
    change = change_link(before, after, topology, has_netem=_has_netem(lab))
    for node in change.holders:
        command = instrument_command(namespace_of(lab, node), "delay.py", "--change", change.setting)
        try:
            run_tool(command)
        except ToolFailed as refusal:
            advice = "to change it later, give it a delay or a loss from the start"
            raise BadTopology(f"no delay line holds {after.node} {after.interface}: {advice}") from refusal
    for node, text in change.tc.items():
        run_tool(["tc", "-n", namespace_of(lab, node), "-batch", "-"], text=text)


def _has_netem(lab: str) -> bool:
    """Whether the kernel can delay packets by itself; tried on the loopback device of the lab's core."""
    attempt = "qdisc add dev lo root netem delay 1ms\nqdisc del dev lo root\n"
    try:
        run_tool(["tc", "-n", namespace_of(lab, CORE), "-batch", "-"], text=attempt)
    except ToolFailed:
        return False
    return True


def _facts(topology: Topology, nat: Nat) -> RouterFacts:
    return RouterFacts(
        wan=WAN,
        wan_address=nat.wan_address,
        lan=LAN,
        lan_network=nat.lan_network,
        hosts=topology.home_addresses(nat),
        has_ipv6=topology.has_ipv6,
    )


def _apply(lab: str, node: str, *scripts: RuleScript) -> None:
    for script in scripts:
        run_tool_in(namespace_of(lab, node), script.tool, text=script.text)
