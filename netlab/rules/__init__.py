"""From a NAT profile to the text that makes a Linux router behave so. Pure: nothing is run here."""

from netlab.rules.iptables import (
    DELAY_QUEUE,
    RouterFacts,
    RuleScript,
    core_rules,
    install_chains,
    router_rules,
)

__all__ = ["DELAY_QUEUE", "RouterFacts", "RuleScript", "core_rules", "install_chains", "router_rules"]
