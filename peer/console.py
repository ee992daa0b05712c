"""Where the chat reads lines and shows them: a terminal with line editing, or pipes.

Both have the same four methods; the chat does not know which one it has.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.patch_stdout import patch_stdout
from rich import console as rich_console
from rich.cells import cell_len
from rich.text import Text

MAX_LINE_LENGTH = 64 * 1024
"""Bytes of one typed or piped line; a longer one is cut there."""


class Console(Protocol):
    """A place to talk to a person."""

    async def __aenter__(self) -> Self:
        """Takes the terminal over."""

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Gives it back."""

    async def ask(self, question: str) -> str | None:
        """Asks and returns the answer, or None at the end of the input."""

    async def next_line(self) -> str | None:
        """The next line, or None at the end of the input (ctrl-D) and at ctrl-C."""

    def show(self, line: str) -> None:
        """Shows one line, in several rows where it is wider than the terminal; it is safe to print."""


class TerminalConsole:
    """Line editing, history and completion by prompt_toolkit; shown lines appear above the prompt."""

    def __init__(self, commands: Sequence[str]) -> None:
        self._commands = commands
        self._session: PromptSession[str] = PromptSession(key_bindings=_without_mouse())
        self._patch = patch_stdout()

    async def __aenter__(self) -> Self:
        self._patch.__enter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._patch.__exit__(exc_type, exc, traceback)

    async def ask(self, question: str) -> str | None:
        """Asks without the completion of commands."""
        return await self._prompt(question, None)

    async def next_line(self) -> str | None:
        """The next line that the person typed."""
        return await self._prompt("> ", WordCompleter(list(self._commands), ignore_case=True, sentence=True))

    def show(self, line: str) -> None:
        """Shows one line."""
        print(_fitted(line), flush=True)

    async def _prompt(self, message: str, completer: WordCompleter | None) -> str | None:
        try:
            return await self._session.prompt_async(
                message, completer=completer, complete_while_typing=False, handle_sigint=True
            )
        except (EOFError, KeyboardInterrupt):
            return None


CONTINUATION = "    "
"""Before the second row of a line and all further ones: no peer's text must pass for a line of its own."""


def wrapped(line: str, width: int) -> str:
    """A printable line in rows of at most so many cells, broken between words as far as these fit."""
    if cell_len(line) <= width:
        return line
    rows = Text(line).wrap(rich_console.Console(), max(width - len(CONTINUATION), 2))  # 2: one of CJK
    return f"\n{CONTINUATION}".join(row.plain.rstrip() for row in rows)


def _fitted(line: str) -> str:
    """As a terminal should have it, and unchanged for anything else."""
    return wrapped(line, shutil.get_terminal_size().columns) if sys.stdout.isatty() else line


def _without_mouse() -> KeyBindings:
    """Keeps prompt_toolkit from reading mouse reports: pasted colours look like one and make it raise."""
    bindings = KeyBindings()

    @bindings.add(Keys.Vt100MouseEvent)
    def _ignore(_event: KeyPressEvent) -> None:
        pass

    return bindings


class PipedConsole:
    """Plain lines on standard input and output, for scripts and for screen readers."""

    def __init__(self) -> None:
        self._reader = asyncio.StreamReader(limit=MAX_LINE_LENGTH)
        self._transport: asyncio.ReadTransport | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        # A duplicate, since the transport closes what it is given and standard input is not ours to close.
        pipe = os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0)
        if stat.S_ISCHR(os.fstat(pipe.fileno()).st_mode) and not os.isatty(pipe.fileno()):
            self._reader.feed_eof()  # /dev/null: the event loop cannot wait for it, and nothing comes
            pipe.close()
            return self
        try:
            self._transport, _ = await loop.connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(self._reader), pipe
            )
        except ValueError:  # a regular file: the event loop cannot wait for it, and it never blocks
            self._reader.feed_data(pipe.read())
            self._reader.feed_eof()
            pipe.close()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._transport is not None:
            self._transport.close()

    async def ask(self, question: str) -> str | None:
        """Shows the question without a line break, as ``input`` does."""
        print(question, end="", flush=True)
        return await self.next_line()

    async def next_line(self) -> str | None:
        """The next line of standard input."""
        line = await self._read_line()
        return line.decode("utf-8", errors="replace").rstrip("\r\n") if line else None

    async def _read_line(self) -> bytes:
        """One line, cut to the limit with its rest thrown away; empty at the end of the input."""
        kept = b""
        while True:
            try:
                end = await self._reader.readuntil()
            except asyncio.IncompleteReadError as exc:
                end = exc.partial
            except asyncio.LimitOverrunError as exc:
                kept += (await self._reader.readexactly(exc.consumed))[: MAX_LINE_LENGTH - len(kept)]
                continue
            return (kept + end)[:MAX_LINE_LENGTH]

    def show(self, line: str) -> None:
        """Shows one line; a reader that has gone away is not our failure."""
        try:
            print(_fitted(line), flush=True)
        except BrokenPipeError:
            # So that the interpreter's own flush at exit does not fail once more.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def open_console(commands: Sequence[str]) -> Console:
    """A terminal console where both ends are a terminal, else pipes."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        return TerminalConsole(commands)
    return PipedConsole()
