"""Ctrl-C and SIGTERM at any moment, without leaving half a lab behind."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def interrupt_on_sigterm() -> None:
    """Makes SIGTERM end the program as ctrl-C does, through every ``finally``."""
    signal.signal(signal.SIGTERM, _raise_interrupt)


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
        for number, handler in before.items():
            signal.signal(number, handler)
    for late in arrived:
        signal.raise_signal(late)


def _raise_interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
