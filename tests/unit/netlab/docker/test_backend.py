from __future__ import annotations

import sys

from netlab.backend import Backend
from netlab.docker.backend import DockerBackend, EngineRefused


def test_it_is_a_backend() -> None:
    backend: Backend = DockerBackend()

    assert backend.name == "docker"


def test_a_program_in_a_node_runs_through_its_stand_in() -> None:
    argv = DockerBackend().command("nl-1", "elsa", ["peer", "chat", "--id", "elsa"])

    assert argv[:4] == [sys.executable, "-m", "netlab.docker.exec", "nl-1.elsa"]
    assert argv[4:] == ["peer", "chat", "--id", "elsa"]


def test_what_the_engine_refused_is_said_in_its_own_words() -> None:
    error = EngineRefused("start the container nl-1.elsa", "name in use")

    assert str(error) == "the Docker engine could not start the container nl-1.elsa: name in use"
