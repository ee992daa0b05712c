from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from netlab.docker import engine as docker_engine


def exit_with(code: int) -> list[str]:
    return [sys.executable, "-c", f"raise SystemExit({code})"]


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")


def test_our_engine_touches_nothing_of_the_hosts_network(tmp_path: Path) -> None:
    command = docker_engine.daemon_command(tmp_path / "run", tmp_path / "data")

    assert {"--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"} <= set(command)


def test_our_engine_keeps_everything_in_its_own_directories(tmp_path: Path) -> None:
    command = docker_engine.daemon_command(tmp_path / "run", tmp_path / "data")

    assert f"--host=unix://{tmp_path}/run/docker.sock" in command
    assert f"--data-root={tmp_path}/data" in command
    assert f"--exec-root={tmp_path}/run/exec" in command
    assert f"--pidfile={tmp_path}/run/dockerd.pid" in command


def test_an_engine_that_answers_already_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_engine, "answers", lambda url=None: True)

    with docker_engine.engine() as environment:
        assert environment == {}


@pytest.mark.usefixtures("no_engine")
def test_nobody_answers_at_a_socket_that_is_not_there() -> None:
    assert not docker_engine.answers()
    assert not docker_engine.answers("unix:///nowhere/docker.sock")


@pytest.mark.usefixtures("no_engine")
def test_an_engine_that_was_named_and_does_not_answer_is_not_replaced() -> None:
    with pytest.raises(docker_engine.EngineUnavailable, match="DOCKER_HOST=unix:"), docker_engine.engine():
        pass


@pytest.mark.parametrize(
    ("lacking", "message"),
    [
        (("os.geteuid", lambda: 1000), "only root can start one"),
        (("shutil.which", lambda name: None), "apt-get install docker.io"),
    ],
)
def test_what_keeps_an_engine_from_starting_is_said_with_what_to_try(
    monkeypatch: pytest.MonkeyPatch, lacking: tuple[str, Callable[..., object]], message: str
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(docker_engine, "answers", lambda url=None: False)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(*lacking)

    with pytest.raises(docker_engine.EngineUnavailable, match=message), docker_engine.engine():
        pass


@pytest.mark.parametrize("code", [0, 1, 5])
def test_the_exit_code_is_the_commands(code: int) -> None:
    assert docker_engine.run(exit_with(code), {}) == code


def test_a_command_that_a_signal_ended_has_the_exit_code_that_a_shell_gives_it() -> None:
    suicide = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]

    assert docker_engine.run(suicide, {}) == 128 + signal.SIGKILL


def test_the_command_finds_the_engine_in_its_environment() -> None:
    check = "import os; raise SystemExit(os.environ['DOCKER_HOST'] != 'unix:///x')"

    assert docker_engine.run([sys.executable, "-c", check], {"DOCKER_HOST": "unix:///x"}) == 0


def test_running_a_command_leaves_our_own_signal_handlers_alone() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    docker_engine.run(exit_with(0), {})

    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@pytest.mark.usefixtures("no_engine")
def test_the_command_runs_after_one_line_where_no_engine_can_be_had(
    capsys: pytest.CaptureFixture[str],
) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    try:
        assert docker_engine.main(exit_with(3)) == 3
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert capsys.readouterr().err.startswith("netlab: no Docker engine answers at DOCKER_HOST=")


def test_without_a_command_the_usage_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert docker_engine.main([]) == 2
    assert capsys.readouterr().err.startswith("usage:")
