from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from netlab.interrupts import interrupt_on_sigterm, interrupts_deferred, signals_blocked

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_python(script: str) -> tuple[int, str, str]:
    """A program of its own, because it may end with signals ignored."""
    imports = "import signal, sys\nfrom netlab.interrupts import *\n"
    command = [sys.executable, "-c", imports + script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def interrupted(number: signal.Signals, done: list[str]) -> None:
    with interrupts_deferred():
        signal.raise_signal(number)
        done.append("body")


@pytest.fixture(autouse=True)
def signals_interrupt() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    interrupt_on_sigterm()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
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


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_an_interrupt_ends_a_program_with_one_line_and_130(number: signal.Signals) -> None:
    script = f"until_interrupted(lambda: signal.raise_signal({int(number)}))"
    assert run_python(script) == (130, "", "netlab: interrupted\n")


def test_the_second_signal_does_not_interrupt_the_way_out() -> None:
    script = """
def program():
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        print("taken down")
until_interrupted(program)
"""
    assert run_python(script) == (130, "taken down\n", "netlab: interrupted\n")


def test_a_signal_in_the_midst_of_an_import_is_an_interrupt_as_any_other() -> None:
    script = """
class Nuisance:
    def find_spec(self, name, *_):
        if name == "netlab.lab":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Nuisance())
sys.argv = ["netlab", "profiles"]
from netlab.cli import main
assert "netlab.lab" not in sys.modules
main()
"""
    assert run_python(script) == (130, "", "netlab: interrupted\n")


def test_a_signal_that_comes_when_all_is_done_changes_nothing() -> None:
    script = """
import atexit
atexit.register(signal.raise_signal, signal.SIGTERM)
until_interrupted(lambda: print("done"))
"""
    assert run_python(script) == (0, "done\n", "")


def test_who_was_started_with_nohup_outlives_the_terminal() -> None:
    script = """
signal.signal(signal.SIGHUP, signal.SIG_IGN)
def program():
    with interrupts_deferred():
        signal.raise_signal(signal.SIGHUP)
    signal.raise_signal(signal.SIGHUP)
    print("alive")
until_interrupted(program)
"""
    assert run_python(script) == (0, "alive\n", "")


def test_what_is_started_while_signals_are_blocked_never_hears_of_them() -> None:
    raise_all = f"import signal; [signal.raise_signal(number) for number in {[int(n) for n in SIGNALS]}]"
    with signals_blocked():
        assert subprocess.run([sys.executable, "-c", raise_all], check=False).returncode == 0
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(SIGNALS)
