"""Real programs of ours on loopback: started, fed, read a line at a time, and always ended."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from signal import SIGTERM, Signals
from types import TracebackType
from typing import IO, Self

PATIENCE = 20.0
"""Seconds after which a wait for a condition has failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A program that has ended: its exit code, and all that it printed."""

    code: int
    out: str
    err: str


class Program:
    """One process of ours.

    Attributes:
        out: lines of its standard output so far.
        err: lines of its standard error so far.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        self.out: list[str] = []
        self.err: list[str] = []
        self._unread: list[str] = []
        self._unread_errors: list[str] = []
        self._pipes_ended = 0
        self._changed = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=(self._process.stdout, self.out, self._unread)),
            threading.Thread(target=self._read, args=(self._process.stderr, self.err, self._unread_errors)),
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def type(self, line: str) -> None:
        """Types one line."""
        self.feed(line.encode() + b"\n")

    def feed(self, data: bytes) -> None:
        """Writes to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(data)

    def close_input(self) -> None:
        """What ctrl-D is to a pipe."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def wait_for_line(self, pattern: str) -> re.Match[str]:
        """The oldest line that matches from its beginning and that no earlier wait has taken."""
        return self._wait_for(pattern, self._unread)

    def wait_for_error_line(self, pattern: str) -> re.Match[str]:
        """The same of standard error."""
        return self._wait_for(pattern, self._unread_errors)

    def _wait_for(self, pattern: str, unread: list[str]) -> re.Match[str]:
        deadline = time.monotonic() + PATIENCE
        with self._changed:
            while True:
                for position, line in enumerate(unread):
                    if match := re.match(pattern, line):
                        del unread[position]
                        return match
                left = deadline - time.monotonic()
                if left <= 0 or self._pipes_ended == 2:
                    raise AssertionError(f"no line {pattern!r} in {self.out}, errors {self.err}")
                self._changed.wait(left)

    def signal(self, number: Signals) -> None:
        """Sends a signal."""
        self._process.send_signal(number)

    def stop(self, number: Signals = SIGTERM) -> Ended:
        """Signals and waits for its end."""
        self.signal(number)
        return self.wait()

    def wait(self) -> Ended:
        """Waits for its end, however it comes."""
        code = self._process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        return Ended(code=code, out="\n".join(self.out), err="\n".join(self.err))

    def _read(self, pipe: IO[bytes], *places: list[str]) -> None:
        for raw in pipe:
            with self._changed:
                for place in places:
                    place.append(raw.decode(errors="replace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._pipes_ended += 1
            self._changed.notify_all()


class Rendezvous(Program):
    """A rendezvous server.

    Attributes:
        port: of TCP and UDP.
        address: as ``--server`` takes it, if it listens on 127.0.0.1.
    """

    def __init__(self, port: int = 0, *, host: str = "127.0.0.1", options: Sequence[str] = ()) -> None:
        super().__init__("rendezvous", "--host", host, "--port", str(port), *options)
        self.port = int(self.wait_for_line(r"listening on tcp and udp port (\d+)")[1])
        self.address = f"127.0.0.1:{self.port}"


def start_chat(client_id: str, server: str) -> Program:
    """A chat that may not have registered yet."""
    return Program("peer", "chat", "--id", client_id, "--server", server)
