from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from netlab.errors import ProcessFailed
from netlab.process import NodeProcess, ProcessId

CAT = "import sys\nfor line in sys.stdin: print('got', line, end='', flush=True)"


def python(script: str, folder: Path) -> NodeProcess:
    return NodeProcess([sys.executable, "-c", script], label="program", folder=folder)


def test_a_process_is_known_by_when_it_started_too() -> None:
    own = ProcessId.of(os.getpid())
    assert own is not None
    assert own.is_alive()
    assert not ProcessId(pid=own.pid, started=own.started + 1).is_alive()


def test_a_process_that_has_ended_is_not_there_even_before_it_is_reaped() -> None:
    with subprocess.Popen(["true"]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        assert ProcessId.of(ended.pid) is None


def test_a_later_process_of_the_same_number_is_not_killed(tmp_path: Path) -> None:
    process = python(CAT, tmp_path)
    assert process.id is not None
    ProcessId(pid=process.id.pid, started=process.id.started + 1).kill()
    process.write_line("still here")
    assert process.wait_for_line("still here") == "got still here"
    process.stop()


def test_each_wait_goes_on_after_the_line_of_the_last_one(tmp_path: Path) -> None:
    process = python(CAT, tmp_path)
    for text in ("a 1", "b", "a 2"):
        process.write_line(text)
    assert [process.wait_for_line("a"), process.wait_for_line("a")] == ["got a 1", "got a 2"]
    process.stop()


def test_a_line_that_never_comes_is_an_error_with_the_last_complaint(tmp_path: Path) -> None:
    process = python("import sys; sys.exit('no luck')", tmp_path)
    with pytest.raises(ProcessFailed, match=r"it ended with exit code 1 \(no luck\), expected a line like"):
        process.wait_for_line("never")
    process.reap()


def test_a_silent_program_is_waited_for_only_so_long(tmp_path: Path) -> None:
    process = python(CAT, tmp_path)
    with pytest.raises(ProcessFailed, match="it still runs and is silent"):
        process.wait_for_line("never", timeout=0.01)
    with pytest.raises(ProcessFailed, match="to end within"):
        process.wait(timeout=0.01)
    assert process.stop() == -signal.SIGTERM


def test_a_line_for_a_program_that_has_ended_is_an_error(tmp_path: Path) -> None:
    process = python("pass", tmp_path)
    process.wait()
    with pytest.raises(ProcessFailed, match="to read the line 'hello'"):
        process.write_line("hello")
    process.reap()
