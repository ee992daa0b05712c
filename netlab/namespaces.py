"""The backend whose nodes are bare network namespaces: the fastest, and all that most labs need."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from netlab.backend import NodeSpec, lab_of, namespace_of
from netlab.errors import ToolFailed
from netlab.program import find_program
from netlab.tools import apply_settings, for_each, in_namespace, require_root, run_tool

_NAMES = Path("/run/netns")
"""Where iproute2 keeps the names of namespaces."""

_MAX_ROUNDS = 200
"""How often the processes of a namespace are looked for; a round takes a millisecond."""

_EMPTY_ROUNDS = 4
"""So many in a row that find nobody are enough."""


class NamespaceBackend:
    """Nodes as named network namespaces, made with iproute2."""

    name = "namespaces"

    def create_nodes(self, lab: str, nodes: Sequence[NodeSpec]) -> None:
        """Creates the namespaces, with loopback up and their kernel settings.

        Raises:
            NotPermitted: we are not root.
            MissingTool: iproute2 or procps is not installed.
            ToolFailed: a name is taken, or the kernel refused.
        """
        require_root()
        run_tool(
            ["ip", "-batch", "-"], text="".join(f"netns add {namespace_of(lab, n.name)}\n" for n in nodes)
        )
        for_each(nodes, lambda node: _prepare(namespace_of(lab, node.name), node))

    def command(self, lab: str, node: str, argv: Sequence[str]) -> list[str]:
        """The argv that runs a program in the node's network, with the host's files.

        Raises:
            ProgramNotFound: there is no such program.
        """
        return in_namespace(namespace_of(lab, node), [find_program(argv[0]), *argv[1:]])

    def destroy_nodes(self, lab: str) -> None:
        """Kills what still runs in the lab's namespaces and removes their names; the links go with them."""
        names = [name for name in _namespaces() if lab_of(name) == lab]
        _kill_processes(names)
        for_each(names, _delete)

    def labs(self) -> list[str]:
        """The labs that own at least one namespace."""
        return sorted({lab for name in _namespaces() if (lab := lab_of(name)) is not None})


def _namespaces() -> list[str]:
    return sorted(os.listdir(_NAMES)) if _NAMES.is_dir() else []


def _prepare(namespace: str, node: NodeSpec) -> None:
    apply_settings(namespace, node.sysctls)
    run_tool(["ip", "-n", namespace, "link", "set", "lo", "up"])


def _kill_processes(namespaces: Sequence[str]) -> None:
    """A namespace lives on, nameless, while a process is inside; who forks may need another round.

    A process that ends while we look may have a child that is not on our list: so one round in which nobody
    is found proves little.
    """
    inside = {place for name in namespaces if (place := _place_of(_NAMES / name)) is not None}
    empty_rounds = 0
    for _ in range(_MAX_ROUNDS):
        empty_rounds = 0 if _kill_whom_we_see(inside) else empty_rounds + 1
        if empty_rounds == _EMPTY_ROUNDS:
            return


def _kill_whom_we_see(inside: set[tuple[int, int]]) -> bool:
    """Whether there was anybody. The youngest first: it is they who may be gone in a millisecond."""
    pids = sorted(map(int, filter(str.isdecimal, os.listdir("/proc"))), reverse=True)
    return sum(_kill_if_in(inside, pid) for pid in pids) > 0


def _kill_if_in(inside: set[tuple[int, int]], pid: int) -> bool:
    if _place_of(Path(f"/proc/{pid}/ns/net")) not in inside:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return True


def _place_of(path: Path) -> tuple[int, int] | None:
    """Of a namespace, what tells it from all others; None where it is gone, or none of ours to look at."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _delete(namespace: str) -> None:
    _run_unless_gone(namespace, ["ip", "netns", "delete", namespace])


def _run_unless_gone(namespace: str, argv: Sequence[str]) -> str:
    try:
        return run_tool(argv)
    except ToolFailed:
        if (_NAMES / namespace).exists():  # otherwise somebody else was faster, and it is gone as wanted
            raise
        return ""
