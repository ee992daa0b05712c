"""Taking labs down from what their state files say, in this process or any later one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from netlab import state
from netlab.backend import Backend
from netlab.backends import BACKEND_NAMES, backend_named
from netlab.errors import EnvironmentProblem, LabError
from netlab.interrupts import interrupts_deferred
from netlab.namespaces import NamespaceBackend


@interrupts_deferred()
def take_down(lab: state.LabState) -> None:
    """Removes a lab: its programs, its nodes with their links, its folder, its file. Idempotent.

    Raises:
        LabError: its backend could not remove it; the file stays, so that it can be tried again.
    """
    for process in lab.processes:
        process.kill()
    backend_named(lab.backend).destroy_nodes(lab.name)
    state.remove(lab.name)


def clean(*, force: bool = False) -> tuple[list[str], list[str]]:
    """Removes every lab that no living process holds, with a file or without one.

    Args:
        force: also take those that a living process holds.

    Returns:
        The names of the labs that were removed, and of those that were left to their owners.

    Raises:
        LabError: a lab could not be removed; all others have been.
    """
    known = state.known_labs()
    spared = [lab.name for lab in known if lab.is_owned and not force]
    doomed = [lab for lab in known if lab.name not in spared]
    stuck = [error for lab in doomed if (error := _error_of(partial(take_down, lab))) is not None]
    strays = {}
    for (
        backend
    ) in _usable_backends():  # of labs without a readable file, the nodes and whatever file they have
        for name in set(backend.labs()) - {*spared, *(lab.name for lab in state.known_labs())}:
            strays[name] = _error_of(partial(backend.destroy_nodes, name))
    for name in {*strays, *state.unreadable_labs()}:
        if strays.setdefault(name, None) is None:
            state.remove(name)
    state.remove_scratch()
    for error in (*stuck, *filter(None, strays.values())):
        raise error
    return sorted({*(lab.name for lab in doomed), *strays}), spared


def _error_of(action: Callable[[], None]) -> LabError | None:
    try:
        action()
    except LabError as error:
        return error
    return None


def _usable_backends() -> Iterable[Backend]:
    """Containers first: their namespaces have names too, and those alone must not be what is removed."""
    for name in sorted(BACKEND_NAMES, key=lambda name: name == NamespaceBackend.name):
        try:
            backend = backend_named(name)
            backend.labs()
        except (EnvironmentProblem, ImportError):
            continue  # no engine runs here, so it holds no labs
        yield backend
