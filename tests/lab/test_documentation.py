"""docs/testing-with-netlab.md does what it says: its files are written and its commands run, in its order."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab

DOCUMENT = Path(__file__).parents[2] / "docs" / "testing-with-netlab.md"

LAB = "mine"
"""The lab that the document names; here it gets another name each time, for the machine is shared."""


def fences(text: str) -> list[tuple[str, str]]:
    """The language and the text of every fenced block, in order."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def dialogue(block: str) -> list[tuple[str, list[str]]]:
    """The commands of a block, each with the lines that it shall print, with ``...`` for anything."""
    commands: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], []))
        else:
            commands[-1][1].append(line)
    return commands


def assert_prints(command: str, expected: list[str], folder: Path) -> None:
    paths = [str(Path(sys.executable).parent), os.environ["PATH"]]
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    printed = iter(done.stdout.splitlines())
    for line in expected:
        pattern = "*".join(part.replace("[", "[[]") for part in line.split("..."))
        assert any(fnmatchcase(each, pattern) for each in printed), f"no {line!r} in\n{done.stdout}"


def test_every_snippet_of_the_guide_works(tmp_path: Path) -> None:
    name = f"doc-{secrets.token_hex(3)}"
    text = re.sub(rf"\b{LAB}\b", name, DOCUMENT.read_text(encoding="utf-8"))
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\n", encoding="utf-8"
    )
    ran = 0
    try:
        for language, block in fences(text):
            if language == "console":
                for command, expected in dialogue(block):
                    assert_prints(command, expected, tmp_path)
                    ran += 1
            else:
                first_line = block.partition("\n")[0]
                (tmp_path / first_line.removeprefix("# ")).write_text(block, encoding="utf-8")
    finally:
        subprocess.run([sys.executable, "-m", "netlab", "down", name], capture_output=True, check=False)
    assert ran >= 8
