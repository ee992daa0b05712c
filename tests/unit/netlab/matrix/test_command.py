"""The command as far as it goes without a lab."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from netlab.cli import matrix as command
from netlab.matrix import runner
from netlab.matrix.attempt import Attempt
from netlab.matrix.results import Run
from netlab.matrix.verdict import Verdict
from netlab.rootless import command as rootless
from tests.unit.netlab.matrix.builders import direct, failed


@pytest.fixture(autouse=True)
def no_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rootless, "become_root", lambda: None)


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(command.matrix, arguments)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--profiles", "symetric"], "did you mean symmetric?"),
        (["--profiles", "open,symetric"], "did you mean symmetric?"),
        (["open", "symetric"], "did you mean symmetric?"),
        (["--repeat", "0"], "0 is not in the range"),
        (["--jobs", "65"], "65 is not in the range"),
        (["--timeout", "0"], "got 0 s, expected up to 600 s"),
        (["--rtt", "40"], "expected a number with a unit"),
        (["--backend", "vm"], "'vm' is not one of"),
    ],
)
def test_a_wrong_command_line_is_one_clear_line(arguments: list[str], complaint: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert complaint in result.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--program", "pear"], "did you mean peer?"),
        (["--program", "peer", "--program", "peer"], "two programs are named 'peer'"),
        (["--program", "aioice", "--backend", "docker"], "cannot run in Docker nodes"),
        (["--loss", "100%"], "loss: got 1"),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_is_made(
    arguments: list[str], complaint: str, tmp_path: Path
) -> None:
    result = invoke(*arguments, "--output", str(tmp_path / "out"))
    assert complaint in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_results_are_written_and_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "make", lambda *_: direct(0.02))
    result = invoke("--profiles", "open,full-cone", "symmetric", "--output", str(tmp_path), "--json")
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert [one["name"] for one in printed["profiles"]] == ["open", "full-cone", "symmetric"]
    assert len(printed["cells"]) == 9
    assert json.loads((tmp_path / "matrix.json").read_text()) == printed
    assert f"see {tmp_path}/matrix.html" in result.stderr


def test_a_terminal_that_is_wide_enough_shows_the_grid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "make", lambda *_: direct(0.02))
    monkeypatch.setenv("COLUMNS", "80")
    result = invoke("open", "symmetric", "--output", str(tmp_path / "two"))
    assert "1 open       20 ms  20 ms\n2 symmetric  20 ms  20 ms\n" in result.stdout
    assert "Rows call columns." in result.stdout
    result = invoke("--output", str(tmp_path / "all"))
    assert "Rows call columns." not in result.stdout
    assert result.stdout.startswith("peer: 256 of 256 direct")


def test_worse_than_physics_is_exit_code_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "make", lambda *_: failed(Verdict.WORSE))
    result = invoke("open", "--output", str(tmp_path))
    assert result.exit_code == 1
    assert "peer: 0 of 1 direct (1 worse)" in result.stdout


def test_an_interrupted_matrix_leaves_what_was_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(attempt: Attempt, *_: object) -> Run:
        if attempt.pair.b.name == "symmetric":
            raise KeyboardInterrupt
        return direct()

    monkeypatch.setattr(runner, "make", make)
    result = invoke("open", "symmetric", "--jobs", "1", "--output", str(tmp_path))
    assert result.exit_code == 1  # click's own; netlab's main makes it 130
    assert json.loads((tmp_path / "matrix.json").read_text())["complete"] is False
    assert "of 4 runs were made" in result.stderr
