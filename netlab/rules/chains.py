"""Chains of our own in the tables of iptables.

A container's nat table also holds Docker's rules, so nothing but ``NL_*`` is ever written, hooked in once.
Declaring a chain in ``iptables-restore --noflush`` empties it: a table's text always declares all of ours, so
it takes the place of whatever was there before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from netlab.rules.scripts import text_of

HOOKS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "filter": {"NL_IN": "INPUT", "NL_FWD": "FORWARD"},
        "mangle": {"NL_LEARN": "POSTROUTING"},
        "nat": {"NL_PRE": "PREROUTING", "NL_POST": "POSTROUTING"},
    }
)
"""Our IPv4 chains and the built-in chain from which each is called, by table."""

IPV6_HOOKS: Mapping[str, Mapping[str, str]] = MappingProxyType({"filter": {"NL_FWD": "FORWARD"}})
"""Our IPv6 chain. INPUT stays as it is: neighbour discovery ends there, and nothing is translated."""


def hook_lines(hooks: Mapping[str, str]) -> list[str]:
    """The rules that call a table's chains of ours; twice in the same table is once too often."""
    return [f"-A {hook} -j {chain}" for chain, hook in hooks.items()]


def table_text(table: str, hooks: Mapping[str, str], rules: Iterable[str] = ()) -> str:
    """One table: our chains, empty, and then the rules.

    FORWARD drops from the first text on, so that nothing leaks untranslated while rules are missing.
    """
    policy = [":FORWARD DROP [0:0]"] if table == "filter" else []
    return text_of([f"*{table}", *policy, *(f":{chain} - [0:0]" for chain in hooks), *rules, "COMMIT"])
