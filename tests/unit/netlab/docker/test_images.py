from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from docker.errors import DockerException, ImageNotFound

from netlab.docker import images
from netlab.errors import EnvironmentProblem

PYPROJECT = """
[build-system]
requires = ["builder>=1"]
[project]
dependencies = ["first", "second>=2"]
[project.optional-dependencies]
fast = ["faster"]
lab = ["never-inside"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = {
        "pyproject.toml": PYPROJECT,
        "README.md": "words",
        "natcore/__init__.py": "",
        "peer/cli.py": "print('hello')",
        "netlab/docker/Dockerfile": 'FROM x\nARG PACKAGES="iptables ipset"\n',
        "tests/test_x.py": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_the_package_list_is_read_from_the_dockerfile() -> None:
    assert images.packages('FROM x\nARG PACKAGES="iptables ipset"\nRUN y') == ("iptables", "ipset")


def test_our_own_dockerfile_has_a_package_list() -> None:
    assert {"iproute2", "iptables", "python3-venv"} <= set(images.packages(images.DOCKERFILE.read_text()))


def test_a_dockerfile_without_a_package_list_is_refused_in_one_line() -> None:
    with pytest.raises(EnvironmentProblem) as caught:
        images.packages("FROM x\n")

    assert str(caught.value) == (
        'reading the Dockerfile: got no ARG PACKAGES line, expected ARG PACKAGES="..."'
    )


def test_the_image_gets_build_tools_dependencies_and_the_fast_extra() -> None:
    assert images.dependencies(PYPROJECT) == ["builder>=1", "first", "second>=2", "faster"]


@pytest.mark.parametrize("name", ["pyproject.toml", "peer/cli.py", "netlab/docker/Dockerfile"])
def test_a_change_of_what_goes_into_the_image_changes_its_name(project: Path, name: str) -> None:
    before = images.image_tag(project)

    (project / name).write_text("different")

    assert images.image_tag(project) != before


def test_a_new_and_a_moved_file_change_the_image_name(project: Path) -> None:
    before = images.image_tag(project)
    (project / "peer" / "more.py").touch()
    with_more = images.image_tag(project)
    (project / "peer" / "more.py").rename(project / "natcore" / "more.py")

    assert len({before, with_more, images.image_tag(project)}) == 3


@pytest.mark.parametrize("name", ["README.md", "tests/test_x.py", "peer/__pycache__/cli.pyc"])
def test_what_stays_outside_the_image_does_not_change_its_name(project: Path, name: str) -> None:
    before = images.image_tag(project)

    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_text("different")

    assert images.image_tag(project) == before


def test_the_image_name_is_one_that_the_engine_accepts(project: Path) -> None:
    repository, _, tag = images.image_tag(project).partition(":")

    assert repository == "netlab"
    assert len(bytes.fromhex(tag)) == 6


def test_the_name_of_a_base_depends_on_the_packages_and_not_on_their_order() -> None:
    assert images.base_tag(["a", "b"]) == images.base_tag(["b", "a"])
    assert images.base_tag(["a", "b"]) != images.base_tag(["a"])


def test_the_build_context_holds_the_dockerfile_the_wheels_and_the_sources(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    wheels = tmp_path_factory.mktemp("wheels")
    (wheels / "first-1.0-py3-none-any.whl").write_bytes(b"wheel")

    with tarfile.open(fileobj=images.build_context(project, wheels)) as context:
        names = {member.name for member in context}

    assert names == {
        "Dockerfile",
        "wheels/first-1.0-py3-none-any.whl",
        "source/README.md",
        "source/natcore/__init__.py",
        "source/netlab/docker/Dockerfile",
        "source/peer/cli.py",
        "source/pyproject.toml",
    }


class Image:
    """An image of the toolkit as the SDK shows it."""

    def __init__(self, name: str, created: str) -> None:
        self.id = name
        self.attrs = {"Created": created}


class Images:
    """An engine's images: some are there, some are about to come, some are in use, and no registry is."""

    def __init__(self, *present: str, coming: Sequence[str] = (), old: Sequence[Image] = ()) -> None:
        self.present = {*present}
        self.coming = coming
        self.old = list(old)
        self.in_use: set[str] = set()

    def get(self, tag: str) -> str:
        found, self.present = tag in self.present, self.present | {*self.coming}
        if not found:
            raise ImageNotFound(tag)
        return tag

    def pull(self, tag: str) -> str:
        raise DockerException(f"no registry to get {tag} from")

    def build(self, *, tag: str, **_options: object) -> None:
        self.present.add(tag)

    def list(self, *, filters: dict[str, str]) -> list[Image]:
        assert filters == {"label": "netlab.image=1"}
        return self.old

    def remove(self, name: str) -> None:
        if name in self.in_use:
            raise DockerException("a container uses it")
        self.old = [image for image in self.old if image.id != name]


class Client:
    def __init__(self, *present: str, coming: Sequence[str] = (), old: Sequence[Image] = ()) -> None:
        self.images = Images(*present, coming=coming, old=old)

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def run_folder(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whoever runs these tests need not be root."""
    monkeypatch.setattr(images, "RUN_FOLDER", tmp_path_factory.mktemp("run") / "netlab")


def test_an_image_that_is_there_is_not_built_again() -> None:
    tag = images.image_tag(images.PROJECT)

    assert images.ensure_image(Client(tag)) == tag


def test_an_image_that_another_lab_has_built_meanwhile_is_not_built_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tag = images.image_tag(images.PROJECT)
    monkeypatch.setattr(Images, "build", None)

    assert images.ensure_image(Client(coming=[tag])) == tag


def test_a_build_keeps_the_newest_images_and_those_that_a_lab_runs_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(images, "_download_wheels", lambda directory: None)
    days = [f"2026-11-{day:02}T12:00:00Z" for day in range(1, images.KEPT_IMAGES + 4)]
    client = Client(images.REGISTRY_BASE, old=[Image(day, day) for day in days])
    client.images.in_use.add(days[1])

    tag = images.ensure_image(client)

    assert tag in client.images.present
    assert {image.id for image in client.images.old} == {days[1], *days[-images.KEPT_IMAGES :]}


def test_without_registry_and_mmdebstrap_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(images, "connect", lambda timeout: Client())
    monkeypatch.setattr("shutil.which", lambda name: None)

    with pytest.raises(images.ImageUnavailable, match="apt-get install mmdebstrap") as caught:
        images.ensure_image(Client())

    assert "because no registry gave debian:bookworm-slim" in str(caught.value)
