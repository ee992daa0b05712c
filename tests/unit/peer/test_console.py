from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from peer.console import (
    CONTINUATION,
    MAX_LINE_LENGTH,
    Console,
    PipedConsole,
    TerminalConsole,
    open_console,
    wrapped,
)


class Keyboard:
    """The writing end of a pipe that is standard input."""

    def __init__(self, fd: int) -> None:
        self._pipe = os.fdopen(fd, "wb", buffering=0)

    def type(self, data: bytes) -> None:
        self._pipe.write(data)

    def close(self) -> None:
        self._pipe.close()


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keyboard]:
    reading, writing = os.pipe()
    typing = Keyboard(writing)
    with open(reading) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield typing
    typing.close()


async def test_piped_lines_come_one_by_one_and_then_the_end(keyboard: Keyboard) -> None:
    keyboard.type(b"one\r\n\n  two  \nlast without an end")
    keyboard.close()
    async with PipedConsole() as console:
        lines = [await console.next_line() for _ in range(6)]
    assert lines == ["one", "", "  two  ", "last without an end", None, None]


async def test_bytes_that_are_no_text_become_replacement_characters(keyboard: Keyboard) -> None:
    keyboard.type(b"a\xff\x00b\n")
    async with PipedConsole() as console:
        assert await console.next_line() == "a\ufffd\x00b"


@pytest.mark.parametrize("excess", [0, 1, 2, MAX_LINE_LENGTH, 3 * MAX_LINE_LENGTH])
@pytest.mark.parametrize("end", [b"\nnext\n", b""])
async def test_a_line_over_the_limit_is_cut_and_the_next_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, excess: int, end: bytes
) -> None:
    typed = tmp_path / "typed"
    typed.write_bytes(b"x" * (MAX_LINE_LENGTH + excess) + end)
    with typed.open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        async with PipedConsole() as console:
            assert await console.next_line() == "x" * MAX_LINE_LENGTH
            assert await console.next_line() == ("next" if end else None)


async def test_without_any_input_the_end_comes_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = tmp_path / "nothing"
    nothing.symlink_to(os.devnull)
    with nothing.open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        async with PipedConsole() as console:
            assert await console.next_line() is None


async def test_a_question_stands_before_its_answer(
    keyboard: Keyboard, capsys: pytest.CaptureFixture[str]
) -> None:
    keyboard.type(b"elsa\n")
    async with PipedConsole() as console:
        assert await console.ask("Input Your ID : ") == "elsa"
    assert capsys.readouterr().out == "Input Your ID : "


async def test_a_pipe_gets_a_piped_console(keyboard: Keyboard) -> None:
    assert isinstance(open_console([]), PipedConsole)


async def test_a_shown_line_that_nobody_reads_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Abandoned(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

        def fileno(self) -> int:
            return descriptor.fileno()

    with (tmp_path / "stands in for standard output").open("w") as descriptor:
        monkeypatch.setattr(sys, "stdout", Abandoned())
        PipedConsole().show("hello")


@pytest.fixture
def terminal() -> Iterator[PipeInput]:
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        yield keys


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("hello\r", "hello"),
        ("hellp\x7fo\r", "hello"),
        ("\x04", None),
        ("half a line\x03", None),
        ("\x1b[31mred\r", "red"),
        ("\x1b[1;2;3m\x1b[<0;1;1Mred\r", "red"),
    ],
)
async def test_a_terminal_edits_ends_and_survives_pasted_colours(
    terminal: PipeInput, keys: str, line: str | None
) -> None:
    terminal.send_text(keys)
    async with TerminalConsole(["@show_list", "@chat"]) as console:
        assert await console.next_line() == line


FITS = "18 cells are a row"


@pytest.mark.parametrize(
    ("line", "rows"),
    [
        ("", [""]),
        (FITS, [FITS]),
        (f"{FITS}.", ["18 cells are a", "row."]),
        ("  indented, and so on", ["  indented,", "and so on"]),
        ("a" * 30, ["a" * 14, "a" * 14, "aa"]),
        ("漢" * 9, ["漢" * 9]),
        ("漢" * 10, ["漢" * 7, "漢" * 3]),
        ("e\u0301" * 18, ["e\u0301" * 18]),
        (" " * 30, [""]),
    ],
)
def test_a_line_wider_than_the_terminal_is_broken_between_words(line: str, rows: list[str]) -> None:
    assert wrapped(line, len(FITS)) == f"\n{CONTINUATION}".join(rows)


@pytest.mark.parametrize("width", range(6))
def test_a_terminal_too_narrow_for_words_gets_all_of_the_line(width: int) -> None:
    assert "".join(wrapped("From anna [漢]", width).split()) == "Fromanna[漢]"


@pytest.mark.parametrize("kind", [PipedConsole, TerminalConsole])
@pytest.mark.parametrize("is_terminal", [False, True])
async def test_only_a_terminal_has_lines_broken(
    kind: Callable[..., Console],
    is_terminal: bool,
    terminal: PipeInput,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    monkeypatch.setenv("COLUMNS", str(len(FITS)))
    console = kind([]) if kind is TerminalConsole else kind()
    console.show(f"{FITS}.")
    assert capsys.readouterr().out == (
        f"18 cells are a\n{CONTINUATION}row.\n" if is_terminal else f"{FITS}.\n"
    )
