"""Run a command with a Docker engine at hand: ``python -m netlab.docker.engine COMMAND ARGUMENT...``.

Theory of operation. Where an engine answers already (``DOCKER_HOST``, else the usual socket), the command
just runs. Otherwise ``dockerd`` is started here with everything of its own in private directories, the
command runs with ``DOCKER_HOST`` pointing at it, and the engine is stopped, by its pid, when the last
command that uses it has ended. ``make test``, ``make demo BACKEND=docker`` and ``.ci/run`` all come through
here.

The engine of ours leaves the host's network alone: no bridge, no packet filter rules, no forwarding. The lab
needs none of it, because its containers have no Docker network (see :mod:`netlab.docker.backend`). Its images
stay in :data:`DATA_ROOT`, so that the second run does not build them again.

Always true: each user of the engine holds a shared lock while its command runs, and the engine is started
and stopped only by one process at a time. A killed user leaves the engine running; the next one finds and
stops it.

Where no engine can be had, the command runs all the same, after one line that says why: whether
it can do without is for the command to decide.
"""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TextIO

from netlab.docker.client import EngineUnreachable, connect
from netlab.interrupts import interrupt_on_sigterm, interrupts_deferred
from netlab.rootless.holder import is_inside
from netlab.tools import current_environment

RUN_DIRECTORY = Path("/run/netlab-engine")
"""Socket, pid file, lock and log of an engine that we started."""

DATA_ROOT = Path("/var/lib/netlab-engine")
"""Images and containers of an engine that we started; kept between runs."""

START_TIMEOUT = 60.0
"""Seconds that a new engine may take until it answers; 0.4 s is usual, but not on a slow disk."""

STOP_TIMEOUT = 20.0
"""Seconds from SIGTERM to SIGKILL; dockerd itself gives its containers 15 s."""

POLL_INTERVAL = 0.05
"""Seconds between two looks at an engine that starts."""


class EngineUnavailable(Exception):
    """No Docker engine answers and none can be started; the text says why and what to try."""


def daemon_command(run_directory: Path, data_root: Path) -> list[str]:
    """The command line of an engine that touches nothing of the host's network.

    Args:
        run_directory: where socket, pid file and run-time state go; on a file system that allows sockets.
        data_root: where images and containers go.
    """
    return [
        "dockerd",
        f"--host={socket_url(run_directory)}",
        f"--pidfile={run_directory / 'dockerd.pid'}",
        f"--exec-root={run_directory / 'exec'}",
        f"--data-root={data_root}",
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
        "--ip-masq=false",
    ]


def socket_url(run_directory: Path) -> str:
    """What ``DOCKER_HOST`` has to be for an engine of ours."""
    return f"unix://{run_directory / 'docker.sock'}"


def answers(url: str | None = None) -> bool:
    """Whether an engine answers at a URL; None means where the environment says, else the usual socket."""
    try:
        connect(url).close()
    except EngineUnreachable:
        return False
    return True


@contextmanager
def engine(run_directory: Path = RUN_DIRECTORY, data_root: Path = DATA_ROOT) -> Iterator[Mapping[str, str]]:
    """Hold a running engine for the length of a ``with`` block.

    Yields:
        What to add to the environment of a program that shall use it; empty where an engine ran anyway.

    Raises:
        EngineUnavailable: none answers and none can be started.
    """
    if answers():
        yield {}
        return
    _check_startable()
    run_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (run_directory / "users").open("w") as users:
        try:
            with _alone(run_directory):
                if not answers(socket_url(run_directory)):
                    _stop(run_directory, data_root)  # one that hangs, or is still ending, would be in the way
                    _start(run_directory, data_root)
                fcntl.flock(users, fcntl.LOCK_SH)
            yield {"DOCKER_HOST": socket_url(run_directory)}
        finally:
            with _alone(run_directory):
                if _is_last(users):
                    _stop(run_directory, data_root)


@contextmanager
def _alone(run_directory: Path) -> Iterator[None]:
    """Keep interrupts, and everybody else, from the starting and stopping of the engine."""
    with interrupts_deferred(), (run_directory / "gate").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield


def _is_last(users: TextIO) -> bool:
    """Whether nobody but us holds the users' lock."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _check_startable() -> None:
    if os.environ.get("DOCKER_HOST"):
        raise EngineUnavailable(f"no Docker engine answers at DOCKER_HOST={os.environ['DOCKER_HOST']}")
    if os.geteuid() != 0:
        raise EngineUnavailable("no Docker engine answers to this user, and only root can start one")
    if shutil.which("dockerd") is None:
        raise EngineUnavailable("no Docker engine answers and dockerd is missing: apt-get install docker.io")
    if is_inside():
        raise EngineUnavailable("no Docker engine answers, and the root of a user namespace cannot start one")


def _start(run_directory: Path, data_root: Path) -> None:
    """Start the engine, in a session of its own so that ^C reaches only the command that uses it."""
    data_root.mkdir(mode=0o710, parents=True, exist_ok=True)
    log = run_directory / "dockerd.log"
    command = daemon_command(run_directory, data_root)
    streams = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    # Not a Popen: it may outlive us, if others use it still.
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=streams, setsid=True)
    deadline = time.monotonic() + START_TIMEOUT
    while not answers(socket_url(run_directory)):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            raise EngineUnavailable(f"dockerd ended with exit code {code}: see {log}")
        if time.monotonic() > deadline:
            _end(pid)
            raise EngineUnavailable(f"dockerd did not answer within {START_TIMEOUT:.0f} s: see {log}")
        time.sleep(POLL_INTERVAL)


def _stop(run_directory: Path, data_root: Path) -> None:
    """Stop the engine that the pid file names, if it is one: a stale file may name anything."""
    try:
        pid = int((run_directory / "dockerd.pid").read_text())
        is_engine = Path(f"/proc/{pid}/comm").read_text().strip() == "dockerd"
    except (OSError, ValueError):
        return
    if not is_engine:
        return
    _end(pid)
    # What an engine can leave mounted: its name for the host's network, and its data directory on itself.
    for left_over in (run_directory / "exec" / "netns" / "default", data_root):
        subprocess.run(["umount", left_over], capture_output=True, env=current_environment(), check=False)


def _end(pid: int) -> None:
    """Ask a process to end, then make it, and return when it has ended; it need not be a child of ours."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(process, signal.SIGTERM)
        if not select.select([process], [], [], STOP_TIMEOUT)[0]:
            signal.pidfd_send_signal(process, signal.SIGKILL)
            select.select([process], [], [], STOP_TIMEOUT)
        os.waitpid(pid, os.WNOHANG)
    except (ProcessLookupError, ChildProcessError):
        return  # it ended by itself, or an earlier run of ours started it and init collects it
    finally:
        os.close(process)


def run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command to its end, passing SIGTERM on, and return its exit code (128 + n after signal n)."""
    process = subprocess.Popen(command, env={**os.environ, **environment})

    def pass_on(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    # ^C reaches the whole foreground group, the command included: we only have to outlive it.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN), signal.signal(signal.SIGTERM, pass_on)
    try:
        code = process.wait()
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])
    return code if code >= 0 else 128 - code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command given as arguments with an engine at hand, and return its exit code."""
    command = list(sys.argv[1:] if arguments is None else arguments)
    if not command:
        print("usage: python -m netlab.docker.engine COMMAND ARGUMENT...", file=sys.stderr)
        return 2
    interrupt_on_sigterm()
    try:
        with engine() as environment:
            return run(command, environment)
    except EngineUnavailable as error:
        print(f"netlab: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return run(command, {})


if __name__ == "__main__":
    sys.exit(main())
