"""The container image of a lab's nodes: found, or built from what this machine can reach.

Theory of operation. :func:`ensure_image` names the image by a digest of everything that goes into it
(:func:`image_tag`), so that an unchanged tree finds its image at once and a changed one can never run old
code. Building needs two things from outside:

- a Debian base: the one from the registry where a registry answers, else one made by ``mmdebstrap`` from
  Debian's own packages and imported under a name that depends on the suite and the package list;
- the wheels of the toolkit's dependencies, downloaded by this Python's pip for the *image's* Python.

The build itself then needs no network, except to install packages on top of a registry's bare base.

Labs that come up side by side need the same image at the same time: one of them builds it, whichever process
it is in, and the others wait for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import logging
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import docker
from docker.errors import BuildError, ImageNotFound

from netlab.docker.client import ENGINE_ERRORS, connect
from netlab.errors import EnvironmentProblem
from netlab.state import RUN_FOLDER
from netlab.tools import current_environment

_log = logging.getLogger(__name__)

SUITE = "bookworm"
"""The Debian release inside the image; the host's own release does not matter."""

SUITE_PYTHON = "3.11"
"""The Python that Debian ships in :data:`SUITE`: wheels are chosen for it."""

SUITE_GLIBC_MINOR = 36
"""glibc 2.36 is what :data:`SUITE` has, so wheels up to manylinux_2_36 run there."""

REGISTRY_BASE = f"debian:{SUITE}-slim"
"""The base image where a registry answers."""

REGISTRY_TIMEOUT = 20
"""Seconds of silence after which a registry counts as unreachable."""

BUILD_TIMEOUT = 600
"""Seconds that one step of making an image may take; 18 s (mmdebstrap) and 12 s (build) were measured."""

KEPT_IMAGES = 4
"""Images of the toolkit that are kept; each edit of its sources makes another one, of 5 MB of its own."""

IMAGE_LABEL = "netlab.image"
"""Label of every image of nodes; the Dockerfile sets it."""

_LOCK_NAME = "image.lock"
"""In the folder of all labs; the kernel's lock on it is held by whoever builds."""

PROJECT = Path(__file__).resolve().parents[2]
DOCKERFILE = PROJECT / "netlab" / "docker" / "Dockerfile"
ROOMS = ("natcore", "rendezvous", "peer", "netlab")


class ImageUnavailable(EnvironmentProblem):
    """The image of the nodes is not there and cannot be made.

    Attributes:
        step: what was being tried.
        reason: what went wrong, or what is missing and how to get it.
    """

    def __init__(self, step: str, reason: str) -> None:
        self.step = step
        self.reason = reason
        super().__init__(step, reason)

    def __str__(self) -> str:
        return f"{self.step}: {self.reason}"


def packages(dockerfile: str) -> tuple[str, ...]:
    """The Debian packages that a Dockerfile's ``ARG PACKAGES="..."`` lists: the one place that lists them.

    Raises:
        ImageUnavailable: there is no such line.
    """
    found = re.search(r'^ARG PACKAGES="([^"]+)"$', dockerfile, re.MULTILINE)
    if found is None:
        raise ImageUnavailable(
            "reading the Dockerfile", 'got no ARG PACKAGES line, expected ARG PACKAGES="..."'
        )
    return tuple(found[1].split())


def dependencies(pyproject: str) -> list[str]:
    """What has to be installed before the toolkit: its build tools, its dependencies and the `fast` extra."""
    tables = tomllib.loads(pyproject)
    project = tables["project"]
    return [
        *tables["build-system"]["requires"],
        *project["dependencies"],
        *project["optional-dependencies"]["fast"],
    ]


def sources(project: Path) -> list[Path]:
    """Every file that the image is made from, sorted, relative to the project's folder."""
    rooms = (path for room in ROOMS for path in (project / room).rglob("*"))
    code = (path for path in rooms if path.is_file() and "__pycache__" not in path.parts)
    return sorted(path.relative_to(project) for path in [*code, project / "pyproject.toml"])


def image_tag(project: Path) -> str:
    """The image's name, ``netlab:<digest>``: equal for equal sources, Dockerfile and dependency lists."""
    digest = hashlib.sha256()
    for path in sources(project):
        content = (project / path).read_bytes()
        digest.update(f"{path} {len(content)}\n".encode())
        digest.update(content)
    return f"netlab:{digest.hexdigest()[:12]}"


def base_tag(package_names: Iterable[str]) -> str:
    """The name of a base that mmdebstrap made: equal for an equal release and package list."""
    recipe = " ".join([SUITE, *sorted(package_names)])
    return f"netlab-base:{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def ensure_image(client: docker.DockerClient) -> str:
    """The name of an image with the toolkit as it is now, built if it is not there.

    Raises:
        ImageUnavailable: it cannot be built here; the text says which step failed and what to try.
    """
    tag = image_tag(PROJECT)
    if not _has_image(client, tag):
        with _only_builder():
            if not _has_image(client, tag):  # another lab may have built it while we waited
                _build(client, tag)
                _remove_old(client)
    return tag


@contextmanager
def _only_builder() -> Iterator[None]:
    """Keeps every other lab on this machine from building; the lock goes with the process that held it."""
    RUN_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (RUN_FOLDER / _LOCK_NAME).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _remove_old(client: docker.DockerClient) -> None:
    """Removes all but the newest images; one that a lab runs on stays, because the engine refuses."""
    with suppress(*ENGINE_ERRORS):
        found = client.images.list(filters={"label": f"{IMAGE_LABEL}=1"})
        found.sort(key=lambda image: str(image.attrs["Created"]), reverse=True)
        for image in found[KEPT_IMAGES:]:
            with suppress(*ENGINE_ERRORS):
                client.images.remove(image.id)


def _has_image(client: docker.DockerClient, tag: str) -> bool:
    try:
        client.images.get(tag)
    except ImageNotFound:
        return False
    return True


def _build(client: docker.DockerClient, tag: str) -> None:
    base = _ensure_base(client)
    _log.warning("netlab: building the image of the nodes; about 10 s, once for each version of the toolkit")
    with tempfile.TemporaryDirectory(prefix="netlab-wheels-") as wheels:
        _download_wheels(Path(wheels))
        context = build_context(PROJECT, Path(wheels))
    try:
        client.images.build(
            fileobj=context,
            custom_context=True,
            tag=tag,
            buildargs={"BASE": base},
            network_mode="host",  # an engine of ours has no bridge, and a registry's base needs packages
            pull=False,
            rm=True,
            timeout=BUILD_TIMEOUT,
        )
    except BuildError as error:
        log = "".join(part.get("stream", "") for part in error.build_log)
        raise ImageUnavailable(f"building {tag} on {base}", _last_line(f"{log}\n{error}")) from error
    except ENGINE_ERRORS as error:
        raise ImageUnavailable(f"building {tag} on {base}", str(error)) from error


def build_context(project: Path, wheels: Path) -> io.BytesIO:
    """The tar archive that the engine builds from: ``Dockerfile``, ``wheels/`` and ``source/``."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(project / "netlab" / "docker" / "Dockerfile", "Dockerfile")
        for wheel in sorted(wheels.iterdir()):
            tar.add(wheel, f"wheels/{wheel.name}")
        for path in sources(project):
            tar.add(project / path, f"source/{path}")
        # pyproject.toml names a README, but a new word there is no reason for a new image.
        tar.addfile(tarfile.TarInfo("source/README.md"))
    archive.seek(0)
    return archive


def _download_wheels(directory: Path) -> None:
    platforms = [
        f"--platform=manylinux_2_{minor}_{platform.machine()}" for minor in range(5, SUITE_GLIBC_MINOR + 1)
    ]
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--only-binary=:all:", f"--python-version={SUITE_PYTHON}", "--implementation=cp", *platforms),
        f"--platform=manylinux2014_{platform.machine()}",
        f"--dest={directory}",
        *dependencies((PROJECT / "pyproject.toml").read_text()),
    ]
    _run("downloading the wheels for the image", command)


def _ensure_base(client: docker.DockerClient) -> str:
    names = packages(DOCKERFILE.read_text())
    own_base = base_tag(names)
    for tag in (own_base, REGISTRY_BASE):
        if _has_image(client, tag):
            return tag
    if _pull():
        return REGISTRY_BASE
    _make_base(client, own_base, names)
    return own_base


def _pull() -> bool:
    """Whether a registry gave us the base: a closed network, a refusal and silence all mean no."""
    with closing(connect(timeout=REGISTRY_TIMEOUT)) as impatient:
        try:
            impatient.images.pull(REGISTRY_BASE)
        except ENGINE_ERRORS:
            return False
    return True


def _make_base(client: docker.DockerClient, tag: str, names: Sequence[str]) -> None:
    step = f"making {tag}, because no registry gave {REGISTRY_BASE}"
    if shutil.which("mmdebstrap") is None:
        raise ImageUnavailable(
            step, "mmdebstrap is missing: apt-get install mmdebstrap debian-archive-keyring"
        )
    _log.warning("netlab: %s; about half a minute, once", step)
    with tempfile.TemporaryDirectory(prefix="netlab-base-") as directory:
        archive = f"{directory}/base.tar"
        _run(step, ["mmdebstrap", "--variant=minbase", f"--include={','.join(names)}", SUITE, archive])
        repository, _, version = tag.partition(":")
        try:
            client.api.import_image_from_file(archive, repository=repository, tag=version)
        except ENGINE_ERRORS as error:
            raise ImageUnavailable(step, str(error)) from error


def _run(step: str, command: Sequence[str]) -> None:
    try:
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=current_environment(),
            timeout=BUILD_TIMEOUT,
        )
    except subprocess.CalledProcessError as error:
        raise ImageUnavailable(step, _last_line(error.stderr)) from error
    except subprocess.TimeoutExpired as error:
        raise ImageUnavailable(step, f"no end after {BUILD_TIMEOUT} s") from error


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no output"
