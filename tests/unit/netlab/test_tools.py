from __future__ import annotations

import ast
import os
import signal
import threading
from pathlib import Path

import pytest

from netlab import tools
from netlab.errors import MissingTool, ToolFailed


def test_a_tool_is_given_text_and_gives_text() -> None:
    assert tools.run_tool(["cat"], text="hello\n") == "hello\n"


def test_a_tool_that_refuses_is_quoted() -> None:
    with pytest.raises(ToolFailed, match="failed with exit code 3, saying: no way"):
        tools.run_tool(["sh", "-c", "echo no way >&2; exit 3"])


def test_a_tool_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "TOOL_TIMEOUT", 0.01)
    with pytest.raises(ToolFailed, match=r"no end within 0.01 s"):
        tools.run_tool(["sleep", "60"])


def test_a_missing_tool_is_named_with_its_package() -> None:
    with pytest.raises(MissingTool, match="try `apt-get install no-such-tool`"):
        tools.find_tool("no-such-tool")


def test_tools_of_the_system_are_found_outside_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert tools.find_tool("ip").endswith("/ip")


def test_a_tool_gets_our_environment_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETLAB_TOLD", "yes")
    assert "NETLAB_TOLD=yes" in tools.run_tool(["env"]).splitlines()


def test_variables_that_come_and_go_meanwhile_break_no_start() -> None:
    is_over = threading.Event()

    def set_and_unset() -> None:
        while not is_over.is_set():
            for number in range(40):
                os.environ[f"NETLAB_{number}"] = "x" * number
            for number in range(40):
                del os.environ[f"NETLAB_{number}"]

    thread = threading.Thread(target=set_and_unset)
    thread.start()
    try:
        tools.for_each(range(200), lambda _: tools.run_tool(["true"]))
    finally:
        is_over.set()
        thread.join()


def test_no_program_is_started_without_an_environment_of_its_own() -> None:
    started = [
        (file, call)
        for file in sorted(Path(tools.__file__).parent.rglob("*.py"))
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("subprocess.run", "subprocess.Popen")
    ]
    without = [
        f"{file}:{call.lineno}" for file, call in started if all(one.arg != "env" for one in call.keywords)
    ]
    assert started
    # The instruments run by themselves on the nodes, know nothing of the toolkit and have one thread.
    assert [where for where in without if "instruments/" not in where] == []


def test_all_items_are_done_at_once_and_the_first_error_is_raised_after_all() -> None:
    everybody_is_here = threading.Barrier(3, timeout=5)
    done = []

    def action(number: int) -> None:
        everybody_is_here.wait()
        done.append(number)
        if number:
            raise ValueError(number)

    with pytest.raises(ValueError, match="1"):
        tools.for_each([0, 1, 2], action)
    assert sorted(done) == [0, 1, 2]


def test_an_interrupt_waits_until_no_thread_is_at_work() -> None:
    is_interrupted = threading.Event()
    done = []

    def action(number: int) -> None:
        if number:
            os.kill(os.getpid(), signal.SIGINT)
            is_interrupted.set()
        is_interrupted.wait(5)
        done.append(number)

    with pytest.raises(KeyboardInterrupt):
        tools.for_each([0, 1], action)
    assert sorted(done) == [0, 1]


def test_nothing_is_done_to_no_items() -> None:
    tools.for_each([], tools.find_tool)


def test_no_interrupt_ends_a_tool() -> None:
    """Even where it comes before the tool has a session of its own."""
    assert tools.run_tool(["sh", "-c", "kill -INT $$; kill -TERM $$; echo alive"]) == "alive\n"
