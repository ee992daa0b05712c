from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from netlab import tools
from netlab.backend import Backend
from netlab.errors import MissingTool, NotPermitted
from netlab.testing import readiness


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    readiness.missing_for.cache_clear()
    yield
    readiness.missing_for.cache_clear()


@pytest.mark.parametrize(
    ("environment", "required"),
    [
        ({}, False),
        ({"CI": "true"}, True),
        ({"CI": "false"}, False),
        ({"CI": ""}, False),
        ({"NETLAB_REQUIRE": "1"}, True),
        ({"NETLAB_REQUIRE": "1", "CI": "false"}, True),
        ({"NETLAB_REQUIRE": "0", "CI": "true"}, False),
        ({"NETLAB_REQUIRE": "", "CI": "true"}, True),
    ],
)
def test_netlab_require_decides_and_otherwise_ci(environment: dict[str, str], required: bool) -> None:
    assert readiness.is_required(environment) is required


def test_no_root_is_told_with_what_to_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert str(readiness.missing_for("namespaces")).startswith("netlab needs root")


def test_a_missing_tool_is_told_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(tool: str) -> str:
        raise MissingTool(tool, package="iproute2")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(tools, "find_tool", nothing)
    assert "apt-get install iproute2" in str(readiness.missing_for("docker"))


def test_a_root_that_may_not_make_namespaces_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 1, "", "unshare failed: Operation not permitted\n")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(tools, "find_tool", str)
    monkeypatch.setattr(subprocess, "run", refuse)
    expected = "no new network namespaces here: unshare failed: Operation not permitted"
    assert readiness.missing_for("namespaces") == expected


def test_docker_needs_its_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_missing_for_labs", lambda: None)
    monkeypatch.setitem(sys.modules, "netlab.docker.backend", None)
    assert "pip install" in str(readiness.missing_for("docker"))
    assert readiness.missing_for("namespaces") is None


def test_docker_says_for_itself_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> Backend:
        raise NotPermitted

    monkeypatch.setattr(readiness, "_missing_for_labs", lambda: None)
    monkeypatch.setattr(readiness, "backend_named", refuse)
    assert readiness.missing_for("docker") == str(NotPermitted())
