"""Run a program in a container and be its stand-in: ``python -m netlab.docker.exec CONTAINER PROGRAM ...``.

Theory of operation. Whoever ends the client of a plain ``docker exec`` ends the client alone: the program
goes on in the container, where nobody waits for it any more. Here the process on the host stands for the
one in the container in everything that its owner can do to it:

- its standard streams are the program's, end of input included;
- the signals of :data:`PASSED_ON` are sent on to the program, through a pidfd, so that a pid that the kernel
  has given to somebody else is never hit;
- its exit code is the program's, 128 + n after signal n;
- when it is killed outright, a guard process sees that and kills the program.

It needs the engine on this machine and the right to signal its containers: root, as the whole lab does.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from socket import SHUT_WR, socket, socketpair
from threading import Thread
from types import FrameType

import docker
from docker.errors import DockerException
from docker.utils.socket import STDERR, frames_iter

from netlab.docker.client import ENGINE_ERRORS, EngineUnreachable, connect

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
"""What the owner may send to the program; SIGKILL is the guard's business."""

READ_SIZE = 65536
"""Bytes taken from standard input at once: what a Linux pipe holds."""

STARTING_GATE = ("sh", "-c", 'read -r _ && exec "$@"', "sh")
"""Becomes the program when a line arrives on its input, and ends if none ever does.

So nothing runs before the guard stands, and nothing is written before we read: what arrives with the engine's
response headers, the SDK would lose. `read` takes the line and not a byte more.
"""

START_TIMEOUT = 30.0
"""Seconds that the engine may take to start a program; 60 ms were measured."""

POLL_INTERVAL = 0.005
"""Seconds between two looks at whether the program runs."""

CANNOT_RUN = 126
"""Exit code where the engine could not start the program, as a shell has it."""


def run(container: str, argv: Sequence[str]) -> int:
    """Run a program in a container on our own standard streams and return its exit code.

    Raises:
        EngineUnreachable: no engine answers.
        docker.errors.DockerException: it knows no such container, or could not start the program.
    """
    api = connect(timeout=None).api
    # A signal that arrives before the program runs must not be lost, nor end us alone.
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    execution = api.exec_create(container, [*STARTING_GATE, *argv], stdin=True)["Id"]
    stream = api.exec_start(execution, socket=True)
    _stand_for(_wait_for_start(api, execution))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
    # The engine's connection carries both directions, but the SDK wraps it for reading only.
    connection = stream._sock
    connection.sendall(b"\n")
    Thread(target=_copy_input, args=(connection,), daemon=True).start()
    for channel, data in frames_iter(stream, tty=False):
        _write(sys.stderr.fileno() if channel == STDERR else sys.stdout.fileno(), data)
    return int(api.exec_inspect(execution)["ExitCode"])


def _wait_for_start(api: docker.APIClient, execution: str) -> int:
    """The pid on the host of what was just started.

    The engine opens the connection first and starts the program behind it; it has no event to wait for.
    """
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        state = api.exec_inspect(execution)
        if state["Running"] and state["Pid"]:
            return int(state["Pid"])
        if state["ExitCode"] is not None:
            raise DockerException("the container is ending, or has no shell")
        if time.monotonic() > deadline:
            raise DockerException(f"the engine did not start it within {START_TIMEOUT:.0f} s")
        time.sleep(POLL_INTERVAL)


def _stand_for(pid: int) -> None:
    """Pass our signals on to a process, and see to it that it does not outlive us."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        raise DockerException("the container ended meanwhile") from None
    _start_guard(process)

    def pass_on(number: int, _frame: FrameType | None) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, number)

    for number in PASSED_ON:
        signal.signal(number, pass_on)


def _start_guard(process: int) -> None:
    """Fork a process that waits for our end, however it comes, and then kills the program.

    The kernel closes our end of the connection even where we are killed with SIGKILL. The guard has a session
    of its own, because labs kill whole process groups, and us with them; we go on when it has one.
    """
    ours, theirs = socketpair()
    if os.fork():
        theirs.close()
        ours.recv(1)
        ours.detach()  # open for as long as we live
        return
    os.setsid()
    ours.close()
    for standard_stream in range(3):
        os.close(standard_stream)  # or whoever reads our output would wait for the guard
    theirs.send(b"!")
    theirs.recv(1)
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(process, signal.SIGKILL)
    os._exit(0)


def _copy_input(connection: socket) -> None:
    with suppress(OSError):  # the program has ended: nobody is left to read
        while data := os.read(sys.stdin.fileno(), READ_SIZE):
            connection.sendall(data)
        connection.shutdown(SHUT_WR)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def main() -> int:
    """Run what the command line says and return the exit code."""
    if len(sys.argv) < 3:
        print("usage: python -m netlab.docker.exec CONTAINER PROGRAM ARGUMENT...", file=sys.stderr)
        return 2
    try:
        return run(sys.argv[1], sys.argv[2:])
    except (EngineUnreachable, *ENGINE_ERRORS) as error:
        print(f"netlab: cannot run {sys.argv[2]} in {sys.argv[1]}: {error}", file=sys.stderr)
        return CANNOT_RUN
    except BrokenPipeError:
        return 128 + signal.SIGPIPE  # whoever read our output has gone; the guard ends the program


if __name__ == "__main__":
    # Not sys.exit: the thread that reads standard input may be in the middle of a read and would hold us up.
    code = main()
    sys.stderr.flush()
    os._exit(code)
