"""The benchmark runs and reports. How fast anything is, is not for a test to say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.contest import CONTESTANTS
from benchmarks.recovery_run import CHANNELS, Break, Scene, Use, break_all
from benchmarks.recovery_summary import report_object, summaries

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parents[2]
PAIR = ("port-restricted", "port-restricted")


def run_benchmark(name: str, *options: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", f"benchmarks.{name}", *options]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)


def report_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The JSON object. Whether targets are met is what the exit code says, and not for a test to judge."""
    report: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == bool(report["missed"]), done.stderr
    return report


def test_every_contestant_delivers_its_payload_directly_and_never_before_light_could() -> None:
    done = run_benchmark("time_to_path", "--pairs", *PAIR, "--loss", "0%", "--runs", "2", "--json")

    report = report_of(done)
    (pair,) = report["pairs"]
    assert pair["target"] == {"median": 1.7, "percentile_95": 2.2}
    assert tuple(pair["results"]) == CONTESTANTS
    assert pair["measured_rtt"] >= 0.04
    for name, result in pair["results"].items():
        assert result["failures"] == [], name
        assert result["delivered"] == 2, name
        assert min(result["seconds"]) >= pair["floor"] * report["rtt"], name
        assert result["read_median"]["seconds"] >= result["median"]["seconds"], name


def test_with_loss_ours_run_alone_and_the_table_has_a_row_for_each_and_for_the_target() -> None:
    done = run_benchmark("time_to_path", "--pairs", *PAIR, "--loss", "10%", "--runs", "2")

    heading, *rows = [line.strip() for line in done.stdout.splitlines()]
    assert heading.startswith("port-restricted x port-restricted, 10% loss, floor 1.5 RTT")
    starts = ("ours ", "ours, no early data ", "target for ours ")
    assert all(row.startswith(start) for row, start in zip(rows, starts, strict=False)), done.stdout
    assert done.returncode == any(row.startswith("MISSED: ") for row in rows)


def test_pairs_that_should_connect_do_and_a_record_is_gone_on_with(tmp_path: Path) -> None:
    record = tmp_path / "calls.jsonl"
    options = (
        "--pairs",
        "symmetric",
        "address-restricted",
        "--loss",
        "0%",
        "--record",
        str(record),
        "--json",
    )
    first = report_of(run_benchmark("direct_pairs", "--samples", "2", *options))
    second = report_of(run_benchmark("direct_pairs", "--samples", "3", *options))

    for report, count in ((first, 2), (second, 3)):
        assert report["missed"] == []
        (pair,) = report["pairs"]
        assert (pair["connected"], pair["calls"]) == (count, count)
        assert pair["techniques"] == {"plain-checks": count}
    assert len(record.read_text().splitlines()) == 3


def test_a_rebooted_nat_that_gives_other_ports_is_noticed_and_data_flow_again() -> None:
    scene = Scene(pair=("non-preserving-cone", "port-restricted"), event=Break.REBOOT, use=Use.NEAR)
    samples = break_all([scene], 1)

    assert len(samples) == CHANNELS
    for sample in samples:
        assert sample.noticed is not None
        assert sample.back is not None
        assert not sample.ended
    (row,) = report_object(summaries(samples))["scenes"]
    assert (row["samples"], row["path_went_on"]) == (CHANNELS, 0)
