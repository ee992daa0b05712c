"""The command line: its commands, the values that they take, the text that they print, their exit codes."""

from netlab.cli.commands import main

__all__ = ["main"]
