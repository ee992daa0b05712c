from __future__ import annotations

import pytest

from netlab.cli.exit_codes import ExitCode, exit_code_of
from netlab.errors import (
    BadLabName,
    BadTopology,
    LabError,
    LabNotFound,
    MislabelledNat,
    MissingTool,
    NameTaken,
    NodeNotFound,
    NotPermitted,
    ProcessFailed,
    ToolFailed,
    UnknownProfile,
    UnsupportedBehavior,
)

CASES: list[tuple[BaseException, str, ExitCode]] = [
    (
        UnknownProfile("cone", known=["full-cone", "symmetric"]),
        "unknown NAT profile 'cone': did you mean full-cone?",
        ExitCode.USAGE,
    ),
    (BadTopology("two of them"), "two of them", ExitCode.USAGE),
    (UnsupportedBehavior("no rules"), "no rules", ExitCode.USAGE),
    (
        BadLabName("a/b"),
        "lab name: got 'a/b', expected up to 32 lower-case letters, digits and hyphens",
        ExitCode.USAGE,
    ),
    (
        NameTaken("nl-x"),
        "a lab named nl-x is there already: try `netlab down nl-x`",
        ExitCode.USAGE,
    ),
    (LabNotFound(None, running=[]), "no lab is running: start one with `netlab up`", ExitCode.USAGE),
    (
        LabNotFound(None, running=["nl-a", "nl-b"]),
        "2 labs are running, name one of them: nl-a, nl-b",
        ExitCode.USAGE,
    ),
    (
        LabNotFound("c", running=["nl-a"]),
        "no lab 'c' is running, there are: nl-a",
        ExitCode.USAGE,
    ),
    (
        NodeNotFound("olaf", known=["elsa", "anna"]),
        "no node 'olaf' in this lab, there are: elsa, anna",
        ExitCode.USAGE,
    ),
    (
        NodeNotFound("elsa", known=["nat-elsa", "nat-anna"], kind="router"),
        "no router 'elsa' in this lab, there are: nat-elsa, nat-anna; did you mean nat-elsa?",
        ExitCode.USAGE,
    ),
    (
        NodeNotFound("x", known=[], kind="router"),
        "no router 'x' in this lab, there are: none",
        ExitCode.USAGE,
    ),
    (
        NotPermitted(),
        "netlab needs root to make network namespaces: try sudo, or `netlab rootless -- PROGRAM`",
        ExitCode.ENVIRONMENT,
    ),
    (
        MissingTool("ipset", package="ipset"),
        "ipset is not installed: try `apt-get install ipset`",
        ExitCode.ENVIRONMENT,
    ),
    (
        ToolFailed(["ip", "link"], returncode=2, complaint="no such\n\ndevice\n"),
        "`ip link` failed with exit code 2, saying: no such / device",
        ExitCode.FAILED,
    ),
    (
        ToolFailed(["ip"], returncode=1, complaint=""),
        "`ip` failed with exit code 1, saying: nothing",
        ExitCode.FAILED,
    ),
    (
        ProcessFailed("probe", expected="a measurement", got="nothing"),
        "probe: got nothing, expected a measurement",
        ExitCode.FAILED,
    ),
    (
        MislabelledNat(
            "nat-elsa", "symmetric", claimed={"mapping": "this"}, measured={"mapping": "that", "more": "x"}
        ),
        "nat-elsa is not symmetric: mapping: got that, expected this",
        ExitCode.FAILED,
    ),
    (KeyboardInterrupt(), "", ExitCode.INTERRUPTED),
    (OSError("disk full"), "disk full", ExitCode.FAILED),
]


@pytest.mark.parametrize(("error", "text", "code"), CASES, ids=lambda value: type(value).__name__)
def test_an_error_is_one_clear_line_and_an_exit_code(error: BaseException, text: str, code: ExitCode) -> None:
    assert str(error) == text
    assert "\n" not in str(error)
    assert exit_code_of(error) is code


def test_the_tree_has_one_root_of_its_own() -> None:
    assert all(isinstance(error, LabError) for error, _, _ in CASES[:-2])
    assert LabError.__mro__[1] is Exception
