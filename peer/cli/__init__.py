"""The command line: its commands, their options, how they run and end."""

from peer.cli.commands import cli, main

__all__ = ["cli", "main"]
