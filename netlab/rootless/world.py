"""A user's own world: finding it, making it, going in.

Theory of operation. A world is a user namespace in which its user is root, with mounts and a network of its
own. It has its own ``/run``, so its labs have names and files of their own, and nothing in it can touch the
machine's. :mod:`netlab.rootless.holder` keeps it alive while somebody is in it or a lab is up. A command of
netlab does not start another one inside: it goes in itself, and from then on is what it would be under root.
So its terminal, signals, exit code and process number are what they were, and ``exec`` works as ever.

There is one world a user, found by its folder, ``/tmp/netlab-UID`` unless NETLAB_WORLD names another. It is
not in ``$XDG_RUNTIME_DIR``, because that goes when the user logs out, and labs shall not: `ssh host netlab
up` has logged out when it ends. In the folder are the holder's socket, the gate and the state of the labs.

Always true: whoever has the gate is alone in looking for, making or ending the world. It is a lock on a
file, so it opens by itself when its owner is killed. A folder is used only if it is ours and only ours.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from netlab import state
from netlab.errors import EnvironmentProblem, LabError
from netlab.interrupts import interrupts_deferred
from netlab.rootless import holder
from netlab.rootless.forbidden import explain
from netlab.takedown import take_down

ANSWER_TIMEOUT = 10.0
"""Seconds until a holder answers; 0.05 s are usual when it has yet to start."""

_MAX_ANSWER_SIZE = 256
"""Bytes of an answer; the longest is a refusal, of about 30."""

_SYSTEM_PROGRAMS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where iptables and conntrack are; Debian has it in root's PATH and not in a user's."""

_MAX_ATTEMPTS = 100
"""How often the folder may be removed just when we enter it."""

_LIBC = ctypes.CDLL(None, use_errno=True)


class UnsafeFolder(EnvironmentProblem):
    """The folder of the world may be somebody else's work.

    Attributes:
        folder: where it is.
        reason: what is wrong with it.
    """

    def __init__(self, folder: Path, reason: str) -> None:
        self.folder = folder
        self.reason = reason
        super().__init__(folder, reason)

    def __str__(self) -> str:
        return f"{self.folder} {self.reason}: remove it, or set NETLAB_WORLD to a folder of your own"


class HolderFailed(EnvironmentProblem):
    """The process that holds the world does not answer; the text says what it did instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Admission:
    """What a holder gives to whoever comes in."""

    connection: socket.socket
    namespaces: tuple[int, ...]
    is_new: bool


def enter(*, with_children: bool = False) -> tuple[str, ...]:
    """Moves this process into its user's world, which is made if there is none; for root it does nothing.

    There is no way back. The process must not have threads yet.

    Args:
        with_children: the world shall stay also for the programs that this one starts or becomes, as far as
            they inherit open files.

    Returns:
        The labs that were lost because their world's holder had been killed; their remains are removed now.

    Raises:
        EnvironmentProblem: there can be no world here; the text says why.
    """
    if os.geteuid() == 0:
        return ()
    with ExitStack() as opened:
        admission = _admitted(world_folder())
        for namespace in admission.namespaces:
            opened.callback(os.close, namespace)
        with interrupts_deferred():  # half inside is nowhere
            _join(admission.namespaces)
        admission.connection.set_inheritable(with_children)
        admission.connection.detach()  # open until this process ends: it tells the holder that we are inside
    os.environ["PATH"] = path_of_root(os.environ.get("PATH", os.defpath))
    return _remove_lost_labs() if admission.is_new else ()


def path_of_root(path: str) -> str:
    """A user's PATH, with what root's has beyond it at its end."""
    known = path.split(os.pathsep)
    return os.pathsep.join([*known, *(folder for folder in _SYSTEM_PROGRAMS if folder not in known)])


def world_folder() -> Path:
    """Where the world of this user is found."""
    chosen = os.environ.get("NETLAB_WORLD")
    return Path(chosen).absolute() if chosen else Path(f"/tmp/netlab-{os.geteuid()}")


@contextmanager
def opened_folder(path: Path) -> Iterator[int]:
    """The folder of a world, made where it is missing; open, so that nobody can exchange it any more.

    Raises:
        UnsafeFolder: it is not a folder, not ours, or others can get in.
    """
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise UnsafeFolder(path, f"cannot be used ({error.strerror})") from error
    try:
        found = os.fstat(folder)
        if found.st_uid != os.geteuid():
            raise UnsafeFolder(path, f"belongs to user {found.st_uid}")
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise UnsafeFolder(path, f"is open to others (mode {stat.S_IMODE(found.st_mode):o})")
        yield folder
    finally:
        os.close(folder)


def _admitted(path: Path) -> _Admission:
    for _ in range(_MAX_ATTEMPTS):
        with opened_folder(path) as folder, _gate(folder) as is_there:
            if is_there:
                return _ask(folder) or _make(folder)
    raise UnsafeFolder(path, f"was removed {_MAX_ATTEMPTS} times while we entered it")


@contextmanager
def _gate(folder: int) -> Iterator[bool]:
    """Alone in the folder; False where a holder that ended has just removed it."""
    try:
        gate = os.open(holder.GATE, os.O_RDWR | os.O_CREAT, 0o600, dir_fd=folder)
    except FileNotFoundError:
        yield False
        return
    try:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield os.fstat(gate).st_nlink > 0
    finally:
        os.close(gate)


def _ask(folder: int) -> _Admission | None:
    """Knocks at the world that there is; None if there is none."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(ANSWER_TIMEOUT)
    try:
        connection.connect(f"/proc/self/fd/{folder}/{holder.SOCKET}")
        return _answer(connection, is_new=False)
    except (FileNotFoundError, ConnectionError):
        connection.close()
        return None  # it was killed


def _make(folder: int) -> _Admission:
    """Starts a holder, whose first client we are from the beginning: it cannot outlive us unused."""
    with suppress(FileExistsError):
        os.mkdir(holder.LABS, mode=0o755, dir_fd=folder)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.settimeout(ANSWER_TIMEOUT)
    handed_on = os.dup(folder)
    with theirs, interrupts_deferred():
        for number in (theirs.fileno(), handed_on):
            os.set_inheritable(number, True)
        program = [sys.executable, "-I", "-S", holder.__file__, str(handed_on), str(theirs.fileno())]
        # Not a Popen: it outlives us, and in a session of its own no ctrl-C reaches it.
        pid = os.posix_spawn(
            program[0], program, os.environ, setsid=True, setsigmask=(), setsigdef=[signal.SIGINT]
        )
        os.close(handed_on)
    try:
        return _answer(ours, is_new=True)
    except (ConnectionError, LabError) as problem:
        ours.close()
        os.waitpid(pid, 0)
        if isinstance(problem, ConnectionError):
            raise HolderFailed("the process that shall hold the user's labs ended at once") from problem
        raise


def _answer(connection: socket.socket, *, is_new: bool) -> _Admission:
    try:
        text, namespaces, _, _ = socket.recv_fds(connection, _MAX_ANSWER_SIZE, len(holder.NAMESPACES))
    except TimeoutError:
        problem = f"the process that holds the user's labs did not answer within {ANSWER_TIMEOUT:g} s"
        raise HolderFailed(problem) from None
    if text.startswith(holder.REFUSED):
        refused = json.loads(text[1:])
        raise explain(refused["step"], refused["errno"])
    if not text:
        raise ConnectionResetError
    return _Admission(connection=connection, namespaces=tuple(namespaces), is_new=is_new)


def _join(namespaces: tuple[int, ...]) -> None:
    here = Path.cwd()
    for namespace in namespaces:
        if _LIBC.setns(namespace, 0):
            number = ctypes.get_errno()
            if number == errno.EINVAL:  # the kernel moves no process that has threads
                raise HolderFailed("only a process without threads can enter its user's world: enter earlier")
            raise explain("join", number)
    os.chdir(here)  # the same place, among the mounts of the world


def _remove_lost_labs() -> tuple[str, ...]:
    """The namespaces have gone with their holder; their programs may run on, and their files are there."""
    lost = [lab for lab in state.known_labs() if not lab.is_owned]
    for lab in lost:
        take_down(lab)
    return tuple(lab.name for lab in lost)
