"""The benchmark of labs runs and reports. How fast anything is, is not for a test to say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]


def test_we_and_the_peer_build_and_remove_the_same_lab() -> None:
    argv = [sys.executable, "-m", "benchmarks.lab_times", "--runs", "1", "--json"]
    argv += ["--scene", "two-nats", "--backend", "namespaces"]

    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False)

    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    rows = {row["name"]: row for row in report["rows"]}
    assert {"namespaces", "namespaces, proven", "mininet"} <= set(rows)
    # A machine may forbid its users to make namespaces; whether rootless labs work is for their own tests.
    assert set(report["absent"]) == {
        f"two-nats: {name}" for name in {"rootless", "rootless, proven"} - set(rows)
    }
    for name, row in rows.items():
        assert row["failures"] == [], name
        assert len(row["up"]["seconds"]) == len(row["down"]["seconds"]) == 1, name
        assert (row["up"]["ratio"] is None) == (name == "mininet"), name
