from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from netlab.cli.exit_codes import ExitCode, exit_code_of
from netlab.docker.client import EngineUnreachable, connect


def test_where_no_engine_is_the_error_is_one_line_that_says_where_and_what_to_try(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")

    with pytest.raises(EngineUnreachable) as caught:
        connect()

    assert str(caught.value) == (
        f"no Docker engine answers at unix://{tmp_path}/nobody.sock (No such file or directory): "
        f"start one, or work in the shell that `{sys.executable} -m netlab.docker.engine bash` opens"
    )
    assert exit_code_of(caught.value) is ExitCode.ENVIRONMENT


def test_a_socket_whose_owner_has_gone_is_no_engine(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as abandoned:
        abandoned.bind(str(tmp_path / "engine.sock"))

    with pytest.raises(EngineUnreachable, match="Connection refused"):
        connect(f"unix://{tmp_path}/engine.sock")


def test_a_user_who_may_not_use_the_engine_is_told_what_to_do() -> None:
    error = EngineUnreachable("unix:///var/run/docker.sock", "Permission denied")

    assert str(error) == (
        "not permitted to use the Docker engine at unix:///var/run/docker.sock: "
        "try sudo, or join the group docker"
    )
