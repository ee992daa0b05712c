"""What the tests in labs need of this machine, and whether its absence may be excused.

It is what the pytest plugin asks for on behalf of other people's tests, and a tool to look at packets with.
"""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

from netlab.errors import MissingTool
from netlab.testing import readiness
from netlab.tools import find_tool

_BACKENDS = {"lab": "namespaces", "docker": "docker"}
"""What a test with this marker puts its nodes in."""


def require(item: pytest.Item) -> None:
    """Lets a test run, or fails it, or, where nobody has asked for every test, skips it."""
    for marker, backend in _BACKENDS.items():
        if item.get_closest_marker(marker) is None:
            continue
        missing = readiness.missing_for(backend) or _missing_for_tests()
        if missing is not None:
            stop_for_want_of(missing)


def stop_for_want_of(missing: str) -> NoReturn:
    """Ends the test that lacks this: fails it where every test is asked for, else skips it."""
    if readiness.is_required(os.environ):
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)


def _missing_for_tests() -> str | None:
    try:
        find_tool("tcpdump")
    except MissingTool as error:
        return str(error)
    return None
