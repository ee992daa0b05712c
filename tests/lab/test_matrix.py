"""``netlab matrix`` in real labs: what it finds, what it does not believe, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netlab import state
from netlab.matrix.attempt import DISPROVED
from netlab.namespaces import NamespaceBackend

pytestmark = pytest.mark.lab

LIAR = """\
name = "liar"
[callee]
argv = ["sleep", "60"]
[caller]
argv = ["echo", '{"outcome":"direct","elapsed":0.001,"technique":"hope"}']
"""

CRASHER = """\
name = "crasher"
[callee]
argv = ["sleep", "60"]
[caller]
argv = ["{python}", "-c", "raise RuntimeError('out of <cheese>')"]
"""

FILLER = """\
name = "filler"
[callee]
argv = ["sleep", "60"]
[caller]
argv = ["head", "-c", "4000000", "/dev/zero"]
"""

SULKER = """\
name = "sulker"
[callee]
argv = ["{python}", "-c", "exit('no mood')"]
ready = "never"
[caller]
argv = ["true"]
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "netlab", "matrix", *arguments]


def run_matrix(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=90, check=False)


def cells_of(output: Path) -> dict[tuple[str, str], dict[str, Any]]:
    value = json.loads((output / "matrix.json").read_text(encoding="utf-8"))
    return {(cell["a"], cell["b"]): cell["programs"] for cell in value["cells"]}


def own_labs(process: subprocess.Popen[str]) -> set[str]:
    return {lab.name for lab in state.known_labs() if lab.owner is not None and lab.owner.pid == process.pid}


BY_LUCK = ("port-restricted", "symmetric")
"""A pair that meets by birthday probing, and in one of some five hundred attempts it does not."""

CHANCES = 2


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The matrix of three profiles and of both programs, six pairs."""
    output = tmp_path_factory.mktemp("matrix")
    profiles = ("full-cone", "port-restricted", "symmetric")
    options = ("--unordered", "--jobs", "4", "--output", str(output))
    for _ in range(CHANCES):
        done = run_matrix(*profiles, "--program", "peer", "--program", "aioice", *options)
        assert done.returncode == 0, done.stdout + done.stderr
        (run,) = cells_of(output)[BY_LUCK]["peer"]["runs"]
        if run["outcome"] == "direct":
            break
    return output


BY_PLAIN_CHECKS = ("direct", "agrees")
REFUSED = ("failed", "agrees")
BY_PROBING = ("direct", "better")

NOT_BY_PLAIN_CHECKS = {
    BY_LUCK: {"peer": BY_PROBING, "aioice": REFUSED},
    ("symmetric", "symmetric"): {"peer": REFUSED, "aioice": REFUSED},
}
"""By pair and program, the outcome and its verdict."""


def test_both_programs_meet_where_physics_lets_them_and_ours_once_more(small: Path) -> None:
    cells = cells_of(small)
    assert len(cells) == 6
    for pair, programs in cells.items():
        assert list(programs) == ["peer", "aioice"]
        for name, program in programs.items():
            (run,) = program["runs"]
            expected = NOT_BY_PLAIN_CHECKS.get(pair, {}).get(name, BY_PLAIN_CHECKS)
            assert (run["outcome"], run["verdict"]) == expected, (pair, run)
            if run["verdict"] == "better":
                assert run["technique"] == "birthday-probing", run


def test_a_direct_run_tells_how_and_what_the_lab_saw(small: Path) -> None:
    (run,) = cells_of(small)["port-restricted", "port-restricted"]["peer"]["runs"]
    assert run["technique"] == "plain-checks"
    assert run["packets_sent"] > 0
    assert 0 < run["elapsed"] < 2
    assert all(min(side.values()) > 0 for side in (run["observed"]["caller"], run["observed"]["callee"]))
    assert run["callee"]["outcome"] == "direct"
    assert any("gets the first datagram" in event["event"] for event in run["observed"]["timeline"])


def test_every_run_keeps_its_artefacts(small: Path) -> None:
    (run,) = cells_of(small)[BY_LUCK]["peer"]["runs"]
    folder = small / "artefacts" / "peer" / "port-restricted--symmetric" / "1"
    assert {Path(path).name for path in run["artefacts"]} >= {
        "elsa-eth0.pcap",
        "anna-eth0.pcap",
        "nat-elsa-wan0.pcap",
        "nat-anna-wan0.pcap",
        "nat-elsa.rules.txt",
        "nat-elsa.conntrack.txt",
        "elsa-caller.stdout",
        "proof.json",
    }
    assert "### iptables-save" in (folder / "nat-anna.rules.txt").read_text()
    assert "dst=198.51.100.10" in (folder / "nat-elsa.conntrack.txt").read_text()
    assert all(proof["holds"] for proof in json.loads((folder / "proof.json").read_text()))
    assert all((small / path).is_file() for path in run["artefacts"])


def test_the_page_and_the_tables_are_written(small: Path) -> None:
    assert "| **3&nbsp;symmetric** |" in (small / "matrix.md").read_text(encoding="utf-8")
    assert "aioice, full-cone calls symmetric" in (small / "matrix.html").read_text(encoding="utf-8")


def test_who_lies_is_disproved_and_who_crashes_is_broken_and_the_matrix_goes_on(tmp_path: Path) -> None:
    names = {"liar": LIAR, "crasher": CRASHER, "sulker": SULKER}
    for name, text in names.items():
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    programs = [word for name in names for word in ("--program", str(tmp_path / f"{name}.toml"))]
    output = tmp_path / "out"
    done = run_matrix("open", *programs, "--jobs", "3", "--output", str(output))
    assert done.returncode == 1
    cell = cells_of(output)["open", "open"]
    lie, crash, sulk = (cell[name]["runs"][0] for name in names)
    assert (lie["verdict"], lie["outcome"], lie["reason"]) == ("disproved", "failed", DISPROVED)
    assert (crash["verdict"], crash["outcome"]) == ("broken", None)
    assert "exit code 1 (RuntimeError: out of <cheese>)" in crash["error"]
    assert sulk["error"].startswith("anna-callee: got none, exit code 1 (no mood), expected a report")
    assert f"liar: open -> open: failed (disproved): {DISPROVED}" in done.stderr


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "tiny"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500k", "tiny", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_one_line_and_leaves_no_lab(tmp_path: Path, tiny_disk: Path) -> None:
    (tmp_path / "filler.toml").write_text(FILLER, encoding="utf-8")
    argv = command("open", "--program", str(tmp_path / "filler.toml"), "--output", str(tiny_disk))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == 3
    expected = f"no space left for artefacts in {tiny_disk}"
    assert complaint.splitlines()[-1].startswith(f"netlab: {expected}"), complaint
    assert "Traceback" not in complaint
    assert not own_labs(process)


def test_ctrl_c_ends_every_lab_and_keeps_what_was_done(tmp_path: Path) -> None:
    output = tmp_path / "out"
    argv = command("open", "symmetric", "--repeat", "50", "--jobs", "3", "--output", str(output))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("1/200 ")
        deadline = time.monotonic() + 20
        while not (labs := own_labs(process)) and time.monotonic() < deadline:
            continue
        assert labs
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=30)
    assert process.returncode == 130
    assert complaint.splitlines()[-1] == "netlab: interrupted"
    assert not own_labs(process)
    assert not labs & set(NamespaceBackend().labs())
    assert json.loads((output / "matrix.json").read_text())["complete"] is False


@pytest.mark.docker
def test_peer_meets_in_docker_nodes_as_well(tmp_path: Path) -> None:
    done = run_matrix("port-restricted", "--backend", "docker", "--output", str(tmp_path / "out"))
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = cells_of(tmp_path / "out")["port-restricted", "port-restricted"]["peer"]["runs"]
    assert run["outcome"] == "direct"
