"""What is removed and what is spared, with a backend that only remembers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from netlab import state, takedown
from netlab.backend import NodeSpec
from netlab.errors import NotPermitted
from netlab.process import ProcessId
from netlab.state import LabState

DEAD = ProcessId(pid=2**22 + 1, started=1)  # above the largest pid that Linux gives


class FakeBackend:
    name = "namespaces"

    def __init__(self, *labs: str) -> None:
        self.present = set(labs)
        self.broken: set[str] = set()

    def create_nodes(self, lab: str, nodes: Sequence[NodeSpec]) -> None:
        self.present.add(lab)

    def command(self, lab: str, node: str, argv: Sequence[str]) -> list[str]:
        return list(argv)

    def destroy_nodes(self, lab: str) -> None:
        if lab in self.broken:
            raise NotPermitted
        self.present.discard(lab)

    def labs(self) -> list[str]:
        return sorted(self.present)


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeBackend:
    fake = FakeBackend()
    monkeypatch.setattr(state, "RUN_FOLDER", tmp_path)
    monkeypatch.setattr(takedown, "backend_named", lambda _name: fake)
    return fake


def add(backend: FakeBackend, name: str, owner: ProcessId | None) -> LabState:
    lab = LabState(name=name, backend="namespaces", rtt=0.0, nodes=(), topology={}, owner=owner)
    state.create(lab)
    backend.create_nodes(name, ())
    return lab


def test_the_labs_of_the_dead_and_those_left_running_are_removed(backend: FakeBackend) -> None:
    add(backend, "nl-killed", DEAD)
    add(backend, "nl-left-running", None)
    assert takedown.clean() == (["nl-killed", "nl-left-running"], [])
    assert backend.labs() == []
    assert state.known_labs() == []


def test_the_labs_of_the_living_are_spared_unless_forced(backend: FakeBackend) -> None:
    add(backend, "nl-held", state.current_process())
    assert takedown.clean() == ([], ["nl-held"])
    assert backend.labs() == ["nl-held"]
    assert takedown.clean(force=True) == (["nl-held"], [])
    assert backend.labs() == []


def test_nodes_without_a_state_file_are_removed(backend: FakeBackend) -> None:
    backend.create_nodes("nl-stray", ())
    assert takedown.clean() == (["nl-stray"], [])
    assert backend.labs() == []


def test_a_lab_that_cannot_be_removed_keeps_its_file(backend: FakeBackend) -> None:
    lab = add(backend, "nl-stuck", None)
    backend.broken = {"nl-stuck"}
    with pytest.raises(NotPermitted):
        takedown.take_down(lab)
    assert [known.name for known in state.known_labs()] == ["nl-stuck"]
    backend.broken = set()
    takedown.take_down(replace(lab, processes=(DEAD,)))
    assert state.known_labs() == []


def test_one_lab_that_cannot_be_removed_does_not_save_the_others(backend: FakeBackend) -> None:
    for name in ("nl-one", "nl-stuck", "nl-two"):
        add(backend, name, None)
    backend.broken = {"nl-stuck"}
    with pytest.raises(NotPermitted):
        takedown.clean()
    assert backend.labs() == ["nl-stuck"]


def test_a_file_that_says_nothing_is_removed_and_its_name_is_free_again(backend: FakeBackend) -> None:
    (state.RUN_FOLDER / "nl-of-old.json").write_text('{"name": "nl-of-old"}', encoding="utf-8")
    add(backend, "nl-held", state.current_process())
    assert takedown.clean() == (["nl-of-old"], ["nl-held"])
    assert add(backend, "nl-of-old", None).name == "nl-of-old"


def test_a_stray_that_is_stuck_keeps_no_other_from_being_removed(backend: FakeBackend) -> None:
    backend.present = {"nl-a", "nl-b"}
    backend.broken = {"nl-a"}
    with pytest.raises(NotPermitted):
        takedown.clean()
    assert backend.labs() == ["nl-a"]
