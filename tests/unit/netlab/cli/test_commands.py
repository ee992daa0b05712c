"""The command line as far as it goes without root and without a lab."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from netlab import state, tools
from netlab.cli import commands
from netlab.cli.exit_codes import ExitCode
from netlab.errors import MissingTool, NotPermitted
from netlab.proof import Proof


def run_main(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["netlab", *arguments])
    with pytest.raises(SystemExit) as ended:
        commands.main()
    out, err = capsys.readouterr()
    return int(str(ended.value.code or 0)), out, err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["up", "--rtt", "40"], "got '40', expected a number with a unit"),
        (["up", "--rtt", "fast"], "got 'fast', expected a number with a unit"),
        (["up", "--loss", "0.05"], "got '0.05', expected a percentage"),
        (["up", "--loss", "100%"], "loss: got 1, expected 0 or more and less than 1"),
        (["up", "--profiles", "symetric", "open"], "did you mean symmetric?"),
        (["up", "--profiles", "symmetric"], "requires 2 arguments"),
        (["prove", "fullcone"], "did you mean full-cone?"),
        (["prove", "--backend", "vmware"], "'vmware' is not one of"),
        (["bring-up"], "No such command"),
        (["exec", "elsa"], "Missing argument"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(
    arguments: list[str],
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = run_main(arguments, monkeypatch, capsys)
    assert (code, out, err.count("\n")) == (ExitCode.USAGE, "", 1)
    assert complaint in err


@pytest.mark.parametrize(
    "command",
    [["up"], ["down"], ["exec", "elsa", "--", "true"], ["clean"], ["event", "reboot", "nat-elsa"], ["prove"]],
)
def test_who_can_be_root_nowhere_is_told_so_in_one_line(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> list[str]:
        raise NotPermitted

    monkeypatch.setattr("netlab.rootless.command.enter", refuse)
    code, _, err = run_main(command, monkeypatch, capsys)
    assert (code, err) == (ExitCode.ENVIRONMENT, f"netlab: {NotPermitted()}\n")


def test_a_missing_tool_is_named_with_its_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(tools, "_SEARCH_PATH", "/nowhere")
    code, _, err = run_main(["up"], monkeypatch, capsys)
    assert code == ExitCode.ENVIRONMENT
    assert err == f"netlab: {MissingTool('ip', package='iproute2')}\n"


def test_status_of_no_labs_is_an_empty_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "RUN_FOLDER", tmp_path)
    result = CliRunner().invoke(commands.cli, ["status", "--json"])
    assert json.loads(result.stdout) == {"labs": []}


@pytest.mark.parametrize(("measured", "code"), [(True, 0), (False, 1)])
def test_prove_fails_when_a_claim_does(
    measured: bool,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = {"udp blocked": "yes" if measured else "no"}
    proof = Proof(node="nat", profile="udp-blocked", claimed={"udp blocked": "yes"}, measured=words)
    monkeypatch.setattr("netlab.cli.prove.prove_profiles", lambda *_, **__: (proof,))
    assert run_main(["prove", "udp-blocked"], monkeypatch, capsys)[0] == code
    got, out, _ = run_main(["prove", "udp-blocked", "--json"], monkeypatch, capsys)
    assert (got, json.loads(out)["holds"]) == (code, measured)


def test_an_error_shows_its_traceback_only_when_debugging(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for debug, is_shown in ((["--debug"], True), ([], False)):
        err = run_main([*debug, "down", "no-such-lab"], monkeypatch, capsys)[2]
        assert ("Traceback" in err) is is_shown


def test_the_module_is_the_program_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "netlab", "--help"], capture_output=True, text=True, check=True
    )
    for command in ("up", "down", "exec", "status", "clean", "prove", "demo"):
        assert f"  {command} " in done.stdout


@pytest.mark.parametrize("arguments", [["event", "--help"], ["event", "traffic", "--help"], ["up", "--help"]])
def test_help_needs_no_lab(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(state, "RUN_FOLDER", tmp_path)
    code, out, err = run_main(arguments, monkeypatch, capsys)
    assert (code, err) == (ExitCode.OK, "")
    assert out.startswith("Usage: ")
