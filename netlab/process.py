"""Programs that run in a lab: their output in files, waited for by what they print, ended by pid."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from netlab.disk import has_room
from netlab.errors import ProcessFailed
from netlab.tools import current_environment

_POLL_INTERVAL = 0.005
"""Seconds between looks at a growing output file; nothing on Linux wakes us for a file without a watch."""

_STOP_TIMEOUT = 5.0
"""Seconds from SIGTERM to SIGKILL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessId:
    """A process that is never mistaken for a later one with the same number.

    Attributes:
        pid: its number.
        started: when it started, in clock ticks since boot (field 22 of ``/proc/PID/stat``).
    """

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """The identity of a running process, or None if there is none."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        state, *fields = stat.rpartition(")")[2].split()  # the name in parentheses may hold anything
        return None if state == "Z" else cls(pid=pid, started=int(fields[18]))

    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        return ProcessId.of(self.pid) == self

    def kill(self) -> None:
        """Ends it and its process group at once, if it is still the same process."""
        if self.is_alive():
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                return


class NodeProcess:
    """A program that was started in a node.

    Attributes:
        label: what it is called in messages and in its files' names.
        stdout: the file that holds what it wrote on stdout.
        stderr: the same for stderr.
    """

    def __init__(self, argv: Sequence[str], *, label: str, folder: Path) -> None:
        self.label = label
        self.stdout = folder / f"{label}.stdout"
        self.stderr = folder / f"{label}.stderr"
        self._lines_read = 0
        with self.stdout.open("wb") as out, self.stderr.open("wb") as err:
            self._popen = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                env=current_environment(),
                start_new_session=True,
            )

    @property
    def id(self) -> ProcessId | None:
        """Its identity while it runs."""
        return ProcessId.of(self._popen.pid)

    def write_line(self, text: str) -> None:
        """Writes a line to its stdin.

        Raises:
            ProcessFailed: it has closed its stdin or ended.
        """
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.write(text.encode() + b"\n")
            self._popen.stdin.flush()
        except BrokenPipeError:
            raise self.failure(f"to read the line {text!r}") from None

    def lines(self) -> list[str]:
        """The complete lines on stdout so far, oldest first."""
        text = self.stdout.read_text(encoding="utf-8", errors="replace")
        return text[: text.rfind("\n") + 1].splitlines()

    def wait_for_line(self, pattern: str, *, timeout: float = 10.0) -> str:
        """The next line on stdout in which the pattern is found; each call goes on after the last one's line.

        Raises:
            ProcessFailed: the program ended, or ``timeout`` seconds passed, without such a line.
        """
        deadline = time.monotonic() + timeout
        while True:
            has_ended = self._popen.poll() is not None
            lines = self.lines()
            for number in range(self._lines_read, len(lines)):
                if re.search(pattern, lines[number]):
                    self._lines_read = number + 1
                    return lines[number]
            if has_ended or time.monotonic() >= deadline:
                raise self.failure(f"a line like {pattern!r} within {timeout:g} s")
            time.sleep(_POLL_INTERVAL)

    def wait(self, *, timeout: float | None = 10.0) -> int:
        """Its exit code, once it has ended; None waits for ever.

        Raises:
            ProcessFailed: it still runs after ``timeout`` seconds.
        """
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise self.failure(f"to end within {timeout:g} s") from None

    def stop(self) -> int:
        """Asks it to end (SIGTERM), then makes it (SIGKILL); returns its exit code."""
        if self._popen.poll() is None:
            os.killpg(self._popen.pid, signal.SIGTERM)
        try:
            code = self._popen.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(self._popen.pid, signal.SIGKILL)
            code = self._popen.wait()
        self.release()
        return code

    def release(self) -> None:
        """Closes our end of its stdin and has nothing more to do with it; it may live on."""
        if self._popen.stdin is not None and not self._popen.stdin.closed:
            with suppress(BrokenPipeError):  # what was never read dies with its reader
                self._popen.stdin.close()
        if self._popen.poll() is None:
            self._popen.returncode = 0  # or Popen complains, when it is forgotten, of what still runs

    def reap(self) -> None:
        """Waits for the end of a process that somebody has killed, so that no zombie stays."""
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(_STOP_TIMEOUT)
        self.release()

    def failure(self, expected: str) -> ProcessFailed:
        """The error that it did not do what was expected, with what it does or has said instead."""
        code = self._popen.poll()
        said: list[str] = []
        room = ""
        with suppress(FileNotFoundError):  # it has gone with the lab
            said = self.stderr.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            room = "" if has_room(self.stderr.parent) else f", and no space is left in {self.stderr.parent}"
        got = "it still runs and is silent" if code is None else f"it ended with exit code {code}"
        last = f" ({said[-1]})" if said else ""
        return ProcessFailed(self.label, expected=expected, got=f"{got}{last}{room}")
