from __future__ import annotations

import sys
from pathlib import Path

import pytest

from netlab import namespaces
from netlab.backend import lab_of, namespace_of
from netlab.backends import backend_named
from netlab.errors import BadLabName
from netlab.namespaces import NamespaceBackend
from netlab.state import lab_name


def test_a_namespace_says_its_lab() -> None:
    assert lab_of(namespace_of("nl-3fa9c1", "nat-elsa")) == "nl-3fa9c1"


@pytest.mark.parametrize("foreign", ["", "nl-x", "nl-x.", ".elsa", "vpn.elsa", "vpn"])
def test_a_namespace_that_is_not_ours_has_no_lab(foreign: str) -> None:
    assert lab_of(foreign) is None


@pytest.mark.parametrize("text", ["mine", "nl-mine"])
def test_every_lab_name_has_the_prefix_once(text: str) -> None:
    assert lab_name(text) == "nl-mine"


@pytest.mark.parametrize("text", ["", "a/b", "../x", "a.b", "A", "x" * 33, "a b", "a\n"])
def test_a_name_that_no_file_or_namespace_could_have_is_refused(text: str) -> None:
    with pytest.raises(BadLabName):
        lab_name(text)


def test_the_default_backend_is_that_of_namespaces() -> None:
    assert isinstance(backend_named("namespaces"), NamespaceBackend)


def test_a_program_of_our_environment_is_preferred() -> None:
    python = Path(sys.executable).name
    argv = NamespaceBackend().command("nl-x", "elsa", [python, "-V"])
    assert argv[1:] == ["netns", "exec", "nl-x.elsa", sys.executable, "-V"]


@pytest.mark.parametrize("program", ["/bin/sh", "../bin/sh", "sh"])
def test_any_other_program_is_run_as_it_is_named(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/bin")
    assert NamespaceBackend().command("nl-x", "elsa", [program])[-1] == program


def test_labs_are_told_from_foreign_namespaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nl-b.elsa", "nl-b.inet", "nl-a.inet", "vpn", "other.thing"):
        (tmp_path / name).touch()
    monkeypatch.setattr(namespaces, "_NAMES", tmp_path)
    assert NamespaceBackend().labs() == ["nl-a", "nl-b"]


def test_without_any_namespace_there_is_no_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "_NAMES", tmp_path / "missing")
    assert NamespaceBackend().labs() == []
