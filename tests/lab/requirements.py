"""What the tests in labs need of this machine, and whether its absence may be excused."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from typing import NoReturn

import pytest

from netlab.docker import engine as docker_engine
from netlab.errors import LabError
from netlab.tools import find_tool, require_root

TOOLS = ("ip", "sysctl", "iptables-restore", "ipset", "conntrack", "tcpdump")


@cache
def missing_for(marker: str) -> str | None:
    """What a test with this marker lacks here, with what to try; None if nothing."""
    return _missing_for_labs() or (_missing_for_docker() if marker == "docker" else None)


def require(item: pytest.Item) -> None:
    """Lets a test run, or fails it, or, where nobody has asked for every test, skips it."""
    for marker in ("lab", "docker"):
        if item.get_closest_marker(marker) is None:
            continue
        missing = missing_for(marker)
        if missing is not None:
            stop_for_want_of(missing)


def stop_for_want_of(missing: str) -> NoReturn:
    """Ends the test that lacks this: fails it where every test is asked for, else skips it."""
    if everything_is_required():
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)


def everything_is_required() -> bool:
    """Whether a missing requirement is a failure: in CI, and wherever NETLAB_REQUIRE is set."""
    return any(
        os.environ.get(name, "").lower() not in ("", "0", "false") for name in ("CI", "NETLAB_REQUIRE")
    )


def _missing_for_labs() -> str | None:
    try:
        require_root()
        for tool in TOOLS:
            find_tool(tool)
    except LabError as error:
        return str(error)
    attempt = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True, check=False)
    return f"no new network namespaces here: {attempt.stderr.strip()}" if attempt.returncode else None


def _missing_for_docker() -> str | None:
    return None if docker_engine.answers() else "no Docker engine answers: `make test` starts one"
