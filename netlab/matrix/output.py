"""The folder of a matrix: ``matrix.json``, ``matrix.md``, ``matrix.html`` and ``artefacts/``."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path

from netlab.disk import is_full
from netlab.errors import UsageProblem
from netlab.matrix.artefacts import ArtefactsFull, require_space
from netlab.matrix.markdown import matrix_markdown
from netlab.matrix.page import matrix_page
from netlab.matrix.results import FORMAT, Matrix, matrix_object

JSON_NAME = "matrix.json"
MARKDOWN_NAME = "matrix.md"
PAGE_NAME = "matrix.html"
ARTEFACTS_NAME = "artefacts"


class FolderTaken(UsageProblem):
    """The folder for the results holds something else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(folder)

    def __str__(self) -> str:
        return f"{self.folder} holds something that is no matrix: name a new or an empty folder with --output"


def default_folder(now: datetime) -> Path:
    """One that is not there yet, in the working directory, named after the time."""
    return Path(f"matrix-{now:%Y%m%d-%H%M%S}")


def prepare(folder: Path) -> None:
    """Makes the folder; what an earlier matrix has left in it goes.

    Raises:
        FolderTaken: there is something else in it.
        ArtefactsFull: there is no room for anything.
        OSError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise FolderTaken(folder) from None
    except OSError as error:
        if is_full(error):
            raise ArtefactsFull(folder) from error
        raise
    if any(folder.iterdir()):
        if not _is_matrix(folder / JSON_NAME):
            raise FolderTaken(folder)
        shutil.rmtree(folder / ARTEFACTS_NAME, ignore_errors=True)
        for name in (JSON_NAME, MARKDOWN_NAME, PAGE_NAME):
            (folder / name).unlink(missing_ok=True)
    require_space(folder)


def write(matrix: Matrix, folder: Path) -> None:
    """Writes all that can be made of a matrix.

    Raises:
        ArtefactsFull: there is no room for it.
        OSError: it cannot be written.
    """
    try:
        (folder / JSON_NAME).write_text(json.dumps(matrix_object(matrix), indent=1) + "\n", encoding="utf-8")
        (folder / MARKDOWN_NAME).write_text(matrix_markdown(matrix), encoding="utf-8")
        (folder / PAGE_NAME).write_text(matrix_page(matrix, folder), encoding="utf-8")
    except OSError as error:
        if is_full(error):
            raise ArtefactsFull(folder) from error
        raise


def _is_matrix(file: Path) -> bool:
    try:
        with file.open(encoding="utf-8") as stream:
            return f'"format": "{FORMAT.partition("/")[0]}/' in stream.read(200)
    except (OSError, UnicodeDecodeError):
        return False
