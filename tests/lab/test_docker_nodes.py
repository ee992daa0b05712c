"""Containers as nodes: what a program in one can rely on, and what its owner can do to it from the host."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Protocol

import pytest

from netlab.backend import LAB_PREFIX, NodeSpec, namespace_of
from netlab.docker.backend import LAB_LABEL, NODE_LABEL, DockerBackend
from netlab.docker.client import connect
from netlab.tools import in_namespace, run_tool

pytestmark = [pytest.mark.lab, pytest.mark.docker]

NODE = "elsa"
OTHER_NODE = "anna"
ECHO_UNTIL_TERMINATED = "trap 'echo bye; exit 3' TERM INT; echo ready; while :; do sleep 0.05; done"


def containers_of(lab: str) -> int:
    client = connect()
    try:
        return len(client.containers.list(all=True, filters={"label": f"{LAB_LABEL}={lab}"}))
    finally:
        client.close()


@pytest.fixture(scope="module")
def lab() -> Iterator[str]:
    name = f"{LAB_PREFIX}{secrets.token_hex(3)}"
    backend = DockerBackend()
    try:
        backend.create_nodes(
            name,
            [
                NodeSpec(name=NODE, sysctls={"net.ipv4.ip_forward": "1", "net.no.such": "1"}),
                NodeSpec(name=OTHER_NODE),
            ],
        )
        yield name
    finally:
        backend.destroy_nodes(name)


def run(lab: str, *argv: str, text: str = "") -> subprocess.CompletedProcess[str]:
    command = DockerBackend().command(lab, NODE, argv)
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=30, check=False)


class Start(Protocol):
    def __call__(self, lab: str, *argv: str) -> subprocess.Popen[str]: ...


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts programs in a node, and sees to it that none outlives the test."""
    with ExitStack() as started:

        def start_one(lab: str, *argv: str) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                DockerBackend().command(lab, NODE, argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            started.enter_context(process)
            started.callback(process.kill)
            return process

        yield start_one


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_each_node_is_a_named_namespace_and_a_labelled_container(lab: str) -> None:
    names = run_tool(["ip", "netns", "list"]).split()
    client = connect()
    try:
        nodes = client.containers.list(filters={"label": f"{LAB_LABEL}={lab}"})
        assert {node.labels[NODE_LABEL] for node in nodes} == {NODE, OTHER_NODE}
    finally:
        client.close()
    assert {namespace_of(lab, NODE), namespace_of(lab, OTHER_NODE)} <= set(names)
    assert lab in DockerBackend().labs()


def test_a_node_has_no_network_but_loopback_until_the_lab_wires_it(lab: str) -> None:
    inside = run(lab, "ip", "-brief", "link").stdout.splitlines()

    assert [line.split()[0] for line in inside] == ["lo"]


def test_a_node_has_ipv6_as_a_new_namespace_has(lab: str) -> None:
    assert run(lab, "ping", "-c", "1", "-W", "2", "::1").returncode == 0
    settings = [f"net.ipv6.conf.{name}.disable_ipv6" for name in ("all", "default", "lo")]
    assert run(lab, "sysctl", "--values", *settings).stdout.split() == ["0"] * 3


def test_the_namespace_named_on_the_host_is_the_network_inside(lab: str) -> None:
    namespace = namespace_of(lab, NODE)
    run_tool(["ip", "-n", namespace, "link", "add", "probe0", "type", "veth", "peer", "probe1"])
    try:
        assert "probe0" in run(lab, "ip", "-brief", "link").stdout
    finally:
        run_tool(["ip", "-n", namespace, "link", "delete", "probe0"])


def test_kernel_settings_reach_the_node_and_unknown_ones_are_ignored(lab: str) -> None:
    assert run(lab, "sysctl", "--values", "net.ipv4.ip_forward").stdout == "1\n"
    other = in_namespace(namespace_of(lab, OTHER_NODE), ["sysctl", "net.ipv4.ip_forward"])
    assert run_tool(other).startswith("net.ipv4.ip_forward = ")


def test_programs_come_from_the_image_and_not_from_the_host(lab: str) -> None:
    where = run(lab, "python3", "-c", "import natcore, sys; print(sys.prefix, natcore.__file__)").stdout

    assert where.startswith("/opt/netlab /opt/netlab/lib/python3")


@pytest.mark.parametrize("program", ["peer", "rendezvous", "netlab"])
def test_the_toolkits_programs_are_on_the_path(lab: str, program: str) -> None:
    assert run(lab, "which", program).stdout == f"/opt/netlab/bin/{program}\n"


def test_output_errors_and_exit_code_come_back_apart(lab: str) -> None:
    done = run(lab, "sh", "-c", "echo out; echo err >&2; exit 7")

    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 7)


def test_input_arrives_whole_and_ends(lab: str) -> None:
    text = "".join(f"line {number}\n" for number in range(20_000))

    assert run(lab, "cat", text=text).stdout == text


def test_a_conversation_goes_line_by_line(lab: str, start: Start) -> None:
    process = start(lab, "sh", "-c", 'while read -r line; do echo "got $line"; done')
    assert process.stdin is not None
    for line in ("one", "two"):
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
        assert first_line(process) == f"got {line}\n"

    assert process.communicate(timeout=10)[0] == ""
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_stand_in_reaches_the_program_which_ends_in_its_own_way(
    lab: str, start: Start, number: int
) -> None:
    process = start(lab, "sh", "-c", ECHO_UNTIL_TERMINATED)
    assert first_line(process) == "ready\n"

    process.send_signal(number)

    assert process.communicate(timeout=10)[0] == "bye\n"
    assert process.returncode == 3


@pytest.mark.parametrize("kill", [os.kill, os.killpg], ids=["the process", "its process group"])
def test_killing_the_stand_in_kills_the_program(
    lab: str, start: Start, kill: Callable[[int, int], None]
) -> None:
    process = start(lab, "sh", "-c", "echo $$; exec sleep infinity")
    pid = first_line(process).strip()

    kill(process.pid, signal.SIGKILL)

    until_gone = f"for _ in $(seq 200); do kill -0 {pid} || exit 0; sleep 0.02; done; exit 1"
    assert run(lab, "sh", "-c", until_gone).returncode == 0


def test_a_program_that_is_not_there_is_said_to_be_so(lab: str) -> None:
    done = run(lab, "no-such-program")

    assert done.returncode == 127
    assert "no-such-program: not found" in done.stderr


def test_a_node_that_is_not_there_is_an_error_in_one_line(lab: str) -> None:
    command = DockerBackend().command(lab, "nobody", ["true"])
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)

    assert done.returncode == 126
    assert done.stderr.startswith(f"netlab: cannot run true in {lab}.nobody: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_program_that_ends_at_once_is_no_race(lab: str) -> None:
    assert [run(lab, "true").returncode for _ in range(5)] == [0] * 5


def test_removing_a_lab_ends_its_programs_and_leaves_no_container_and_no_namespace(start: Start) -> None:
    backend, lab = DockerBackend(), f"{LAB_PREFIX}{secrets.token_hex(3)}"
    try:
        backend.create_nodes(lab, [NodeSpec(name=NODE)])
        program = start(lab, "sh", "-c", "echo ready; sleep infinity")
        assert first_line(program) == "ready\n"
    finally:
        backend.destroy_nodes(lab)

    program.communicate(timeout=10)
    assert containers_of(lab) == 0
    assert namespace_of(lab, NODE) not in run_tool(["ip", "netns", "list"])
    assert lab not in backend.labs()
    backend.destroy_nodes(lab)


def test_a_half_made_lab_is_removed_whole() -> None:
    backend, lab = DockerBackend(), f"{LAB_PREFIX}{secrets.token_hex(3)}"
    client = connect()
    try:
        backend.create_nodes(lab, [NodeSpec(name=NODE), NodeSpec(name=OTHER_NODE)])
        run_tool(["ip", "netns", "delete", namespace_of(lab, NODE)])
        client.containers.get(namespace_of(lab, OTHER_NODE)).remove(force=True)
    finally:
        client.close()
        backend.destroy_nodes(lab)

    assert containers_of(lab) == 0
    assert lab not in run_tool(["ip", "netns", "list"])
