"""From a NAT profile to the text that makes a Linux router behave so. Pure: nothing is run here.

Four facts about Linux carry everything (docs/lab.md has the measurements):

- ``SNAT`` keeps the source port, and reuses one external port for all flows of an internal endpoint:
  endpoint-independent mapping. ``--random-fully`` switches both off: a new random port for every destination.
- Conntrack lets in only answers, so filtering is address-and-port-dependent by itself. A more open filter
  is a ``DNAT`` back to the host, allowed by an ipset that remembers what the host has sent from (and to).
- The set is filled in mangle POSTROUTING, which runs before the source is translated; since ports are
  preserved, the inside port that it sees is the outside port too.
- A packet that is dropped is never confirmed in conntrack. One that the router accepts for itself is, and
  then owns the very tuple that the inside host needs next: hence the DROP on the WAN side of INPUT, and
  hence the profile without it, which remaps.

Only chains of our own (``NL_*``) are written, hooked in once: a container's nat table also holds Docker's
rules. Declaring a chain flushes it, so :func:`router_rules` can be applied again at any time.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from natcore.nat import EarlyInbound, FilteringBehavior, MappingBehavior, NatBehavior, PortAllocation
from netlab.errors import UnsupportedBehavior
from netlab.profiles import NatProfile

_IPTABLES = ("iptables-restore", "--noflush")
_IPSET = ("ipset", "restore")

_HOOKS = {
    "filter": {"NL_IN": "INPUT", "NL_FWD": "FORWARD"},
    "mangle": {"NL_LEARN": "POSTROUTING"},
    "nat": {"NL_PRE": "PREROUTING", "NL_POST": "POSTROUTING"},
}
"""Our chains and the built-in chain from which each is called, by table."""

_PROTOCOLS = ("udp", "tcp")

DELAY_QUEUE = 0
"""The netfilter queue of the core through which the delay line takes its packets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleScript:
    """A text and the tool that reads it on stdin."""

    tool: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterFacts:
    """Where a NAT stands.

    Attributes:
        wan: the interface towards the core.
        wan_address: its address.
        lan: the interface towards the home network.
        lan_network: the home network.
        hosts: the addresses of the hosts in it.
    """

    wan: str
    wan_address: IPv4Address
    lan: str
    lan_network: IPv4Network
    hosts: tuple[IPv4Address, ...]
    has_ipv6: bool = False


def install_chains(*, has_ipv6: bool = False) -> tuple[RuleScript, ...]:
    """The script that creates our chains and hooks them in, to be run once on a fresh node.

    FORWARD drops from here on, so that nothing leaks untranslated before the rules are there.
    """
    text = ""
    for table, chains in _HOOKS.items():
        hooks = [f"-A {hook} -j {chain}" for chain, hook in chains.items()]
        text += _table(table, hooks)
    return (RuleScript(tool=_IPTABLES, text=text),)


def router_rules(profile: NatProfile, facts: RouterFacts, *, seed: int = 1) -> tuple[RuleScript, ...]:
    """The scripts that give a router a profile's behaviour, in the order in which they must run."""
    return _nat_rules(profile.behavior, facts)


def _nat_rules(behavior: NatBehavior, facts: RouterFacts) -> tuple[RuleScript, ...]:
    """The scripts that give a router a behaviour, in the order in which they must run.

    Raises:
        UnsupportedBehavior: iptables and ipset have no exact rules for this behaviour.
    """
    if behavior.hairpinning:
        raise UnsupportedBehavior("no rules for hairpinning")
    translate = _source_translation(behavior, facts)
    sets, learn, let_in = _opened_filter(behavior, facts)
    text = (
        _table("filter", _filter_rules(behavior, facts))
        + _table("mangle", learn)
        + _table("nat", [*let_in, *translate])
    )
    scripts = (RuleScript(tool=_IPTABLES, text=text),)
    return (RuleScript(tool=_IPSET, text=_lines(sets)), *scripts) if sets else scripts


def core_rules(*, delayed: bool, loss: float) -> RuleScript:
    """The script for the core: lose some forwarded packets, and hand the others to the delay line.

    The queue has no bypass: were the delay line to die, traffic stops instead of quietly losing its delay.
    """
    rules = [f"-A FORWARD -m statistic --mode random --probability {loss:.6f} -j DROP"] if loss else []
    rules += [f"-A FORWARD -j NFQUEUE --queue-num {DELAY_QUEUE}"] if delayed else []
    return RuleScript(tool=_IPTABLES, text=_lines(["*mangle", *rules, "COMMIT"]))


def _filter_rules(behavior: NatBehavior, facts: RouterFacts) -> list[str]:
    remaps = behavior.early_inbound is EarlyInbound.REMAPS
    return [
        f"-A NL_IN -i {facts.wan} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
        *([] if remaps else [f"-A NL_IN -i {facts.wan} -j DROP"]),
        f"-A NL_IN -i {facts.lan} -d {facts.wan_address} -j DROP",
        *(["-A NL_FWD -p udp -j DROP"] if behavior.udp_blocked else []),
        "-A NL_FWD -m conntrack --ctstate INVALID -j DROP",  # these skip translation and would leak
        "-A NL_FWD -m conntrack --ctstate ESTABLISHED,RELATED,DNAT -j ACCEPT",
        f"-A NL_FWD -i {facts.lan} -o {facts.wan} -j ACCEPT",
        f"-A NL_FWD -i {facts.lan} -o {facts.lan} -j ACCEPT",
    ]


def _source_translation(behavior: NatBehavior, facts: RouterFacts) -> list[str]:
    match behavior.mapping, behavior.allocation:
        case MappingBehavior.ENDPOINT_INDEPENDENT, PortAllocation.PRESERVING:
            option = ""
        case MappingBehavior.ADDRESS_AND_PORT_DEPENDENT, PortAllocation.RANDOM:
            option = " --random-fully"
        case mapping, allocation:
            raise UnsupportedBehavior(f"no rules for {mapping.value} mapping with {allocation.value} ports")
    return [f"-A NL_POST -o {facts.wan} -j SNAT --to-source {facts.wan_address}{option}"]


def _opened_filter(behavior: NatBehavior, facts: RouterFacts) -> tuple[list[str], list[str], list[str]]:
    """The ipsets, the rules that fill them on the way out, and those that let in what they hold."""
    if behavior.filtering is FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT:
        return [], [], []
    if behavior.mapping is not MappingBehavior.ENDPOINT_INDEPENDENT:
        pair = f"{behavior.mapping.value} mapping with {behavior.filtering.value} filtering"
        raise UnsupportedBehavior(f"no rules for {pair}")
    sets: list[str] = []
    learn: list[str] = []
    let_in: list[str] = []
    for host in facts.hosts:
        for protocol in _PROTOCOLS:
            opened = _OpenedSet.of(behavior.filtering, protocol, host)
            sets.append(f"create {opened.name} {opened.kind} timeout {behavior.mapping_lifetime:.0f}")
            learn.append(
                f"-A NL_LEARN -s {host} -o {facts.wan} -p {protocol}"
                f" -j SET --add-set {opened.name} {opened.key_out} --exist"
            )
            let_in.append(
                f"-A NL_PRE -i {facts.wan} -d {facts.wan_address} -p {protocol}"
                f" -m set --match-set {opened.name} {opened.key_in} -j DNAT --to-destination {host}"
            )
    return sets, learn, let_in


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenedSet:
    """An ipset that remembers what a host has opened: its ports, or its ports and whom it sent to."""

    name: str
    kind: str
    key_out: str
    key_in: str

    @classmethod
    def of(cls, filtering: FilteringBehavior, protocol: str, host: IPv4Address) -> _OpenedSet:
        name = f"nl-{protocol}-{host}"
        if filtering is FilteringBehavior.ENDPOINT_INDEPENDENT:
            return cls(name=name, kind="bitmap:port range 1-65535", key_out="src", key_in="dst")
        return cls(name=name, kind="hash:ip,port", key_out="dst,src", key_in="src,dst")


def _table(table: str, rules: list[str]) -> str:
    policy = [":FORWARD DROP [0:0]"] if table == "filter" else []
    chains = [f":{chain} - [0:0]" for chain in _HOOKS[table]]
    return _lines([f"*{table}", *policy, *chains, *rules, "COMMIT"])


def _lines(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
