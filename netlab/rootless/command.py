"""Commands that work on labs, whoever types them."""

from __future__ import annotations

import click

from netlab.rootless.forbidden import DockerNeedsRoot
from netlab.rootless.holder import is_inside
from netlab.rootless.world import enter


class LabCommand(click.Command):
    """A command that runs as root: the machine's, or that of the user's own world.

    Its options are understood first, so that help and usage errors need no world.
    """

    def invoke(self, ctx: click.Context) -> object:
        """The command itself.

        Raises:
            EnvironmentProblem: the user cannot be root here, or not root enough.
        """
        become_root()
        if is_inside() and ctx.params.get("backend") == "docker":
            raise DockerNeedsRoot
        return super().invoke(ctx)


def become_root() -> None:
    """Goes into the user's world, unless we are root; says which labs were lost with an earlier one."""
    for lost in enter():
        click.echo(f"{lost} had lost its namespaces; what was left of it is removed", err=True)
