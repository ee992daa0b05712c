"""A wheel holds every file that the packages need, not only their modules."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("natcore", "rendezvous", "peer", "netlab")
NOT_SHIPPED = {"__pycache__"}


def data_files(package: str) -> set[Path]:
    found = (ROOT / package).rglob("*")
    return {
        path for path in found if path.is_file() and path.suffix != ".py" and not NOT_SHIPPED & {*path.parts}
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_no_module_is_named_as_package_data(package: str) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    globs = settings["package-data"]
    assert set(globs) <= {"*", *PACKAGES}, "there are no others"
    shipped = {path for glob in globs.get(package, []) for path in (ROOT / package).glob(glob)}
    shipped |= {path for glob in globs["*"] for path in (ROOT / package).rglob(glob)}
    assert data_files(package) == shipped & data_files(package)
