"""Running the system's tools: ``ip``, ``iptables-restore``, ``conntrack`` and their like.

A tool runs in a session of its own and hears of no interrupt, so that a ctrl-C at the terminal reaches the
lab and not the ``ip`` that is just taking it down.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from netlab.errors import MissingTool, NotPermitted, ToolFailed
from netlab.interrupts import interrupts_deferred, signals_blocked

PACKAGES = {
    "ip": "iproute2",
    "tc": "iproute2",
    "sysctl": "procps",
    "iptables-restore": "iptables",
    "ip6tables-restore": "iptables",
    "nft": "nftables",
    "ipset": "ipset",
    "conntrack": "conntrack",
    "unshare": "util-linux",
}
"""The Debian package of each tool."""

TOOL_TIMEOUT = 20.0
"""Seconds for one call of a tool; they take milliseconds, more means that the kernel is stuck."""

_SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
"""Debian leaves the sbin directories out of the PATH of whoever became root with `su`."""

ItemT = TypeVar("ItemT")


def find_tool(tool: str) -> str:
    """The path of a tool.

    Raises:
        MissingTool: it is not installed.
    """
    path = shutil.which(tool, path=_SEARCH_PATH)
    if path is None:
        raise MissingTool(tool, package=PACKAGES.get(tool, tool))
    return path


def require_root() -> None:
    """Checks that namespaces can be made.

    Raises:
        NotPermitted: we are not root.
    """
    if os.geteuid() != 0:
        raise NotPermitted


def require_machine() -> None:
    """Checks that labs can be made here: by root, with all tools.

    Raises:
        NotPermitted: we are not root.
        MissingTool: a tool is not installed.
    """
    require_root()
    for tool in PACKAGES:
        find_tool(tool)


def current_environment() -> dict[str, str]:
    """Our environment as it is now, for a program to be started with; to be given in any case.

    Without one the new process reads the C library's own table while it starts, with all of our threads
    running: whoever sets a variable just then, as pytest does before and after each test, has that table
    moved, and one start in a thousand fails with EFAULT (measured on Python 3.11, which starts with vfork).
    """
    # Name by name: another thread may take one away between the list and the look.
    return {name: value for name in list(os.environ) if (value := os.environ.get(name)) is not None}


def run_tool(argv: Sequence[str], *, text: str | None = None) -> str:
    """Runs a tool to its end, with ``text`` on stdin, and returns what it wrote on stdout.

    Raises:
        MissingTool: it is not installed.
        ToolFailed: its exit code was not 0, or it did not end in time.
    """
    command = [find_tool(argv[0]), *argv[1:]]
    try:
        with signals_blocked():
            done = subprocess.run(
                command,
                input=text or "",
                text=True,
                capture_output=True,
                env=current_environment(),
                timeout=TOOL_TIMEOUT,
                start_new_session=True,
                check=False,
            )
    except subprocess.TimeoutExpired as exc:
        raise ToolFailed(argv, returncode=-1, complaint=f"no end within {TOOL_TIMEOUT:g} s") from exc
    if done.returncode != 0:
        raise ToolFailed(argv, returncode=done.returncode, complaint=done.stderr)
    return done.stdout


def in_namespace(namespace: str, argv: Sequence[str]) -> list[str]:
    """The argv that runs a program of the host in a network namespace."""
    return [find_tool("ip"), "netns", "exec", namespace, *argv]


def run_tool_in(namespace: str, argv: Sequence[str], *, text: str = "") -> str:
    """Runs a tool of the host in a network namespace, and returns what it wrote on stdout.

    Raises:
        MissingTool: it is not installed.
        ToolFailed: it refused.
    """
    # With its whole path: `ip` would look for it in the PATH alone.
    return run_tool(in_namespace(namespace, [find_tool(argv[0]), *argv[1:]]), text=text)


def apply_settings(namespace: str, sysctls: Mapping[str, str]) -> None:
    """Sets kernel settings in a network namespace; those that this kernel does not have are ignored.

    Raises:
        ToolFailed: the kernel refused.
    """
    settings = [f"{name}={value}" for name, value in sysctls.items()]
    if settings:
        run_tool_in(namespace, ["sysctl", "--quiet", "--ignore", "--write", *settings])


def for_each(items: Sequence[ItemT], action: Callable[[ItemT], object]) -> None:
    """Does ``action`` to all items at once, in threads; the first error is raised when all have ended.

    So is an interrupt: were it raised at once, the threads would go on building while the lab is taken down.
    """
    if not items:
        return
    with interrupts_deferred(), ThreadPoolExecutor(max_workers=min(len(items), 16)) as pool:
        pending = [pool.submit(action, item) for item in items]
    for future in pending:
        future.result()
