"""The examples do what they say, run as a stranger would run them."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from netlab.topology.file import load_topology

pytestmark = pytest.mark.lab

EXAMPLES = Path(__file__).parents[2] / "examples"


def run_python(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


def test_aioice_is_held_against_physics_behind_four_pairs_of_nats(tmp_path: Path) -> None:
    test = EXAMPLES / "test_aioice_behind_nats.py"
    done = run_python("-m", "pytest", "-q", "-p", "no:cacheprovider", "--nat-artefacts", tmp_path, test)
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout
    assert len(list(tmp_path.glob("*/elsa.stdout"))) == 4


def test_a_topology_of_ones_own_is_built_and_proven() -> None:
    done = run_python(EXAMPLES / "own_topology.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "home is port-restricted behind carrier: address-and-port-dependent filtering",
        "neighbour is port-restricted behind carrier: address-and-port-dependent filtering",
        "laptop reaches server",
        "laptop reaches phone",
        "laptop does not reach desktop",
    ]


def test_the_topology_from_python_and_the_one_from_the_file_are_the_same() -> None:
    written = runpy.run_path(str(EXAMPLES / "own_topology.py"))["TOPOLOGY"]
    assert load_topology(EXAMPLES / "own_topology.toml") == written
