"""The command line of the lab. Results are on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
import time
import traceback
from dataclasses import asdict, replace
from pathlib import Path
from typing import NoReturn

import click

from netlab import state
from netlab.backends import backend_named
from netlab.cli.events import event
from netlab.cli.exit_codes import ExitCode, exit_code_of
from netlab.cli.matrix import matrix
from netlab.cli.options import (
    Duration,
    Probability,
    Profile,
    TopologyFile,
    backend_option,
    json_option,
    lab_option,
)
from netlab.cli.profiles import profiles as show_profiles
from netlab.cli.prove import prove
from netlab.cli.report import claims_text, dialogue_line, lab_text
from netlab.complaint import complaint, one_line
from netlab.demo import Demonstration, demonstrate
from netlab.errors import LabError, NodeNotFound
from netlab.interrupts import stop_listening
from netlab.lab import Lab
from netlab.profiles import NatProfile, profile
from netlab.program import become_program
from netlab.rootless.command import LabCommand
from netlab.rootless.program import become
from netlab.takedown import clean, take_down
from netlab.tools import require_root
from netlab.topology import CORE, Topology
from netlab.topology.scenes import two_nats

DEFAULT_PROFILE = "port-restricted"

_EPILOG = """\b
Exit codes (exec and rootless have their program's):
  0    done, and every claim held
  1    a lab, a proof or a claim failed
  2    the command line or a name in it is wrong
  3    the machine lacks something: root, a tool, a Docker engine
  126  the program of exec or rootless cannot be run, 127: there is none
  130  interrupted, and cleaned up
"""


class _Commands(click.Group):
    """Shows the commands in the order in which they are met, not in that of the alphabet."""

    ORDER = (
        *("demo", "up", "exec", "event", "status", "down", "clean"),
        *("profiles", "prove", "matrix", "rootless"),
    )

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return sorted(super().list_commands(ctx), key=self.ORDER.index)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=_EPILOG)
@click.option("--debug", is_flag=True, help="Show a traceback on errors.")
@click.version_option(package_name="nat-traversal-toolkit")
def cli(debug: bool) -> None:
    """Real NATs on one machine, each measured before it is trusted."""


cli.command_class = LabCommand


@cli.command()
@click.option(
    "--profiles",
    nargs=2,
    type=Profile(),
    metavar="A B",
    help="Elsa's NAT and anna's, see netlab profiles.  [default: port-restricted, both]",
)
@click.option("--topology", type=TopologyFile(), help="A TOML file with a lab of your own, see docs/lab.md.")
@backend_option
@click.option("--rtt", type=Duration(), help="Round trip over the core, like 40ms.")
@click.option("--loss", type=Probability(), help="Packets that the core loses, like 5%.")
@click.option("--dual-stack", is_flag=True, help="IPv6 as well, behind stateful firewalls.")
@click.option("--name", help="A name of your own for the lab.")
@json_option
def up(
    profiles: tuple[NatProfile, NatProfile] | None,
    topology: Topology | None,
    backend: str,
    rtt: float | None,
    loss: float | None,
    dual_stack: bool,
    name: str | None,
    as_json: bool,
) -> None:
    """Build a lab and leave it running.

    It has a public server, and elsa and anna each behind a NAT of her own; or it is one of your own.
    """
    started = time.monotonic()
    if topology is None:
        pair = profiles or (profile(DEFAULT_PROFILE), profile(DEFAULT_PROFILE))
        topology = two_nats(*pair, dual_stack=dual_stack)
    elif profiles or dual_stack:
        raise click.UsageError("--topology says it all: expected no --profiles and no --dual-stack beside it")
    topology = replace(
        topology,
        rtt=topology.rtt if rtt is None else rtt,
        loss=topology.loss if loss is None else loss,
    )
    with Lab(topology, backend=backend_named(backend), name=name) as lab:
        _present(lab, seconds=time.monotonic() - started, as_json=as_json)
        stop_listening()  # from here on it is up, and an interrupt could not say so
        lab.detach()


def _present(lab: Lab, *, seconds: float, as_json: bool) -> None:
    """Tells of a lab that is about to be left running. If nobody can hear that, it will not be."""
    left = replace(lab.state, owner=None)
    if as_json:
        proofs = [asdict(proof) for proof in lab.proofs]
        click.echo(json.dumps({**asdict(left), "proofs": proofs, "seconds": round(seconds, 3)}))
        return
    click.echo(lab_text(left))
    first, last = lab.topology.node_names[0], lab.topology.node_names[-1]
    target = next(known.addresses[0] for known in left.nodes if known.name == first)
    click.echo(f"up and proven in {seconds:.2f} s, try: netlab exec {last} -- ping -c 1 {target}", err=True)


@cli.command()
@click.argument("name", required=False)
def down(name: str | None) -> None:
    """Take a lab down.

    Without NAME it is the only one there is.
    """
    require_root()
    lab = state.find_lab(name)
    take_down(lab)
    click.echo(f"took down {lab.name}")


@cli.command("exec", context_settings={"ignore_unknown_options": True})
@lab_option
@click.argument("node")
@click.argument("argv", metavar="PROGRAM...", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(name: str | None, node: str, argv: tuple[str, ...]) -> None:
    """Run a program in a node.

    For example: netlab exec elsa -- ping -c 1 198.51.100.10
    """
    require_root()
    lab = state.find_lab(name)
    known = (CORE, *(known.name for known in lab.nodes))
    if node not in known:
        raise NodeNotFound(node, known=known)
    command = backend_named(lab.backend).command(lab.name, node, argv)
    become_program(command)


@cli.command("rootless", cls=click.Command, context_settings={"ignore_unknown_options": True})
@click.argument("argv", metavar="PROGRAM...", nargs=-1, required=True, type=click.UNPROCESSED)
def rootless(argv: tuple[str, ...]) -> None:
    """Run a program that makes labs, without being root.

    For example: netlab rootless -- pytest tests/lab
    """
    become(argv)


@cli.command()
@json_option
def status(as_json: bool) -> None:
    """Show the labs that are running."""
    labs = state.known_labs()
    if as_json:
        click.echo(json.dumps({"labs": [{**asdict(lab), "owned": lab.is_owned} for lab in labs]}))
        return
    for lab in labs:
        click.echo(lab_text(lab))
    if not labs:
        click.echo("no lab is running", err=True)


@cli.command("clean")
@click.option("--force", is_flag=True, help="Also labs that a living process holds.")
def clean_up(force: bool) -> None:
    """Remove every lab that no living process holds.

    Those are the labs of `netlab up`, and whatever a killed run has left.
    """
    require_root()
    removed, spared = clean(force=force)
    for name in removed:
        click.echo(f"took down {name}")
    for name in spared:
        click.echo(f"{name} is in use by a living process; --force removes it", err=True)


@cli.command()
@backend_option
@json_option
@click.option("--keep", is_flag=True, help="Leave the lab running afterwards.")
@click.option(
    "--artefacts",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the programs' output and the captures in this folder.",
)
def demo(backend: str, as_json: bool, keep: bool, artefacts: Path | None) -> None:
    """Let elsa and anna chat through two NATs.

    Then show from both NATs and from the server that the text went directly.
    """

    def tell(who: str, text: str) -> None:
        click.echo(dialogue_line(who, text), err=as_json)

    shown = demonstrate(backend_named(backend), tell=tell, keep=keep, artefacts=artefacts)
    click.echo(_demonstration_json(shown) if as_json else claims_text(shown))
    if keep:
        click.echo(f"{shown.lab} is still up; `netlab down {shown.lab}` removes it", err=True)
    if not shown.succeeded:
        sys.exit(ExitCode.FAILED)


cli.add_command(event)
cli.add_command(prove)
cli.add_command(show_profiles)
cli.add_command(matrix)


def _demonstration_json(shown: Demonstration) -> str:
    return json.dumps({**asdict(shown), "succeeded": shown.succeeded})


def main() -> NoReturn:
    """The command that is on the command line: one clear line for an error, and an exit code from one table.

    Raises:
        KeyboardInterrupt: as it came.
    """
    debug = "--debug" in sys.argv[1:2]
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as problem:
        problem.show()
        sys.exit(ExitCode.USAGE)
    except click.ClickException as problem:
        click.echo(f"netlab: {one_line(problem.format_message())}", err=True)
        sys.exit(ExitCode.USAGE)
    except click.Abort:
        raise KeyboardInterrupt from None
    except (LabError, OSError) as problem:
        if debug:
            traceback.print_exc()
        click.echo(f"netlab: {complaint(problem)}", err=True)
        sys.exit(exit_code_of(problem))
    sys.exit(ExitCode.OK)
