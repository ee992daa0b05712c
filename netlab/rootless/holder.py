"""The process that keeps a world alive: ``python -I -S holder.py FOLDER TOKEN``, two numbers of open files.

Theory of operation. It moves into a new user namespace, in which its user is root, with mounts and a network
of its own, and waits. Whoever connects to the socket in FOLDER is handed the namespaces, and holds the world
for as long as the connection is open. The first connection is TOKEN, which the process that started the
holder keeps. The kernel closes connections however a process ends, so nobody has to sign off.

Always true: once no connection is open and no lab is up, the holder ends and its folder goes. It does so
only while it has the gate, which everybody who enters has to pass, so nobody is turned away at the door.

Nothing of netlab is imported: the holder stays for as long as a lab is up, and starts in 30 ms.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import itertools
import json
import os
import selectors
import shutil
import socket
import stat
import struct
import sys
from contextlib import suppress
from pathlib import Path

SOCKET = "socket"
GATE = "gate"
LABS = "labs"
"""In the world's folder: where the holder listens, the lock of coming and going, and the state of the labs.

The world sees the last as ``/run/netlab``. It is outside, so that the user can read the logs, and so that it
outlives the holder.
"""

MARK = Path("/run/netlab-world")
"""Only inside a world."""

READY = b"+"
REFUSED = b"-"
"""The first byte to a client: the namespaces come with it, or a JSON object that says why there are none."""

NAMESPACES = ("user", "net", "mnt")
"""In the order of joining: the first gives the right to the others."""

MAX_CLIENTS = 256
"""Commands at once in a world; each costs a file, of which a process may have 1024."""

_RETRY_INTERVAL = 0.1
"""Seconds until the holder tries the gate again, when somebody was just passing it and may yet turn back."""

_RUN = Path("/run")

_PRIVATE = ("netlab", "netns")
"""What the world has of its own under /run; every other folder there stays in sight."""

# From <sched.h>, <sys/mount.h>, <linux/sockios.h> and <linux/if.h>; Python 3.11 knows none of them.
_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC = 2, 4, 4096, 16384
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)


def is_inside() -> bool:
    """Whether this process is in a user's world: root there, and a user for the rest of the machine."""
    return MARK.exists()


def main() -> None:
    """Makes the world, and keeps it for as long as it is needed."""
    folder, token = int(sys.argv[1]), socket.socket(fileno=int(sys.argv[2]))
    _let_go_of_everything_but({folder, token.fileno()})
    path = os.readlink(f"/proc/self/fd/{folder}")
    steps = {
        "user": _become_root,
        "net": lambda: _unshare(_CLONE_NEWNET),
        "mnt": lambda: _unshare(_CLONE_NEWNS),
        "run": lambda: _cover_run(path),
        "lo": _raise_loopback,
    }
    for step, take in steps.items():
        try:
            take()
        except OSError as error:
            token.sendall(refusal(step, error.errno))
            _remove(folder, path)
            sys.exit(1)
    fcntl.flock(folder, fcntl.LOCK_SH)  # systemd-tmpfiles leaves a locked folder alone, however old it gets
    with _listen(folder) as listener:
        _serve(listener, token, folder)
    _remove(folder, path)


def refusal(step: str, number: int | None) -> bytes:
    """What a client gets instead of namespaces: the step that failed, and its errno."""
    return REFUSED + json.dumps({"step": step, "errno": number}).encode()


def _let_go_of_everything_but(kept: set[int]) -> None:
    """Whoever waits for the end of our caller's output must not wait for us."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    for below, above in itertools.pairwise([2, *sorted(kept), os.sysconf("SC_OPEN_MAX")]):
        os.closerange(below + 1, above)
    os.chdir("/")


def _become_root() -> None:
    uid, gid = os.geteuid(), os.getegid()
    _unshare(_CLONE_NEWUSER)
    for file, text in (("uid_map", f"0 {uid} 1"), ("setgroups", "deny"), ("gid_map", f"0 {gid} 1")):
        Path("/proc/self", file).write_text(text, encoding="ascii")


def _cover_run(folder: str) -> None:
    """Gives the world a /run of its own, with the labs' state, and with all folders that were there before.

    Among those are the user's own (/run/user) and on NixOS all programs (/run/current-system).
    Files are left out: a lock like /run/xtables.lock is root's, and we are root only here.
    """
    covered = os.open(_RUN, os.O_PATH | os.O_DIRECTORY)
    labs = os.open(Path(folder, LABS), os.O_PATH | os.O_DIRECTORY)  # before it may be covered itself
    _mount("tmpfs", _RUN, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0755")
    for name in os.listdir(f"/proc/self/fd/{covered}"):
        mode = os.lstat(f"/proc/self/fd/{covered}/{name}").st_mode
        if name in _PRIVATE:
            continue
        if stat.S_ISLNK(mode):
            (_RUN / name).symlink_to(os.readlink(name, dir_fd=covered))
        elif stat.S_ISDIR(mode):
            (_RUN / name).mkdir()
            with suppress(PermissionError):  # then the user cannot see into it anyway
                _mount(f"/proc/self/fd/{covered}/{name}", _RUN / name, None, _MS_BIND | _MS_REC)
    for name in _PRIVATE:
        (_RUN / name).mkdir()
    _mount(f"/proc/self/fd/{labs}", _RUN / "netlab", None, _MS_BIND)
    MARK.touch()
    os.close(covered)
    os.close(labs)


def _raise_loopback() -> None:
    """What runs in the world itself, such as a whole test suite, expects 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP))


def _listen(folder: int) -> socket.socket:
    with suppress(FileNotFoundError):
        os.unlink(SOCKET, dir_fd=folder)  # of a holder that was killed: whoever started us has the gate
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(f"/proc/self/fd/{folder}/{SOCKET}")  # no path is too long for a socket this way
    listener.listen(MAX_CLIENTS)
    return listener


def _serve(listener: socket.socket, token: socket.socket, folder: int) -> None:
    """Returns when nobody needs the world any more; then we hold the gate."""
    namespaces = [os.open(f"/proc/self/ns/{name}", os.O_RDONLY) for name in NAMESPACES]
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        clients: set[socket.socket] = set()

        def admit(client: socket.socket) -> None:
            try:
                socket.send_fds(client, [READY], namespaces)
            except OSError:  # it has left already
                client.close()
                return
            clients.add(client)
            selector.register(client, selectors.EVENT_READ)

        admit(token)
        while True:
            is_needed = clients or _labs_are_up()
            if not is_needed and _has_gate(folder):
                return
            for key, _ in selector.select(None if is_needed else _RETRY_INTERVAL):
                if key.fileobj is listener:
                    client, _ = listener.accept()
                    if len(clients) < MAX_CLIENTS:
                        admit(client)
                    else:
                        client.send(refusal("full", errno.EMFILE))
                        client.close()
                elif isinstance(key.fileobj, socket.socket):  # it has closed: clients have nothing to say
                    selector.unregister(key.fileobj)
                    clients.remove(key.fileobj)
                    key.fileobj.close()


def _labs_are_up() -> bool:
    return any((_RUN / "netlab").glob("*.json")) or any((_RUN / "netns").iterdir())


def _has_gate(folder: int) -> bool:
    """Takes the gate if it is free; held until we end."""
    gate = os.open(GATE, os.O_RDWR | os.O_CREAT, 0o600, dir_fd=folder)
    try:
        fcntl.flock(gate, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(gate)
        return False
    return True


def _remove(folder: int, path: str) -> None:
    """Leaves no folder behind, unless a lab of an earlier holder is still remembered there."""
    for name in (SOCKET, GATE):
        with suppress(OSError):
            os.unlink(name, dir_fd=folder)
    with suppress(OSError):
        if not any(Path(path, LABS).glob("*.json")):
            shutil.rmtree(LABS, dir_fd=folder)
        os.rmdir(path)


def _unshare(flag: int) -> None:
    if _LIBC.unshare(flag):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _mount(source: str, target: Path, kind: str | None, flags: int, options: str = "") -> None:
    arguments = (os.fsencode(source), os.fsencode(target), kind and kind.encode(), flags, options.encode())
    if _LIBC.mount(*arguments):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    main()
