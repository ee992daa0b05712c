"""What a hostile or unlucky user meets: one clear line, an exit code, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from netlab import construction, events
from netlab import lab as lab_module
from netlab.backend import namespace_of
from netlab.errors import BadTopology, ProcessFailed, ToolFailed
from netlab.lab import Lab
from netlab.profiles import profile
from netlab.state import find_lab, nodes_of
from netlab.takedown import take_down
from netlab.tools import run_tool
from netlab.topology.scenes import two_nats
from tests.lab.traces import namespaces_of, traces_of

pytestmark = pytest.mark.lab

NETLAB = [sys.executable, "-m", "netlab"]


PAIR = two_nats(profile("port-restricted"), profile("open"))
MARK = f"bad-luck-of-{os.getpid()}"
"""An argument of programs that are looked for afterwards."""


def marked() -> list[str]:
    """The processes with our mark."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if MARK in file.read_text(errors="replace").split("\0"):
                found.append(file.parent.name)
    return found


def shell(script: str) -> subprocess.CompletedProcess[str]:
    """Runs a shell script, in which $NETLAB is the program."""
    done = subprocess.run(
        ["sh", "-c", script.replace("$NETLAB", " ".join(NETLAB))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_a_lab_whose_name_nobody_could_be_told_is_taken_down() -> None:
    done = shell("$NETLAB up --name untold > /dev/full")
    assert (done.returncode, done.stderr) == (1, "netlab: No space left on device\n")
    assert traces_of("nl-untold") == []


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(PAIR, prove=False) as running:
        yield running


def is_what_it_says(lab: Lab) -> bool:
    known = find_lab(lab.name)
    return known.nodes == nodes_of(lab.topology) and all(proof.holds for proof in lab.prove())


@pytest.mark.parametrize("calls_before", [0, 1])
def test_an_event_that_the_kernel_refuses_half_way_has_not_happened(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, calls_before: int
) -> None:
    before, refusals = lab.topology, [calls_before]

    def refuse_once(*arguments: Any) -> None:
        if not refusals:
            construction.remake_router(*arguments)
            return
        if refusals.pop():
            construction.remake_router(*arguments)  # all is done, and still it fails
        raise ToolFailed(["nft"], returncode=1, complaint="no memory")

    monkeypatch.setattr(events, "remake_router", refuse_once)
    with pytest.raises(ToolFailed, match="no memory"):
        lab.events.swap("nat-elsa", profile("symmetric"))
    assert lab.topology == before
    assert is_what_it_says(lab)
    refusals.append(calls_before)
    with pytest.raises(ToolFailed, match="no memory"):
        lab.events.change_address("nat-elsa", IPv4Address("203.0.113.99"))
    assert lab.topology == before
    assert is_what_it_says(lab)


def test_an_interrupt_waits_for_the_end_of_an_event(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def be_interrupted(*arguments: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        construction.remake_router(*arguments)

    monkeypatch.setattr(events, "remake_router", be_interrupted)
    for name in ("symmetric", "port-restricted"):
        with pytest.raises(KeyboardInterrupt):
            lab.events.swap("nat-elsa", profile(name))
        assert lab.topology.nat("nat-elsa").profile.name == name
        assert is_what_it_says(lab)


def test_a_router_without_a_cable_gets_no_other_address(lab: Lab) -> None:
    lab.events.cut("nat-elsa")
    with pytest.raises(BadTopology, match="the cable of 'nat-elsa' is cut: restore it first"):
        lab.events.change_address("nat-elsa", IPv4Address("203.0.113.99"))
    lab.events.restore("nat-elsa")
    assert is_what_it_says(lab)


def test_background_traffic_that_nobody_waited_for_is_unplugged(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab_module, "_START_TIMEOUT", 0.0)
    with pytest.raises(ProcessFailed, match="nat-elsa-traffic"):
        lab.events.background_traffic("nat-elsa", 10)
    assert not any(process.is_alive() for process in lab.state.processes)
    assert "bg" not in run_tool(["ip", "-n", namespace_of(lab.name, "nat-elsa"), "-brief", "link"])


def test_a_recording_that_broke_off_is_not_taken_for_a_whole_one(lab: Lab) -> None:
    capture = lab.capture("server", "eth0")
    lab.state.processes[-1].kill()
    with pytest.raises(ProcessFailed, match="ended with exit code -9, expected to record until"):
        capture.stop()


def test_a_program_may_write_what_is_no_text(lab: Lab) -> None:
    assert lab.run("elsa", ["printf", r"\377"]).stdout == "\N{REPLACEMENT CHARACTER}"


def test_background_traffic_ends_with_its_lab() -> None:
    script = """
$NETLAB up --name gone >&2 && { $NETLAB event --lab gone traffic nat-elsa 20/s & } &&
until $NETLAB exec --lab gone nat-elsa -- ip -brief link show type veth | grep -q bg; do :; done
$NETLAB down gone; wait $!
"""
    done = shell(script)
    assert done.returncode == 1
    expected = "netlab: nat-elsa-traffic: got it ended with exit code -9, expected to go on until ctrl-C"
    assert done.stderr.splitlines()[-1] == expected
    assert traces_of("nl-gone") == []


def test_who_keeps_forking_ends_with_the_lab() -> None:
    """Each lives for 2 ms, so whoever looks who is there finds one that has a child by now."""
    breed = "import os, time\nfor _ in range(1500):\n    if os.fork(): os._exit(0)\n    time.sleep(0.002)"
    with Lab(PAIR, prove=False) as lab:
        lab.start("elsa", [sys.executable, "-c", breed, MARK]).wait()
        assert any(marked() for _ in range(1000))
    assert not any(marked() for _ in range(20))


@pytest.mark.parametrize(("program", "code"), [("no-such-program", 127), ("/etc/passwd", 126)])
def test_a_program_that_cannot_run_is_one_line_and_a_shells_exit_code(
    program: str, code: int, lab: Lab
) -> None:
    for command in (f"$NETLAB exec --lab {lab.name} elsa -- {program}", f"$NETLAB rootless -- {program}"):
        done = shell(command)
        assert (done.returncode, done.stdout) == (code, "")
        assert done.stderr.startswith(f"netlab: {program}: ")
        assert done.stderr.count("\n") == 1


def test_a_program_in_a_node_has_the_streams_and_signals_of_a_shells(lab: Lab) -> None:
    run = f"$NETLAB exec --lab {lab.name} elsa --"
    assert shell(f"{run} yes | head -n 1").stderr == ""
    assert shell(f"{run} sh -c 'exit 7' >&- 2>&- <&-").returncode == 7


def test_a_lab_may_be_taken_down_by_many_at_once() -> None:
    with Lab(PAIR, prove=False) as lab:
        state = lab.state
        with ThreadPoolExecutor() as pool:
            for done in [pool.submit(take_down, state) for _ in range(6)]:
                done.result()
        assert traces_of(lab.name) == []


FULL_DISK = (
    'mkdir -p "$1" && mount -t tmpfs -o size=16k full "$1" && head -c 1M /dev/zero > "$1/fill" 2> /dev/null'
)
"""For `sh -c` in a mount namespace of its own, with a folder; what does not fit is not written."""


def on_full_disk(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    return shell(f"unshare --mount sh -c '{FULL_DISK}; $NETLAB {command}' sh {folder}")


def test_where_no_lab_can_be_remembered_none_is_begun(tmp_path: Path) -> None:
    output = tmp_path / "out"
    line = "netlab: no space left in /run/netlab, where labs are remembered: free some\n"
    for command in ("up --name full", "demo", "prove open", f"matrix open --output {output}"):
        done = on_full_disk(Path("/run/netlab"), command)
        assert (done.returncode, done.stdout, done.stderr) == (3, "", line)
    assert namespaces_of("nl-full") == []


def test_a_full_disk_is_told_from_a_program_that_failed(tmp_path: Path) -> None:
    done = on_full_disk(tmp_path / "full", f"demo --artefacts {tmp_path}/full")
    assert done.returncode == 1
    assert done.stderr.endswith(
        f", and no space is left in {tmp_path}/full, expected a line like '^READY$' within 10 s\n"
    )
    assert done.stderr.count("\n") == 1


def test_a_matrix_that_cannot_be_made_leaves_no_folder(tmp_path: Path) -> None:
    hide = 'mount --bind /dev/null "$(command -v nft)"'
    done = shell(f"unshare --mount sh -c '{hide} && $NETLAB matrix open --output {tmp_path}/out'")
    assert (done.returncode, done.stderr) == (
        3,
        "netlab: nft is not installed: try `apt-get install nftables`\n",
    )
    assert list(tmp_path.iterdir()) == []
