"""What is known of each lab outside the process that made it: one JSON file a lab in ``/run/netlab``.

The file is there *before* the first namespace and goes *after* the last one, so a lab that was killed at any
moment can be found and removed. ``/run`` is emptied at boot, as namespaces are.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from netlab.backend import LAB_PREFIX
from netlab.disk import is_full
from netlab.errors import BadLabName, EnvironmentProblem, LabNotFound, NameTaken
from netlab.process import ProcessId
from netlab.topology import Host, Nat, Topology
from netlab.topology.file import Document

RUN_FOLDER = Path("/run/netlab")

_LAB_NAME = re.compile(r"[a-z0-9-]{1,32}")

_LOCK = threading.Lock()

_SCRATCH = ".new"
"""The end of the name of a file that is not whole yet: LAB.PID.new."""


class RunFolderFull(EnvironmentProblem):
    """There is no room to remember a lab in, so none can be up.

    Attributes:
        folder: where.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(folder)

    def __str__(self) -> str:
        return f"no space left in {self.folder}, where labs are remembered: free some"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """A node as ``netlab status`` shows it.

    Attributes:
        name: of the node.
        role: ``host`` or ``router``.
        addresses: all of them; a router's outer one first.
        profile: what a router claims to be.
        behind: the routers in whose home networks it is; none for a node on the core.
    """

    name: str
    role: str
    addresses: tuple[str, ...]
    profile: str | None = None
    behind: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabState:
    """A lab as other processes know it.

    Attributes:
        name: of the lab.
        backend: the name of its backend.
        rtt: seconds of a round trip over its core.
        nodes: all but the core, for whoever reads the state.
        topology: what the lab looks like now, as :mod:`netlab.topology.file` writes it.
        started: seconds since the epoch.
        owner: the process that will take it down, or None when it was left running on purpose.
        processes: what the lab started on the host.
    """

    name: str
    backend: str
    rtt: float
    nodes: tuple[NodeState, ...]
    topology: Document
    started: float = field(default_factory=time.time)
    owner: ProcessId | None = None
    processes: tuple[ProcessId, ...] = ()

    @property
    def is_owned(self) -> bool:
        """Whether a living process holds this lab."""
        return self.owner is not None and self.owner.is_alive()

    @property
    def folder(self) -> Path:
        """Where its programs' output goes unless another place was asked for."""
        return RUN_FOLDER / self.name

    def with_process(self, process: ProcessId) -> LabState:
        """The same lab with one more process of ours, less those that have ended."""
        alive = tuple(known for known in self.processes if known.is_alive())
        return replace(self, processes=(*alive, process))


def lab_name(text: str) -> str:
    """The full name of a lab: every one starts with the prefix by which it is found again.

    Raises:
        BadLabName: the text cannot be in the name of a file and of a namespace.
    """
    own = text.removeprefix(LAB_PREFIX)
    if not _LAB_NAME.fullmatch(own):
        raise BadLabName(text)
    return f"{LAB_PREFIX}{own}"


def nodes_of(topology: Topology) -> tuple[NodeState, ...]:
    """What status shall say of a topology's nodes."""
    nats = {nat.name: nat for nat in topology.nats}
    hosts = {host.name: host for host in topology.hosts}
    return tuple(
        _router_state(nats[name]) if name in nats else _host_state(hosts[name])
        for name in topology.node_names
    )


def _router_state(nat: Nat) -> NodeState:
    addresses = (nat.wan_address, nat.gateway, *([nat.gateway6] if nat.gateway6 else []))
    return NodeState(
        name=nat.name,
        role="router",
        addresses=tuple(map(str, addresses)),
        profile=nat.profile.name,
        behind=() if nat.behind is None else (nat.behind,),
    )


def _host_state(host: Host) -> NodeState:
    return NodeState(
        name=host.name,
        role="host",
        addresses=tuple(map(str, host.addresses)),
        behind=tuple(leg.nat for leg in host.interfaces if leg.nat is not None),
    )


def create(state: LabState) -> None:
    """Writes the file of a new lab and makes its folder.

    The file gets its name only when it is whole: a lab that is killed here has either no file or a good one.

    Raises:
        NameTaken: there is one of that name.
        RunFolderFull: there is no room for it.
    """
    with _alone(), _scratch(state) as scratch:
        try:
            os.link(scratch, _path(state.name))  # unlike a rename, this refuses a name that is taken
        except FileExistsError:
            raise NameTaken(state.name) from None
        try:
            state.folder.mkdir(exist_ok=True)
        except OSError:
            _path(state.name).unlink()
            raise


def change(name: str, edit: Callable[[LabState], LabState]) -> LabState:
    """Changes what is known of a lab, at once and whole, whoever else does so at the same time.

    Raises:
        LabNotFound: the lab is gone.
        RunFolderFull: there is no room for it.
    """
    with _alone():
        current = _read(name)
        if current is None:
            raise LabNotFound(name, running=[lab.name for lab in known_labs()])
        changed = edit(current)
        with _scratch(changed) as scratch:
            scratch.replace(_path(name))
    return changed


@contextmanager
def _alone() -> Iterator[None]:
    """Keeps other threads out by a lock of ours, and other processes by the kernel's on the folder."""
    RUN_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    with _LOCK:
        folder = os.open(RUN_FOLDER, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        except OSError as error:
            if is_full(error):
                raise RunFolderFull(RUN_FOLDER) from error
            raise
        finally:
            os.close(folder)


def remove(name: str) -> None:
    """Forgets a lab, with its folder; not while somebody is about to write what is known of it anew."""
    with _alone():
        shutil.rmtree(RUN_FOLDER / name, ignore_errors=True)
        _path(name).unlink(missing_ok=True)


def remove_scratch() -> None:
    """Removes what processes that were killed while writing have left half-written."""
    for path in RUN_FOLDER.glob(f"*{_SCRATCH}"):
        pid = path.name.split(".")[-2]
        if not pid.isdecimal() or ProcessId.of(int(pid)) is None:
            path.unlink(missing_ok=True)


def known_labs() -> list[LabState]:
    """Every lab that has a file that we can read, by name."""
    return [state for name in _names() if (state := _read(name)) is not None]


def unreadable_labs() -> list[str]:
    """The names of those that have a file which says nothing to us, of another version for example."""
    return [name for name in _names() if _path(name).exists() and _read(name) is None]


def find_lab(name: str | None) -> LabState:
    """The lab of that name, with or without the prefix; for None the only one that there is.

    Raises:
        LabNotFound: there is no such lab, or several where none was named.
    """
    labs = known_labs()
    wanted = [lab for lab in labs if name is None or lab.name == lab_name(name)]
    if len(wanted) != 1:
        raise LabNotFound(name, running=[lab.name for lab in labs])
    return wanted[0]


def current_process() -> ProcessId | None:
    """The identity of this process."""
    return ProcessId.of(os.getpid())


def _names() -> list[str]:
    return sorted(path.stem for path in RUN_FOLDER.glob(f"{LAB_PREFIX}*.json"))


def _path(name: str) -> Path:
    return RUN_FOLDER / f"{name}.json"


@contextmanager
def _scratch(state: LabState) -> Iterator[Path]:
    """A file with the whole state in it, which is gone afterwards unless it was given another name."""
    scratch = RUN_FOLDER / f"{state.name}.{os.getpid()}{_SCRATCH}"
    try:
        scratch.write_text(_to_json(state), encoding="utf-8")
        yield scratch
    finally:
        scratch.unlink(missing_ok=True)


def _to_json(state: LabState) -> str:
    return json.dumps(asdict(state), indent=1) + "\n"


def _read(name: str) -> LabState | None:
    try:
        fields: dict[str, Any] = json.loads(_path(name).read_text(encoding="utf-8"))  # ours, but any age
        return LabState(
            **{
                **fields,
                "nodes": tuple(_node(node) for node in fields["nodes"]),
                "owner": None if fields["owner"] is None else ProcessId(**fields["owner"]),
                "processes": tuple(ProcessId(**process) for process in fields["processes"]),
            }
        )
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def _node(fields: Mapping[str, Any]) -> NodeState:
    lists: dict[str, Sequence[str]] = {name: fields[name] for name in ("addresses", "behind")}
    return NodeState(**{**fields, **{name: tuple(values) for name, values in lists.items()}})
