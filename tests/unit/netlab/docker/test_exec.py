from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_without_an_engine_it_ends_with_one_line_and_the_code_of_a_shell_that_cannot_run(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "netlab.docker.exec", "node", "peer"],
        env={**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/nobody.sock"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 126
    assert done.stdout == ""
    assert done.stderr.startswith("netlab: cannot run peer in node: ")
    assert len(done.stderr.splitlines()) == 1


def test_without_a_program_the_usage_is_shown() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "netlab.docker.exec", "node"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert done.stderr.startswith("usage:")
