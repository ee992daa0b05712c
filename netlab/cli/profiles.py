"""``netlab profiles``: what NATs there are."""

from __future__ import annotations

import json

import click

from natcore.nat import PortAllocation
from netlab.cli.options import Profile, json_option
from netlab.cli.report import columns
from netlab.profiles import COMBINATIONS, PROFILES, NatProfile
from netlab.topology.file import profile_document

_COMBINATIONS_HEADING = """\
Every combination of mapping (m), filtering (f) and port allocation, where
ei is endpoint-independent, ad address-dependent, apd address-and-port-dependent:"""


@click.command()
@click.argument("wanted", metavar="[PROFILE]", required=False, type=Profile())
@json_option
def profiles(wanted: NatProfile | None, as_json: bool) -> None:
    """Show the NAT profiles, or what one of them does."""
    if as_json:
        shown = [*PROFILES.values(), *COMBINATIONS.values()] if wanted is None else [wanted]
        click.echo(json.dumps({"profiles": {one.name: profile_document(one) for one in shown}}))
    elif wanted is None:
        click.echo(_list())
    else:
        click.echo(_description(wanted))


def _list() -> str:
    """The named profiles in a line each; the combinations, whose names say all, as a grid."""
    named = columns([(one.name, one.summary) for one in PROFILES.values()])
    pairs = dict.fromkeys(name.rpartition("-")[0] for name in COMBINATIONS)
    grid = [tuple(_if_known(f"{pair}-{ports.value}") for ports in PortAllocation) for pair in pairs]
    return "\n".join([*named, "", _COMBINATIONS_HEADING, *(f"  {line}" for line in columns(grid))])


def _if_known(name: str) -> str:
    return name if name in COMBINATIONS else ""


def _description(wanted: NatProfile) -> str:
    seen = wanted.seen
    rows = [
        ("mapping", seen.mapping.value),
        ("filtering", seen.filtering.value),
        ("port allocation", seen.allocation.value),
        ("hairpinning", "yes" if seen.hairpinning else "no"),
        ("mapping lifetime", f"{seen.mapping_lifetime:g} s"),
        ("refreshed by", "any packet" if seen.inbound_refresh else "packets from inside"),
        ("early packet", seen.early_inbound.value),
        ("UDP", "blocked" if seen.udp_blocked else "passes"),
        (
            "TCP",
            "all ports" if wanted.tcp_ports is None else f"ports {', '.join(map(str, wanted.tcp_ports))}",
        ),
        ("imitates", wanted.devices),
    ]
    return "\n".join([f"{wanted.name}: {wanted.summary}", *columns([(f"  {k}", v) for k, v in rows])])
