"""The way to the Docker engine, or one line that says why there is none."""

from __future__ import annotations

import os
import socket
import sys

import docker
import requests
from docker.constants import DEFAULT_UNIX_SOCKET
from docker.errors import DockerException

from netlab.errors import EnvironmentProblem

ENGINE_ERRORS = (DockerException, requests.RequestException)
"""What a call of the SDK raises: its own errors, and those of the HTTP library under it."""

ENGINE_SHELL = f"{sys.executable} -m netlab.docker.engine bash"
"""Opens a shell with an engine that lives as long as it does: labs that are left up need one."""

CONNECT_TIMEOUT = 5.0
"""Seconds until a socket on this machine must have accepted us."""

REQUEST_TIMEOUT = 60
"""Seconds that one request may take; creating six containers at once takes 1 s."""


class EngineUnreachable(EnvironmentProblem):
    """No Docker engine answers, or not to us.

    Attributes:
        url: where it was looked for.
        reason: what the attempt ran into.
    """

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        self.reason = reason
        super().__init__(url, reason)

    def __str__(self) -> str:
        if "permission denied" in self.reason.lower():
            return f"not permitted to use the Docker engine at {self.url}: try sudo, or join the group docker"
        problem = f"no Docker engine answers at {self.url} ({self.reason})"
        return f"{problem}: start one, or work in the shell that `{ENGINE_SHELL}` opens"


def connect(url: str | None = None, *, timeout: int | None = REQUEST_TIMEOUT) -> docker.DockerClient:
    """A client of the engine at a URL; None means where ``DOCKER_HOST`` says, else the usual socket.

    Args:
        url: as in ``DOCKER_HOST``.
        timeout: seconds that a request may take; None for a program that may run for ever.

    Raises:
        EngineUnreachable: nobody answers there.
    """
    where = url or os.environ.get("DOCKER_HOST") or DEFAULT_UNIX_SOCKET.replace("http+", "")
    _knock(where)
    try:
        client = docker.from_env(environment={**os.environ, "DOCKER_HOST": where}, timeout=timeout)
        client.ping()
    except ENGINE_ERRORS as error:
        raise EngineUnreachable(where, str(error)) from error
    return client


def _knock(url: str) -> None:
    """Checks that somebody accepts connections: where nobody does, the SDK leaves its sockets open."""
    scheme, _, path = url.partition("://")
    if scheme != "unix":
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knocking:
            knocking.settimeout(CONNECT_TIMEOUT)
            knocking.connect(path)
    except OSError as error:
        raise EngineUnreachable(url, str(error.strerror or error)) from error
