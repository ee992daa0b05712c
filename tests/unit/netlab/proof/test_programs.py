from __future__ import annotations

import os
import signal
import time

import pytest

from netlab.errors import ProcessFailed
from netlab.proof.programs import Programs, side_by_side

SLEEP = ["sleep", "60"]


def test_results_are_in_the_order_of_the_items() -> None:
    def echo(item: str, programs: Programs) -> str:
        return programs.run(["echo", item], label="echo", timeout=10).stdout.strip()

    assert side_by_side(["b", "a"], echo) == ["b", "a"]
    assert side_by_side([], echo) == []


def test_a_program_that_does_not_end_is_ended() -> None:
    with pytest.raises(ProcessFailed, match=r"it still runs, expected to end within 0\.05 s"):
        Programs().run(SLEEP, label="sleep", timeout=0.05)


def test_an_interrupt_ends_programs_that_would_take_minutes() -> None:
    started = time.monotonic()

    def wait(_item: int, programs: Programs) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        programs.run(SLEEP, label="sleep", timeout=60)

    with pytest.raises(KeyboardInterrupt):
        side_by_side([1, 2], wait)
    assert time.monotonic() - started < 10


def test_nothing_starts_once_all_have_been_ended() -> None:
    programs = Programs()
    programs.end()
    with pytest.raises(ProcessFailed, match="interrupt"):
        programs.run(["true"], label="true", timeout=1)
