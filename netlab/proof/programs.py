"""Programs run side by side, some of them for minutes, and all ended at once when somebody presses ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from threading import Lock
from typing import TypeVar

from netlab.errors import ProcessFailed
from netlab.tools import current_environment

MAX_AT_ONCE = 256
"""Programs at a time; a prove of everything has 150 of them, which mostly wait."""

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class Programs:
    """The programs that are running now, for whoever has to end them."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = Lock()
        self._is_over = False

    def run(self, argv: Sequence[str], *, label: str, timeout: float) -> subprocess.CompletedProcess[str]:
        """Runs a program to its end.

        Raises:
            ProcessFailed: it did not end in time, or all programs have been ended meanwhile.
        """
        with self._lock:
            if self._is_over:
                raise ProcessFailed(label, expected="to run", got="an interrupt")
            started = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=current_environment(),
                start_new_session=True,
            )
            self._running.add(started)
        try:
            out, err = started.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            _kill(started)
            started.communicate()
            raise ProcessFailed(label, expected=f"to end within {timeout:g} s", got="it still runs") from None
        finally:
            with self._lock:
                self._running.discard(started)
        return subprocess.CompletedProcess(argv, started.returncode, out, err)

    def end(self) -> None:
        """Ends all that run, and lets no other start."""
        with self._lock:
            self._is_over = True
            for running in self._running:
                _kill(running)


def side_by_side(items: Sequence[ItemT], action: Callable[[ItemT, Programs], ResultT]) -> list[ResultT]:
    """The results of ``action`` on all items at once; the first error is raised when all have ended.

    An interrupt ends every program that an action runs.
    """
    if not items:
        return []
    programs = Programs()
    with ThreadPoolExecutor(max_workers=min(len(items), MAX_AT_ONCE)) as pool:
        try:
            pending = [pool.submit(action, item, programs) for item in items]
            wait(pending)
        except BaseException:
            programs.end()
            raise
    return [future.result() for future in pending]


def _kill(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
