"""All the scripts of one router, from its profile.

The base filter is always iptables'. Translation is iptables' with ipset where they are exact, and one nft
table everywhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from natcore.nat import EarlyInbound, FilteringBehavior, NatBehavior
from netlab.errors import UnsupportedBehavior
from netlab.profiles import Boundary, NatProfile
from netlab.rules import iptables, nft
from netlab.rules.chains import HOOKS, IPV6_HOOKS, hook_lines, table_text
from netlab.rules.filter import closed, ipv4_filter, ipv6_filter
from netlab.rules.iptables import Translation
from netlab.rules.scripts import (
    CONNTRACK_FLUSH,
    IP6TABLES,
    IPSET,
    IPTABLES,
    NFT,
    RouterFacts,
    RuleScript,
    text_of,
)


def install_chains(*, has_ipv6: bool = False) -> tuple[RuleScript, ...]:
    """Hooks in our chains on a bare node, once; from here on FORWARD drops everything."""
    ipv4 = "".join(table_text(table, hooks, hook_lines(hooks)) for table, hooks in HOOKS.items())
    ipv6 = "".join(table_text(table, hooks, hook_lines(hooks)) for table, hooks in IPV6_HOOKS.items())
    scripts = (RuleScript(tool=IPTABLES, text=ipv4),)
    return (*scripts, RuleScript(tool=IP6TABLES, text=ipv6)) if has_ipv6 else scripts


def first_rules(profile: NatProfile, facts: RouterFacts, *, seed: int = 1) -> tuple[RuleScript, ...]:
    """What :func:`install_chains` and then :func:`router_rules` do, for a bare node, in the fewest calls.

    Raises:
        UnsupportedBehavior: there are no exact rules for this profile.
    """
    made = _Made.of(profile, facts, seed=seed)
    return (
        *_script(IPSET, text_of(made.translation.sets)),
        *_script(NFT, made.table),
        *made.iptables_scripts(profile, facts, is_bare=True),
    )


def router_rules(profile: NatProfile, facts: RouterFacts, *, seed: int = 1) -> tuple[RuleScript, ...]:
    """Gives a router a profile's behaviour in place of whatever it had; it also forgets all mappings.

    The chains must be there. While the scripts run nothing passes, in either direction, so that no packet is
    translated by half of the old rules and half of the new ones, and none brings back a mapping that is just
    being forgotten: rules see only the first packet of a flow, the flows that are there would go on.

    Args:
        profile: the behaviour; of a profile with a carrier's NAT, that of the home router.
        facts: where the router stands.
        seed: decides where a port pool lies and in which order its ports come.

    Raises:
        UnsupportedBehavior: there are no exact rules for this profile.
    """
    made = _Made.of(profile, facts, seed=seed)
    nothing = "".join(
        table_text(table, hooks, closed(facts) if table == "filter" else ()) for table, hooks in HOOKS.items()
    )
    return (
        RuleScript(tool=IPTABLES, text=nothing),
        RuleScript(tool=CONNTRACK_FLUSH, text=""),
        RuleScript(tool=IPSET, text=text_of(["destroy", *made.translation.sets])),
        RuleScript(tool=NFT, text=nft.REMOVAL + made.table),
        *made.iptables_scripts(profile, facts, is_bare=False),
    )


def forget_scripts(profile: NatProfile, facts: RouterFacts) -> tuple[RuleScript, ...]:
    """Empties all that a router with these rules remembers of its mappings; the rules stay.

    The filter is closed meanwhile: a packet between two of the scripts would bring its mapping back.
    """
    made = _Made.of(profile, facts, seed=1)
    hooks = HOOKS["filter"]
    flush_sets = [line.split()[1] for line in made.translation.sets]
    return (
        RuleScript(tool=IPTABLES, text=table_text("filter", hooks, closed(facts))),
        RuleScript(tool=CONNTRACK_FLUSH, text=""),
        *_script(IPSET, text_of(f"flush {name}" for name in flush_sets)),
        *_script(NFT, nft.forgetting(profile.behavior) if made.table else ""),
        RuleScript(tool=IPTABLES, text=table_text("filter", hooks, ipv4_filter(profile, facts))),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """The translation of a profile: by iptables, or by an nft table."""

    translation: Translation = field(default_factory=Translation)
    table: str = ""

    @classmethod
    def of(cls, profile: NatProfile, facts: RouterFacts, *, seed: int) -> _Made:
        match profile.boundary:
            case Boundary.NONE:
                raise UnsupportedBehavior(
                    f"{profile.name!r} stands behind no router, so none has rules for it"
                )
            case Boundary.FIREWALL:
                _require_connection_tracking(profile.behavior)
                return cls()
            case Boundary.NAT if iptables.is_exact_for(profile.behavior, facts):
                return cls(translation=iptables.translation(profile.behavior, facts))
            case Boundary.NAT:
                return cls(table=nft.table(profile.behavior, facts, seed=seed))

    def iptables_scripts(
        self, profile: NatProfile, facts: RouterFacts, *, is_bare: bool
    ) -> tuple[RuleScript, ...]:
        rules = {
            "filter": ipv4_filter(profile, facts),
            "mangle": list(self.translation.mangle),
            "nat": list(self.translation.nat),
        }
        # The filter opens last: tables change one by one, and a packet in between would not be translated.
        ipv4 = "".join(
            table_text(table, hooks, [*(hook_lines(hooks) if is_bare else []), *rules[table]])
            for table, hooks in reversed(list(HOOKS.items()))
        )
        if not facts.has_ipv6:
            return (RuleScript(tool=IPTABLES, text=ipv4),)
        hooks = IPV6_HOOKS["filter"]
        lines = [*(hook_lines(hooks) if is_bare else []), *ipv6_filter(profile, facts)]
        ipv6 = table_text("filter", hooks, lines)
        return (RuleScript(tool=IPTABLES, text=ipv4), RuleScript(tool=IP6TABLES, text=ipv6))


def _require_connection_tracking(behavior: NatBehavior) -> None:
    """A firewall is connection tracking and nothing else: checks that it is not asked for more.

    Raises:
        UnsupportedBehavior: it is.
    """
    if behavior.filtering is not FilteringBehavior.ADDRESS_AND_PORT_DEPENDENT:
        raise UnsupportedBehavior(f"no rules for a firewall with {behavior.filtering.value} filtering")
    if not behavior.inbound_refresh:
        raise UnsupportedBehavior("no rules for a firewall whose inbound packets do not refresh")
    if behavior.early_inbound is EarlyInbound.REMAPS:
        raise UnsupportedBehavior("a firewall has no mapping that an early packet could move")


def _script(tool: tuple[str, ...], text: str) -> tuple[RuleScript, ...]:
    return (RuleScript(tool=tool, text=text),) if text else ()
