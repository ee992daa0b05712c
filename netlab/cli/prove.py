"""``netlab prove``: what the profiles claim, held against what is measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

import click

from netlab.backends import backend_named
from netlab.cli.exit_codes import ExitCode
from netlab.cli.options import Duration, Profile, backend_option, json_option
from netlab.cli.report import proof_details, proof_table
from netlab.profiles import COMBINATIONS, PROFILES, NatProfile
from netlab.proof.everything import prove_profiles
from netlab.rootless.command import LabCommand


@click.command(cls=LabCommand)
@click.argument("profiles", metavar="[PROFILE]...", nargs=-1, type=Profile())
@backend_option
@click.option(
    "--patience",
    type=Duration(),
    default="5s",
    show_default=True,
    help="Wait so long for a mapping to die; a longer lifetime is read from the kernel.",
)
@click.option("--opinions/--no-opinions", default=True, help="Whether foreign tools measure as well.")
@click.option("--details", is_flag=True, help="A line for each property; the default for one profile.")
@json_option
def prove(
    profiles: Sequence[NatProfile],
    backend: str,
    patience: float,
    opinions: bool,
    details: bool,
    as_json: bool,
) -> None:
    """Measure NAT profiles against what they claim.

    All by default, the named ones and the combinations: by netlab's own probe, by the kernel's countdowns
    and by coturn's and stun-client's tools where they are installed. Any difference is a failure. The
    control is a datagram to a host that has sent nothing: it must be stopped wherever a NAT or a firewall
    stands.
    """
    wanted = tuple(dict.fromkeys(profiles)) or (*PROFILES.values(), *COMBINATIONS.values())
    proofs = prove_profiles(wanted, backend_named(backend), patience=patience, opinions=opinions)
    holds = all(proof.holds for proof in proofs)
    if as_json:
        click.echo(json.dumps({"holds": holds, "proofs": [{**asdict(p), "holds": p.holds} for p in proofs]}))
    else:
        click.echo(proof_details(proofs) if details or len(proofs) == 1 else proof_table(proofs))
    if not holds:
        sys.exit(ExitCode.FAILED)
