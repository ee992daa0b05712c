"""Ctrl-C, SIGTERM and a terminal that goes, at any moment, without leaving half a lab behind."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Restored in the opposite order: Python itself raises for SIGINT, and what came before is then complete."""

_ECHO_TIME = 1.0
"""Seconds in which another signal says the same: a shell, a supervisor and a finger send several of them."""

_INTERRUPTED = 128 + signal.SIGINT
"""The exit code, as a shell has it."""


def until_interrupted(program: Callable[[], object]) -> None:
    """Runs a whole program, which an interrupt ends with one line and an exit code.

    Its imports belong inside. They take most of the time of a command that has little to do.
    """
    try:
        try:
            interrupt_on_sigterm()
            program()
        finally:
            stop_listening()
    except KeyboardInterrupt:
        with suppress(OSError):  # of a terminal that has gone
            print("netlab: interrupted", file=sys.stderr)
        sys.exit(_INTERRUPTED)


def interrupt_on_sigterm() -> None:
    """Makes SIGTERM and SIGHUP end the program as ctrl-C does, through every ``finally``.

    A signal that is ignored stays so: whoever started us with nohup, or in the background, meant it.
    """
    handler = _Interrupt()
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Lets the body run to its end; an interrupt that comes meanwhile is delivered afterwards.

    Blocks may nest: the outermost one's end is where it arrives. Signals are only ever handled in the main
    thread, so in any other this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    before = {number: signal.signal(number, lambda got, _: arrived.append(got)) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in reversed(before.items()):
            signal.signal(number, handler)
    for late in arrived:
        signal.raise_signal(late)


def stop_listening() -> None:
    """What comes from now on comes too late: all is done, and Python's end would be killed by it."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Keeps interrupts from this thread and from every program that it starts in the body.

    Even one with a session of its own is in ours until it has asked for it, and a ctrl-C may come just then.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Interrupt:
    """The handler. It raises once in a while only: the second signal must not interrupt the way out."""

    def __init__(self) -> None:
        self._last = -_ECHO_TIME

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._last >= _ECHO_TIME:
            self._last = now
            raise KeyboardInterrupt
