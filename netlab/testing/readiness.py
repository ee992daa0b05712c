"""Whether this machine can run labs, and whether a test that finds that it cannot may be skipped."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from netlab.backends import backend_named
from netlab.errors import EnvironmentProblem, LabError, ToolFailed
from netlab.tools import require_machine, run_tool

REQUIRE = "NETLAB_REQUIRE"
"""The environment variable that decides whether labs are required; where it is not set, ``CI`` does."""


@cache
def missing_for(backend: str) -> str | None:
    """What labs with this backend lack here, with what to try; None if nothing. Looked up once a process."""
    return _missing_for_labs() or (_missing_for_docker() if backend == "docker" else None)


def is_required(environment: Mapping[str, str]) -> bool:
    """Whether a test must fail for want of a lab: where ``NETLAB_REQUIRE`` says so, else in CI."""
    wish = environment.get(REQUIRE) or environment.get("CI", "")
    return wish.lower() not in ("", "0", "false")


def _missing_for_labs() -> str | None:
    try:
        require_machine()
        run_tool(["unshare", "--net", "true"])
    except ToolFailed as error:
        return f"no new network namespaces here: {error.complaint.strip()}"
    except LabError as error:
        return str(error)
    return None


def _missing_for_docker() -> str | None:
    try:
        backend_named("docker")
        from netlab.docker import engine  # like the backend, it needs the Docker SDK, which most labs do not
    except ModuleNotFoundError:
        return "the Docker SDK is not installed: try `pip install 'nat-traversal-toolkit[lab]'`"
    except EnvironmentProblem as error:
        return str(error)
    if engine.answers():
        return None
    return "no Docker engine answers: `python -m netlab.docker.engine pytest ...` brings its own"
