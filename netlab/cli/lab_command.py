"""Commands that work on labs, whoever types them."""

from __future__ import annotations

import click

from netlab.rootless.world import enter


class LabCommand(click.Command):
    """A command that runs as root: the machine's, or that of the user's own world.

    Its options are understood first, so that help and usage errors need no world.
    """

    def invoke(self, ctx: click.Context) -> object:
        """The command itself."""
        for lost in enter():
            click.echo(f"{lost} had lost its namespaces; what was left of it is removed", err=True)
        return super().invoke(ctx)
