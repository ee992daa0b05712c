from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from netlab.cli.exit_codes import exit_code_of
from netlab.program import ProgramNotFound, find_program


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("pytst", "pytst: no such program", 127),
        ("", ": no such program", 127),
        ("/nowhere/sh", "/nowhere/sh: no such program", 127),
        ("/etc/passwd", "/etc/passwd: not a program that can be run", 126),
        ("/", "/: not a program that can be run", 126),
    ],
)
def test_what_cannot_be_run_is_named_and_has_the_exit_code_of_a_shell(
    name: str, text: str, code: int
) -> None:
    with pytest.raises(ProgramNotFound) as caught:
        find_program(name)
    assert str(caught.value) == text
    assert exit_code_of(caught.value) == code


def test_programs_of_our_environment_come_first_and_others_keep_their_names() -> None:
    assert find_program(Path(sys.executable).name) == sys.executable
    assert find_program("sh") == "sh"


def become(command: str, *, streams: str = "") -> subprocess.CompletedProcess[str]:
    script = f"from netlab.program import become_program; print('before', end=' '); become_program({command})"
    shell = ["sh", "-c", f'"$0" -c "$1" {streams}', sys.executable, script]
    return subprocess.run(shell, capture_output=True, text=True, check=False)


def test_what_was_written_before_is_not_lost() -> None:
    assert become("['echo', 'and after']").stdout == "before and after\n"


def test_a_program_whose_reader_has_gone_ends_silently() -> None:
    done = become("['yes']", streams="| head -n 1")
    assert (done.stdout, done.stderr) == ("before y\n", "")


def test_closed_streams_are_no_obstacle() -> None:
    done = become("['sh', '-c', 'exit 7']", streams=">&- 2>&-")
    assert (done.returncode, done.stderr) == (7, "")
