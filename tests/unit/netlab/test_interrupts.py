from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from netlab.interrupts import interrupt_on_sigterm, interrupts_deferred


def interrupted(number: signal.Signals, done: list[str]) -> None:
    with interrupts_deferred():
        signal.raise_signal(number)
        done.append("body")


@pytest.fixture(autouse=True)
def sigterm_interrupts() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    interrupt_on_sigterm()
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_waits_for_the_end_of_the_body(number: signal.Signals) -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(number, done)
    assert done == ["body"]


def interrupted_deep_inside(done: list[str]) -> None:
    with interrupts_deferred():
        with interrupts_deferred():
            signal.raise_signal(signal.SIGINT)
            done.append("inner body")
        done.append("outer body")


def test_of_nested_bodies_the_outermost_runs_to_its_end() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted_deep_inside(done)
    assert done == ["inner body", "outer body"]


def test_handlers_are_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with interrupts_deferred():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def failing_while_interrupted() -> None:
    with interrupts_deferred():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("own")


def test_the_bodys_own_error_comes_first() -> None:
    with pytest.raises(ValueError, match="own"):
        failing_while_interrupted()


def test_in_another_thread_nothing_is_touched() -> None:
    failures: list[BaseException] = []

    def body() -> None:
        try:
            with interrupts_deferred():
                pass
        except ValueError as error:
            failures.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert failures == []
