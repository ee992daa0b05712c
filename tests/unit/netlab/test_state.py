from __future__ import annotations

import errno
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from netlab import state
from netlab.errors import BadLabName, LabNotFound, NameTaken
from netlab.process import ProcessId
from netlab.profiles import profile
from netlab.state import LabState, RunFolderFull
from netlab.topology.file import from_document, to_document
from netlab.topology.scenes import two_nats

TOPOLOGY = two_nats(profile("symmetric"), profile("open"))
NODES = state.nodes_of(TOPOLOGY)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(state, "RUN_FOLDER", tmp_path / "netlab")
    return tmp_path / "netlab"


def lab(name: str = "nl-one") -> LabState:
    return LabState(
        name=name,
        backend="namespaces",
        rtt=0.04,
        nodes=NODES,
        topology=to_document(TOPOLOGY),
        owner=state.current_process(),
    )


def test_what_is_written_is_read_again() -> None:
    state.create(lab())
    changed = state.change("nl-one", lambda known: known.with_process(ProcessId(pid=1, started=2)))
    assert state.known_labs() == [changed]
    assert from_document(changed.topology) == TOPOLOGY


def test_changes_of_several_threads_are_all_kept() -> None:
    state.create(lab())
    with ThreadPoolExecutor(8) as pool:
        for _ in range(40):
            pool.submit(state.change, "nl-one", lambda known: replace(known, rtt=known.rtt + 1))
    assert state.find_lab("one").rtt == pytest.approx(40.04)


def test_a_lab_that_is_gone_cannot_be_changed() -> None:
    state.create(lab())
    state.remove("nl-one")
    with pytest.raises(LabNotFound):
        state.change("nl-one", lambda known: known)


def test_nodes_are_described_by_what_they_are() -> None:
    assert [(node.name, node.role, node.profile, node.behind) for node in NODES] == [
        ("server", "host", None, ()),
        ("anna", "host", None, ()),
        ("nat-elsa", "router", "symmetric", ()),
        ("elsa", "host", None, ("nat-elsa",)),
    ]


def test_a_name_that_is_taken_is_refused_and_the_first_lab_stays() -> None:
    state.create(lab())
    with pytest.raises(NameTaken):
        state.create(replace(lab(), rtt=0.0))
    assert [known.rtt for known in state.known_labs()] == [0.04]


def test_nothing_stays_of_a_lab_that_is_removed(folder: Path) -> None:
    state.create(lab())
    state.remove("nl-one")
    state.remove("nl-one")
    assert list(folder.iterdir()) == []


def test_the_only_lab_needs_no_name() -> None:
    state.create(lab())
    assert state.find_lab(None).name == "nl-one"


@pytest.mark.parametrize("name", ["one", "nl-one"])
def test_a_lab_is_found_with_or_without_the_prefix(name: str) -> None:
    state.create(lab())
    state.create(lab("nl-two"))
    assert state.find_lab(name).name == "nl-one"


def test_several_labs_need_a_name() -> None:
    state.create(lab())
    state.create(lab("nl-two"))
    with pytest.raises(LabNotFound):
        state.find_lab(None)
    with pytest.raises(LabNotFound):
        state.find_lab("three")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"name": "nl-bad"}'])
def test_a_file_that_is_no_lab_is_passed_over(content: str, folder: Path) -> None:
    state.create(lab())
    (folder / "nl-bad.json").write_text(content, encoding="utf-8")
    assert [known.name for known in state.known_labs()] == ["nl-one"]


def test_a_lab_is_owned_while_its_process_lives() -> None:
    own = state.current_process()
    assert own is not None
    assert lab().is_owned
    assert not replace(lab(), owner=ProcessId(pid=own.pid, started=own.started + 1)).is_owned
    assert not replace(lab(), owner=None).is_owned


def test_scratch_of_the_dead_is_removed_and_scratch_of_the_living_is_not(folder: Path) -> None:
    state.create(lab())
    own = state.current_process()
    assert own is not None
    for pid in (own.pid, 2**22 + 1, "nobody"):  # above the largest pid that Linux gives
        (folder / f"nl-x.{pid}.new").write_text("")
    state.remove_scratch()
    assert [path.name for path in folder.glob("*.new")] == [f"nl-x.{own.pid}.new"]


@pytest.mark.parametrize("name", ["x", "nl-x", "-", "0" * 32, "nl-" + "0" * 32])
def test_a_lab_is_found_by_the_name_that_it_was_given(name: str) -> None:
    state.create(lab(state.lab_name(name)))
    for wanted in (name, state.lab_name(name)):
        assert state.find_lab(wanted).name == state.lab_name(name)


@pytest.mark.parametrize(
    "name", ["", "nl-", "X", "a.b", "../x", "a/b", "ü", "a\n", "0" * 33, "nl-" + "0" * 33]
)
def test_a_name_that_cannot_be_a_files_is_refused(name: str) -> None:
    with pytest.raises(BadLabName, match="expected up to 32 lower-case letters, digits and hyphens"):
        state.lab_name(name)


def fill_the_disk(method: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = getattr(Path, method)

    def fail_half_way(path: Path, *arguments: object, **options: object) -> None:
        if path != folder:
            own(path, *arguments, **options)
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, method, fail_half_way)


@pytest.mark.parametrize("method", ["write_text", "mkdir"])
def test_on_a_full_disk_nothing_is_begun(method: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    fill_the_disk(method, folder, monkeypatch)
    with pytest.raises(RunFolderFull, match=f"no space left in {folder}, where labs are remembered"):
        state.create(lab())
    assert list(folder.glob("*.*")) == []


def test_a_change_that_finds_a_full_disk_changes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state.create(lab())
    before = sorted(folder.iterdir())
    fill_the_disk("write_text", folder, monkeypatch)
    with pytest.raises(RunFolderFull, match=f"no space left in {folder}, where labs are remembered"):
        state.change("nl-one", lambda known: replace(known, rtt=1.0))
    assert sorted(folder.iterdir()) == before
    assert state.find_lab("one").rtt == 0.04


def test_a_lab_that_is_removed_while_it_changes_does_not_come_back(folder: Path) -> None:
    state.create(lab())
    remover = threading.Thread(target=state.remove, args=["nl-one"])

    def edit(known: LabState) -> LabState:
        remover.start()
        remover.join(0.05)  # as long as a remover that does not wait would need
        return replace(known, rtt=1.0)

    state.change("nl-one", edit)
    remover.join()
    assert list(folder.iterdir()) == []
