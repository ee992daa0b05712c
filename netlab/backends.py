"""The backends by name."""

from __future__ import annotations

from netlab.backend import Backend
from netlab.namespaces import NamespaceBackend

BACKEND_NAMES = ("namespaces", "docker")


def backend_named(name: str) -> Backend:
    """The backend of that name.

    Raises:
        MissingTool: the backend's Python package is not installed.
    """
    if name == NamespaceBackend.name:
        return NamespaceBackend()
    from netlab.docker.backend import DockerBackend  # needs the Docker SDK, which most labs do not

    return DockerBackend()
