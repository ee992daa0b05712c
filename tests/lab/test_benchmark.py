"""The benchmark runs and reports. How fast anything is, is not for a test to say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.contest import CONTESTANTS

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
PAIR = ("port-restricted", "port-restricted")


def run_benchmark(*options: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "benchmarks.time_to_path", "--pairs", *PAIR, "--rtt", "40ms", *options]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False)


def test_every_contestant_delivers_its_payload_directly_and_never_before_light_could() -> None:
    done = run_benchmark("--runs", "2", "--json")

    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    (pair,) = report["pairs"]
    assert tuple(pair["results"]) == CONTESTANTS
    assert pair["measured_rtt"] >= 0.04
    for name, result in pair["results"].items():
        assert result["failures"] == [], name
        assert result["delivered"] == 2, name
        assert min(result["seconds"]) >= pair["floor"] * report["rtt"], name
        assert result["read_median"]["seconds"] >= result["median"]["seconds"], name


def test_the_table_has_a_row_for_each_contestant_and_a_missed_requirement_is_said() -> None:
    done = run_benchmark("--runs", "1", "--require", "1.5")

    rows = [line.strip() for line in done.stdout.splitlines()]
    for name in CONTESTANTS:
        assert any(row.startswith(f"{name} ") and "RTT" in row for row in rows), f"{name}: {done.stdout}"
    assert done.returncode == 1
    assert any(row.startswith("MISSED: port-restricted x port-restricted: our median is") for row in rows)
