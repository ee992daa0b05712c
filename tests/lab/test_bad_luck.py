"""What a hostile or unlucky user meets: one clear line, an exit code, and nothing left behind."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.lab.traces import traces_of

pytestmark = pytest.mark.lab

NETLAB = [sys.executable, "-m", "netlab"]


def shell(script: str) -> subprocess.CompletedProcess[str]:
    """Runs a shell script, in which $NETLAB is the program."""
    done = subprocess.run(
        ["sh", "-c", script.replace("$NETLAB", " ".join(NETLAB))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_a_lab_whose_name_nobody_could_be_told_is_taken_down() -> None:
    done = shell("$NETLAB up --name untold > /dev/full")
    assert (done.returncode, done.stderr) == (1, "netlab: No space left on device\n")
    assert traces_of("nl-untold") == []
