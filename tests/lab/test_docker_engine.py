"""The engine that we start where none answers: started once, shared, stopped by its last user."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from netlab.docker import engine as docker_engine
from netlab.docker.engine import answers, engine, socket_url

pytestmark = [pytest.mark.lab, pytest.mark.docker]


@pytest.fixture
def run_directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A private place for an engine, on a machine that seems to have none; sockets need short paths."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(docker_engine, "answers", lambda url=None: url is not None and answers(url))
    if shutil.which("dockerd") is None:
        pytest.fail("dockerd is missing: apt-get install docker.io", pytrace=False)
    directory = Path(tempfile.mkdtemp(prefix="nl-"))
    try:
        yield directory / "run"
    finally:
        shutil.rmtree(directory)


def data_root(run_directory: Path) -> Path:
    return run_directory.parent / "data"


def test_an_engine_answers_inside_the_block_and_not_after_it(run_directory: Path) -> None:
    with engine(run_directory, data_root(run_directory)) as environment:
        assert environment == {"DOCKER_HOST": socket_url(run_directory)}
        assert answers(environment["DOCKER_HOST"])

    assert not answers(socket_url(run_directory))


def test_the_engine_lives_until_its_last_user_has_ended(run_directory: Path) -> None:
    with engine(run_directory, data_root(run_directory)) as first:
        with engine(run_directory, data_root(run_directory)) as second:
            assert first == second
        assert answers(first["DOCKER_HOST"])

    assert not answers(socket_url(run_directory))


def test_the_hosts_network_is_as_it_was(run_directory: Path) -> None:
    before = os.listdir("/sys/class/net"), Path("/proc/sys/net/ipv4/ip_forward").read_text()

    with engine(run_directory, data_root(run_directory)):
        assert (os.listdir("/sys/class/net"), Path("/proc/sys/net/ipv4/ip_forward").read_text()) == before


def test_an_engine_whose_user_was_killed_is_found_and_stopped_by_the_next_one(run_directory: Path) -> None:
    child = os.fork()
    if child == 0:
        with engine(run_directory, data_root(run_directory)):
            os._exit(0)  # as if killed: nothing of ours runs any more
    os.waitpid(child, 0)
    assert answers(socket_url(run_directory))

    with engine(run_directory, data_root(run_directory)) as environment:
        assert answers(environment["DOCKER_HOST"])

    assert not answers(socket_url(run_directory))
