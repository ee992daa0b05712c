"""The generated part of each page in docs/profiles."""

from __future__ import annotations

from natcore.nat import expected_outcome
from netlab.profiles import COMBINATIONS, PROFILES, NatProfile, profile
from netlab.rules import first_rules
from netlab.topology.scenes import two_nats
from tests.unit.docs.behavior import behavior_table, ports_of
from tests.unit.docs.fate import OUTCOMES, SIGNS, fate_matrix, fate_section
from tests.unit.docs.page import link_to, section, table
from tests.unit.docs.proof_table import proof_section
from tests.unit.docs.rule_text import engine, facts_of, rules_section

INDEX = "README"
COMBINATIONS_PAGE = "combinations"

_AGAINST = ("port-restricted", "symmetric")
"""The two by which combinations differ in their fate."""


def profile_page(one: NatProfile) -> str:
    """Below the prose of a named profile."""
    return "\n".join(
        [
            section("Behaviour", behavior_table(one)),
            section("Devices", f"{one.devices[0].upper()}{one.devices[1:]}."),
            rules_section(one),
            proof_section(one),
            fate_section(one),
        ]
    )


def index_page() -> str:
    """Below the prose of the folder's own page."""
    rows = ((str(number), link_to(one.name), one.summary) for number, one in enumerate(PROFILES.values(), 1))
    legend = ", ".join(f"{sign} {OUTCOMES[outcome]}" for outcome, sign in SIGNS.items())
    return "\n".join(
        [
            section("The profiles", table(["", "profile", "in one line"], rows)),
            section(
                "Who meets whom",
                f"With plain connectivity checks: {legend}. Columns have the numbers of the rows.",
                fate_matrix(),
            ),
        ]
    )


def combinations_page() -> str:
    """Below the prose of the page of combinations."""
    head = ["name", "mapping", "filtering", "ports", "engine", *(f"with `{name}`" for name in _AGAINST)]
    return section("All of them", table(head, map(_row, COMBINATIONS.values())))


def _row(one: NatProfile) -> list[str]:
    topology = two_nats(one, one)
    nat = topology.nat("nat-elsa")
    outcomes = (expected_outcome(one.seen, profile(name).seen) for name in _AGAINST)
    return [
        f"`{one.name}`",
        one.behavior.mapping.value,
        one.behavior.filtering.value,
        ports_of(one.behavior),
        engine(first_rules(nat.profile, facts_of(topology, nat))),
        *(OUTCOMES[outcome] for outcome in outcomes),
    ]
