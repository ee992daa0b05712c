"""From a NAT profile to the text that makes a Linux router behave so. Pure: nothing is run here.

====================  ==================================================================================
``scripts``           what the rules are written for, and what they are handed over as
``router``            all the scripts of one router: the entry
``chains``            our own chains in the tables of iptables
``filter``            what passes: the base filter of every profile, IPv4 and IPv6
``iptables``          translation by iptables and ipset, where they are exact
``nft``               translation by one nft table, everywhere else
``memory``            what that table remembers
``stateless``         packets from outside that keep nothing alive
``ports``             the external ports and their order
``lifetime``          how long all of this is remembered
====================  ==================================================================================
"""

from netlab.rules.router import first_rules, forget_scripts, install_chains, router_rules
from netlab.rules.scripts import RouterFacts, RuleScript

__all__ = [
    "RouterFacts",
    "RuleScript",
    "first_rules",
    "forget_scripts",
    "install_chains",
    "router_rules",
]
