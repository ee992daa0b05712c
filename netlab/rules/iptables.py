"""Translation by iptables and ipset, for the behaviours of which they give the exact form.

- ``SNAT`` keeps the source port, and reuses one external port for all flows of an internal endpoint:
  endpoint-independent mapping. It does so as long as no two hosts use the same source port; the second one
  would be given another port for one destination and share the port for the next. So it is exact for a home
  network of one host.
- ``--random-fully`` switches both off: a new random port for every destination.
- Connection tracking lets in only answers, so filtering is address-and-port-dependent by itself. A more open
  filter is a ``DNAT`` back to the host, allowed by an ipset that remembers what the host has sent from (and
  to). The set is filled in mangle POSTROUTING, which runs before the source is translated; since ports are
  preserved, the inside port that it sees is the outside port too.

Not here, though a rule for it exists:

- ``SNAT`` to a range of ports, for endpoint-independent mapping with random ports: a source port that happens
  to lie in the range is kept, whatever range is chosen.
- A chain of ``statistic --mode nth`` rules, one for each port, for sequential ports: thousands of rules are
  more than an unprivileged process may send to the kernel at once, and applying them again starts at the
  first port again, which may be in use and then loses the packet.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from natcore.nat import FilteringBehavior, MappingBehavior, NatBehavior, PortAllocation
from netlab.rules.lifetime import whole_seconds
from netlab.rules.ports import ALL_PORTS
from netlab.rules.scripts import PROTOCOLS, RouterFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """What fills the chains of the nat and mangle tables.

    Attributes:
        sets: lines for ``ipset restore``, to be run before the rules that name the sets.
        mangle: rules of NL_LEARN.
        nat: rules of NL_PRE and NL_POST.
    """

    sets: tuple[str, ...] = ()
    mangle: tuple[str, ...] = ()
    nat: tuple[str, ...] = ()


def is_exact_for(behavior: NatBehavior, facts: RouterFacts) -> bool:
    """Whether :func:`translation` gives this behaviour exactly."""
    if behavior.hairpinning or not behavior.inbound_refresh:
        return False
    if behavior.allocation is PortAllocation.PRESERVING:
        return behavior.mapping is MappingBehavior.ENDPOINT_INDEPENDENT and len(facts.hosts) <= 1
    return (
        behavior.allocation is PortAllocation.RANDOM
        and behavior.mapping is MappingBehavior.ADDRESS_AND_PORT_DEPENDENT
        and behavior.filtering is FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT
        and behavior.port_pool is None
    )


def translation(behavior: NatBehavior, facts: RouterFacts) -> Translation:
    """The rules and sets of a behaviour for which they are exact."""
    opened = _opened_sets(behavior, facts)
    return Translation(
        sets=tuple(one.creation for one in opened),
        mangle=tuple(rule for one in opened for rule in one.learning(facts)),
        nat=(*(one.letting_in(facts) for one in opened), *_source_translation(behavior, facts)),
    )


def _source_translation(behavior: NatBehavior, facts: RouterFacts) -> list[str]:
    any_port = f"-A NL_POST -o {facts.wan} -j SNAT --to-source {facts.wan_address}"
    if behavior.allocation is PortAllocation.PRESERVING:
        return [any_port]
    # With the ports said: left to itself the kernel keeps a port below 1024 below 1024.
    ports = f"{ALL_PORTS.start}-{ALL_PORTS.stop - 1}"
    return [
        *(
            f"-A NL_POST -o {facts.wan} -p {protocol} -j SNAT"
            f" --to-source {facts.wan_address}:{ports} --random-fully"
            for protocol in PROTOCOLS
        ),
        any_port,
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenedSet:
    """An ipset that remembers what a host has opened: its ports, or its ports and whom it sent to."""

    host: IPv4Address
    protocol: str
    lifetime: int
    kind: str
    key_out: str
    key_in: str

    @property
    def name(self) -> str:
        return f"nl-{self.protocol}-{self.host}"  # at most 22 of the 31 characters that a set may have

    @property
    def creation(self) -> str:
        return f"create {self.name} {self.kind} timeout {self.lifetime}"

    def learning(self, facts: RouterFacts) -> list[str]:
        """What leaves the host opens; what is let in to it keeps open, as it does the mapping itself."""
        remember = f"-p {self.protocol} -j SET --exist --add-set {self.name}"
        return [
            f"-A NL_LEARN -s {self.host} -o {facts.wan} {remember} {self.key_out}",
            f"-A NL_LEARN -d {self.host} -o {facts.lan} {remember} {self.key_in}",
        ]

    def letting_in(self, facts: RouterFacts) -> str:
        return (
            f"-A NL_PRE -i {facts.wan} -d {facts.wan_address} -p {self.protocol}"
            f" -m set --match-set {self.name} {self.key_in} -j DNAT --to-destination {self.host}"
        )


_KINDS = {
    FilteringBehavior.ENDPOINT_INDEPENDENT: ("bitmap:port range 1-65535", "src", "dst"),
    FilteringBehavior.ADDRESS_DEPENDENT: ("hash:ip,port", "dst,src", "src,dst"),
}
"""For each filter that is more open than connection tracking: the set, and its key on the way out and in."""


def _opened_sets(behavior: NatBehavior, facts: RouterFacts) -> list[_OpenedSet]:
    if behavior.filtering not in _KINDS:
        return []
    kind, key_out, key_in = _KINDS[behavior.filtering]
    return [
        _OpenedSet(
            host=host,
            protocol=protocol,
            lifetime=whole_seconds(behavior),
            kind=kind,
            key_out=key_out,
            key_in=key_in,
        )
        for host in facts.hosts
        for protocol in PROTOCOLS
    ]
