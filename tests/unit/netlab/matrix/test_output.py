from __future__ import annotations

import errno
import json
from datetime import datetime
from pathlib import Path

import pytest

from netlab.matrix import artefacts, output
from netlab.matrix.artefacts import ArtefactsFull, require_space, tidy
from netlab.matrix.output import FolderTaken, default_folder, prepare, write
from tests.unit.netlab.matrix.builders import direct, matrix


def test_three_files_are_written(tmp_path: Path) -> None:
    write(matrix(("open",), {("peer", "open", "open"): (direct(),)}), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["matrix.html", "matrix.json", "matrix.md"]
    assert json.loads((tmp_path / "matrix.json").read_text())["format"] == "netlab-matrix/1"


def test_the_default_folder_is_named_after_the_time() -> None:
    assert default_folder(datetime(2026, 1, 2, 3, 4, 5)) == Path("matrix-20260102-030405")


def test_an_earlier_matrix_makes_room_for_a_new_one(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "out"
    prepare(folder)
    write(matrix(("open",), {}), folder)
    (folder / "artefacts" / "peer").mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    prepare(folder)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_what_is_no_matrix_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "matrix.json").write_text("{}")
    with pytest.raises(FolderTaken, match="holds something that is no matrix"):
        prepare(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderTaken):
        prepare(tmp_path / "file")
    assert (tmp_path / "matrix.json").exists()


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(output, "matrix_page", full)
    with pytest.raises(ArtefactsFull, match=f"no space left for artefacts in {tmp_path}: free some"):
        write(matrix(("open",), {}), tmp_path)


def test_space_is_looked_for_before_a_short_file_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_space(tmp_path / "not" / "there" / "yet")
    monkeypatch.setattr(artefacts, "MIN_FREE_SPACE", 1 << 60)
    with pytest.raises(ArtefactsFull):
        require_space(tmp_path)


def test_files_that_tell_nothing_go(tmp_path: Path) -> None:
    for name in ("elsa.stderr", "elsa-capture.stdout", "nat-elsa-capture~1.stdout", "elsa-caller.stdout"):
        (tmp_path / name).write_text("" if name == "elsa.stderr" else "READY\n")
    (tmp_path / "folder").mkdir()
    assert tidy(tmp_path) == ("elsa-caller.stdout",)
    assert tidy(tmp_path / "none") == ()
