"""The backends by name."""

from __future__ import annotations

from netlab.backend import Backend
from netlab.namespaces import NamespaceBackend
from netlab.rootless.forbidden import DockerNeedsRoot
from netlab.rootless.holder import is_inside

BACKEND_NAMES = ("namespaces", "docker")


def backend_named(name: str) -> Backend:
    """The backend of that name.

    Raises:
        MissingTool: the backend's Python package is not installed.
        DockerNeedsRoot: we are root only of a user's own world.
    """
    if name == NamespaceBackend.name:
        return NamespaceBackend()
    if is_inside():
        raise DockerNeedsRoot
    from netlab.docker.backend import DockerBackend  # needs the Docker SDK, which most labs do not

    return DockerBackend()
