"""``netlab event``: what happens to a lab while programs run in it."""

from __future__ import annotations

from ipaddress import IPv4Address

import click

from netlab.cli.options import Duration, Frequency, IPv4, Probability, Profile, Rate, lab_option
from netlab.lab import Lab
from netlab.profiles import NatProfile
from netlab.rootless.command import become_root
from netlab.topology.link import Link


class _EventCommand(click.Command):
    """A command for a running lab, which is looked for once the command line is understood."""

    def invoke(self, ctx: click.Context) -> object:
        """The command itself.

        Raises:
            EnvironmentProblem: the user cannot be root here.
            LabNotFound: there is no such lab.
        """
        become_root()
        assert ctx.parent is not None
        ctx.obj = Lab.running(ctx.parent.params["name"])
        return super().invoke(ctx)


@click.group()
@lab_option
def event(name: str | None) -> None:
    """Make something happen to a running lab.

    For example: netlab event reboot nat-elsa
    """


event.command_class = _EventCommand


_interface = click.option(
    "--interface", type=click.IntRange(0), default=0, show_default=True, help="Of a host: 1 is eth1."
)


@event.command()
@click.argument("nat")
@click.pass_obj
def reboot(lab: Lab, nat: str) -> None:
    """Power-cycle a router.

    Its mappings are gone, and random ports come in another order.
    """
    lab.events.reboot(nat)


@event.command()
@click.argument("nat")
@click.pass_obj
def forget(lab: Lab, nat: str) -> None:
    """Have a router forget its mappings."""
    lab.events.forget(nat)


@event.command()
@click.argument("nat")
@click.argument("profile", type=Profile())
@click.pass_obj
def swap(lab: Lab, nat: str, profile: NatProfile) -> None:
    """Put another NAT profile in a router's place."""
    lab.events.swap(nat, profile)


@event.command()
@click.argument("nat")
@click.argument("address", type=IPv4())
@click.pass_obj
def address(lab: Lab, nat: str, address: IPv4Address) -> None:
    """Give a router another public address."""
    lab.events.change_address(nat, address)


@event.command()
@click.argument("node")
@_interface
@click.pass_obj
def cut(lab: Lab, node: str, interface: int) -> None:
    """Pull the cable of a host, or of a router towards the internet."""
    lab.events.cut(node, interface)


@event.command()
@click.argument("node")
@_interface
@click.pass_obj
def restore(lab: Lab, node: str, interface: int) -> None:
    """Plug in a cable that was cut."""
    lab.events.restore(node, interface)


@event.command()
@click.argument("node")
@_interface
@click.option("--delay", type=Duration(), default="0", help="One way, like 20ms.")
@click.option("--jitter", type=Duration(), default="0", help="Up to so much more or less.")
@click.option("--loss", type=Probability(), default="0", help="Like 5%.")
@click.option("--rate", type=Rate(), help="Like 20Mbit; no limit without it.")
@click.pass_obj
def link(
    lab: Lab, node: str, interface: int, delay: float, jitter: float, loss: float, rate: float | None
) -> None:
    """Give a cable another delay, loss and rate.

    It is the cable of a host, or of a router towards the internet; what is not said is as on a perfect one.
    """
    lab.events.change_link(node, Link(delay=delay, jitter=jitter, loss=loss, rate=rate), interface)


@event.command()
@click.argument("nat")
@click.argument("frequency", type=Frequency())
@click.pass_obj
def traffic(lab: Lab, nat: str, frequency: float) -> None:
    """Open FREQUENCY new mappings, like 20/s, until ctrl-C.

    They are another device's in the router's home, and take ports as its programs would.
    """
    process = lab.events.background_traffic(nat, frequency)
    try:
        click.echo(f"{frequency:g} new mappings a second behind {nat}; ctrl-C ends it", err=True)
        process.wait(timeout=None)
        raise process.failure("to go on until ctrl-C")
    finally:
        process.stop()
