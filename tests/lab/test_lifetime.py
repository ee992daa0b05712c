"""A lab leaves nothing behind, however it ends, and labs do not meet."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from netlab.errors import LabNotFound, NameTaken, NodeNotFound, ProcessFailed
from netlab.lab import Lab
from netlab.profiles import profile
from netlab.state import find_lab
from netlab.topology.scenes import two_nats
from tests.lab.traces import namespaces_of, traces_of, wait_until

pytestmark = pytest.mark.lab

NETLAB = [sys.executable, "-m", "netlab"]
PAIR = two_nats(profile("port-restricted"), profile("port-restricted"))

HOLDER = """
import signal
from netlab import Lab, profile, two_nats
with Lab(two_nats(profile("port-restricted"), profile("symmetric"), rtt=0.01), prove=False) as lab:
    lab.start("elsa", ["sleep", "60"])
    print("READY", flush=True)
    signal.pause()
"""

PRIVATE_RUN = 'mount -t tmpfs tmpfs /run && exec "$0" -c "$1"'
"""For `sh -c` in a mount namespace of its own, with a Python and a script."""

KILLED_AND_CLEANED = f"""
import json, os, subprocess, sys
from netlab.state import known_labs
holder = subprocess.Popen([sys.executable, "-c", {HOLDER!r}], stdout=subprocess.PIPE, text=True)
assert holder.stdout.readline() == "READY\\n"
holder.kill()
holder.wait()
lab, = known_labs()
alive = lambda: sum(process.is_alive() for process in lab.processes)
seen = {{"lab": lab.name, "namespaces before": len(os.listdir("/run/netns")), "processes before": alive()}}
for attempt in ("clean", "clean again"):
    done = subprocess.run([sys.executable, "-m", "netlab", "clean"], stdout=subprocess.PIPE, text=True)
    seen[attempt] = [done.returncode, done.stdout]
seen["namespaces after"], seen["files after"] = os.listdir("/run/netns"), os.listdir("/run/netlab")
seen["processes after"] = alive()
print(json.dumps(seen))
"""


def run_netlab(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*NETLAB, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_a_lab_leaves_nothing_behind() -> None:
    with Lab(two_nats(profile("full-cone"), profile("symmetric"), rtt=0.01)) as lab:
        assert len(namespaces_of(lab.name)) == 6
        lab.start("elsa", ["sleep", "60"])
        lab.capture("server", "eth0")
        processes = lab.state.processes
        assert len(processes) == 3, "the delay line, the program and the capture"
    assert traces_of(lab.name) == []
    assert not any(process.is_alive() for process in processes)


def test_an_error_inside_the_block_leaves_nothing_behind() -> None:
    lab = Lab(PAIR)
    with pytest.raises(ZeroDivisionError), lab:
        raise ZeroDivisionError
    assert traces_of(lab.name) == []


def test_taking_down_twice_is_the_same_as_once() -> None:
    lab = Lab(PAIR, prove=False)
    lab.up()
    lab.down()
    lab.down()
    assert traces_of(lab.name) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-C", "SIGTERM"])
@pytest.mark.parametrize("namespaces", [0, 3, 6])
def test_an_interrupt_while_coming_up_leaves_nothing_behind(number: signal.Signals, namespaces: int) -> None:
    name = f"nl-interrupted-{namespaces}"
    process = subprocess.Popen(
        [*NETLAB, "up", "--name", name, "--rtt", "10ms"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    moment = (
        (lambda: len(namespaces_of(name)) >= namespaces) if namespaces else (lambda: bool(traces_of(name)))
    )
    assert wait_until(moment)
    process.send_signal(number)
    _, complaint = process.communicate(timeout=30)
    assert (process.returncode, complaint.strip()) == (130, "netlab: interrupted")
    assert traces_of(name) == []


def test_clean_removes_what_a_killed_run_left() -> None:
    """In a /run of our own, so that no other lab of this machine is in the way or in danger."""
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", PRIVATE_RUN, sys.executable, KILLED_AND_CLEANED],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert (seen["namespaces before"], seen["processes before"]) == (6, 2)
    assert (seen["namespaces after"], seen["files after"], seen["processes after"]) == ([], [], 0)
    assert seen["clean"] == [0, f"took down {seen['lab']}\n"]
    assert seen["clean again"] == [0, ""]


def test_clean_spares_a_lab_that_a_living_process_holds() -> None:
    with Lab(PAIR, prove=False) as lab:
        owner = find_lab(lab.name).owner
        assert owner is not None
        assert owner.is_alive()


def test_two_labs_with_the_same_addresses_stand_side_by_side() -> None:
    with Lab(PAIR, prove=False) as one, Lab(PAIR, prove=False) as other:
        assert one.name != other.name
        for lab in (one, other):
            assert lab.run("elsa", ["ping", "-c", "1", "-W", "2", "198.51.100.10"]).returncode == 0
        with pytest.raises(LabNotFound):
            find_lab(None)


def test_a_name_is_given_once() -> None:
    with Lab(PAIR, prove=False, name="twin") as first:
        assert first.name == "nl-twin"
        with pytest.raises(NameTaken):
            Lab(PAIR, name="nl-twin").up()
        assert len(namespaces_of("nl-twin")) == 6, "the second lab must not take down the first"


def test_the_command_line_builds_uses_shows_and_removes_a_lab() -> None:
    up = run_netlab("up", "--profiles", "symmetric", "open", "--name", "by-hand", "--json")
    try:
        assert up.returncode == 0, up.stderr
        described = json.loads(up.stdout)
        assert described["name"] == "nl-by-hand"
        assert [proof["profile"] for proof in described["proofs"]] == ["symmetric"]
        done = run_netlab("exec", "--lab", "by-hand", "elsa", "--", "sh", "-c", "echo here; exit 7")
        assert (done.returncode, done.stdout) == (7, "here\n")
        missing = run_netlab("exec", "--lab", "by-hand", "olaf", "--", "true")
        assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)
        labs = json.loads(run_netlab("status", "--json").stdout)["labs"]
        assert [lab["backend"] for lab in labs if lab["name"] == "nl-by-hand"] == ["namespaces"]
    finally:
        down = run_netlab("down", "by-hand")
    assert (down.returncode, down.stdout) == (0, "took down nl-by-hand\n")
    assert traces_of("nl-by-hand") == []


def test_a_program_that_does_not_end_or_does_not_speak_is_said_to() -> None:
    with Lab(PAIR, prove=False) as lab:
        with pytest.raises(ProcessFailed, match="expected to end within"):
            lab.run("elsa", ["sleep", "30"], timeout=0.1)
        with pytest.raises(ProcessFailed, match="ended with exit code 3"):
            lab.start("elsa", ["sh", "-c", "exit 3"]).wait_for_line("never")
        with pytest.raises(NodeNotFound):
            lab.run("olaf", ["true"])


def test_a_capture_holds_what_passed() -> None:
    with Lab(PAIR, prove=False) as lab:
        capture = lab.capture("nat-elsa", "wan0")
        lab.run("elsa", ["ping", "-c", "2", "-i", "0.05", "198.51.100.10"])
        packets = capture.stop()
    ends = [(packet.source[0], packet.destination[0]) for packet in packets]
    assert ends == [("203.0.113.7", "198.51.100.10"), ("198.51.100.10", "203.0.113.7")] * 2
