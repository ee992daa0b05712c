"""What may have had a say in a matrix: the versions of everything that took part."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from netlab.errors import LabError
from netlab.tools import run_tool

PACKAGE = "nat-traversal-toolkit"

_VERSION = re.compile(r"\d+(?:\.\d+)+")

_TOOLS = (("iptables", ("iptables", "--version")), ("nft", ("nft", "--version")), ("iproute2", ("ip", "-V")))


def versions(modules: Iterable[str]) -> dict[str, str]:
    """By name: ours, Python's, the kernel's, the tools' and the modules'; what has none is left out."""
    found = {
        "netlab": _of_package(PACKAGE),
        "Python": platform.python_version(),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    for name, command in _TOOLS:
        try:
            said = _VERSION.search(run_tool(command))
        except LabError:
            continue
        found[name] = said[0] if said else ""
    for module in modules:
        found[module] = _of_package(module)
    return {name: text for name, text in found.items() if text}


def _of_package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
