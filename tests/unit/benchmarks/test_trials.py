from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from click.testing import CliRunner

from benchmarks.trials import cli
from benchmarks.trials_lab import Call
from netlab.cli.exit_codes import ExitCode

EASY = ("--pair", "open", "open")


def test_trials_are_held_and_reported() -> None:
    done = CliRunner().invoke(cli, [*EASY, "--trials", "3", "--json"])
    assert done.exit_code == ExitCode.OK, done.output
    report = json.loads(done.stdout)
    (pair,) = report["pairs"]
    assert (pair["trials"], pair["direct"], pair["techniques"]) == (3, 3, {"plain-checks": 3})


def test_the_table_names_what_was_tried() -> None:
    done = CliRunner().invoke(cli, [*EASY, "--trials", "1", "--first-seed", "5"])
    assert done.exit_code == ExitCode.OK, done.output
    assert "1 trials of 1 pairs, from seed 5" in done.stderr
    assert "0 did not end as they should" in done.stdout


def test_what_the_lab_has_on_record_is_held_against_the_simulation(tmp_path: Path) -> None:
    path = tmp_path / "sample.jsonl"
    for technique, code in (("plain-checks", ExitCode.OK), ("birthday-probing", ExitCode.FAILED)):
        call = Call(caller="open", callee="open", code=0, technique=technique, seconds=0.08, reason=None)
        path.write_text(json.dumps(asdict(call)) + "\n", encoding="utf-8")
        done = CliRunner().invoke(cli, [*EASY, "--against-lab", "--sample", str(path), "--json"])
        assert done.exit_code == code, done.output
        assert len(json.loads(done.stdout)["disputed"]) == (code != ExitCode.OK)


def test_a_part_is_one_of_so_many() -> None:
    for wrong in ("0/2", "3/2", "2", "a/b"):
        done = CliRunner().invoke(cli, ["--part", wrong])
        assert done.exit_code == ExitCode.USAGE
        assert "expected K/N" in done.output
