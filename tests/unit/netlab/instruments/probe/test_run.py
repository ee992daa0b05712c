"""The whole probe against the lab's own server, as programs, with nothing in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from netlab.instruments import probe, stunserver
from netlab.instruments.probe import run

FOLDER = Path(probe.__file__).parent
_OURS = f"127.{os.getpid() >> 8 & 127 | 128}.{os.getpid() & 255}"
ADDRESSES = (f"{_OURS}.1", f"{_OURS}.2")
"""Loopback addresses of this process alone: the ports of the lab's server are always the same."""


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    """What the probe prints where nothing stands in the way."""
    server = [sys.executable, "-I", "-S", stunserver.__file__, "--tcp", "3478", *ADDRESSES]
    options = ["--tcp", "3478,1", "--idle", "0.1", "--kept", "0.05,0.06", "--refresh", "0.05,2", *ADDRESSES]
    with subprocess.Popen(server, stdout=subprocess.PIPE) as serving:
        try:
            assert serving.stdout is not None
            assert serving.stdout.readline() == b"READY\n"
            done = subprocess.run(
                [sys.executable, "-I", "-S", str(FOLDER), *options],
                capture_output=True,
                text=True,
                timeout=30,
                check=True,
            )
        finally:
            serving.kill()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_an_open_road_is_measured_as_one(measured: dict[str, Any]) -> None:
    expected = {
        "udp_blocked": False,
        "tcp_ports": [3478],
        "unasked_arrives": True,
        "translated": False,
        "mapping": "endpoint-independent",
        "filtering": "endpoint-independent",
        "allocation": "preserving",
        "hairpinning": True,
        "shows_external": True,
        "early_inbound": "drops",
    }
    assert {name: measured[name] for name in expected} == expected


def test_what_is_silent_is_told_between_which_two_ends(measured: dict[str, Any]) -> None:
    assert len(measured["idle"]) == 2
    for trial in measured["idle"]:
        assert trial["reached"]
        assert 0.1 <= trial["at_least"] <= trial["at_most"]


def test_who_speaks_again_is_silent_from_then_on(measured: dict[str, Any]) -> None:
    assert len(measured["kept"]) == 2
    for trial in measured["kept"]:
        assert trial["reached"]
        assert 0.06 <= trial["at_least"] <= trial["at_most"]


def test_every_packet_from_outside_is_counted(measured: dict[str, Any]) -> None:
    assert [trial["heard"] for trial in measured["refresh"]] == [2, 2]


def test_the_flow_that_is_left_behind_has_its_own_port(measured: dict[str, Any]) -> None:
    assert measured["flow"]["destination"] == [ADDRESSES[0], 3478]
    assert measured["flow"]["source"][1] in measured["ports_seen"]


def test_a_server_that_is_not_there_is_one_clear_line() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(FOLDER), "--tcp", "1", *ADDRESSES],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == f"probe: {ADDRESSES[0]} is silent on TCP ports [1]\n"


@pytest.mark.parametrize(
    "options", [["--refresh", "1,101"], ["--kept", ",".join("1" * 101)], ["--samples", "257"]]
)
def test_one_measurement_is_bounded(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.parse([*options, *ADDRESSES])
    assert "expected at most" in capsys.readouterr().err
