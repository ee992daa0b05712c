"""A whole lab in containers: the same wiring, rules and proofs, and no trace after it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from netlab.docker.backend import LAB_LABEL, DockerBackend
from netlab.docker.client import connect
from netlab.lab import Lab
from netlab.profiles import PROFILES
from netlab.takedown import clean
from netlab.topology.scenes import two_nats
from tests.lab.traces import namespaces_of, traces_of, wait_until

pytestmark = [pytest.mark.lab, pytest.mark.docker]

NODE_COUNT = 6  # the core, the server, two NATs and the two behind them


def containers_of(lab: str) -> list[str]:
    """The names of a lab's containers, running or not."""
    client = connect()
    try:
        containers = client.containers.list(all=True, filters={"label": f"{LAB_LABEL}={lab}"})
        return sorted(container.name for container in containers)
    finally:
        client.close()


@pytest.fixture
def lab() -> Iterator[Lab]:
    topology = two_nats(PROFILES["port-restricted"], PROFILES["symmetric"])
    with Lab(topology, backend=DockerBackend()) as running:
        yield running


def test_both_nats_in_containers_prove_to_be_what_they_claim(lab: Lab) -> None:
    assert [proof.node for proof in lab.proofs] == ["nat-elsa", "nat-anna"]
    for proof in lab.proofs:
        proof.require()


def test_programs_in_containers_meet_through_the_nats(lab: Lab) -> None:
    server, elsa = "198.51.100.10", "203.0.113.7"
    answer = (
        "import socket; udp = socket.socket(type=socket.SOCK_DGRAM); udp.bind(('', 7)); print('READY');"
        "data, source = udp.recvfrom(99); udp.sendto(source[0].encode(), source)"
    )
    ask = (
        "import socket; udp = socket.socket(type=socket.SOCK_DGRAM); udp.settimeout(10);"
        f"udp.sendto(b'x', ('{server}', 7)); print(udp.recv(99).decode())"
    )
    lab.start("server", ["python3", "-c", answer]).wait_for_line("READY")

    assert lab.run("elsa", ["python3", "-c", ask]).stdout == f"{elsa}\n"


def test_two_peers_in_containers_meet_through_a_carriers_nat() -> None:
    at, port = "198.51.100.10", "443"
    with Lab(two_nats(PROFILES["cgn-cone"], PROFILES["port-restricted"]), backend=DockerBackend()) as lab:
        server = lab.start("server", ["rendezvous", "--host", at, "--port", port])
        server.wait_for_line("listening")
        options = ("--server", f"{at}:{port}", "--json")
        anna = lab.start("anna", ["peer", "listen", "--id", "anna", *options])
        server.wait_for_line("anna Awake")
        called = lab.run("elsa", ["peer", "connect", "anna", "--id", "elsa", *options, "--message", "hello"])
        elsa, told = json.loads(called.stdout), json.loads(anna.wait_for_line("^{"))
        carried = [line for line in lab.conntrack("carrier-elsa") if "203.0.113.33" in line]

    assert (called.returncode, elsa["outcome"]) == (0, "direct")
    assert (told["outcome"], told["message"]) == ("direct", "hello")
    assert elsa["path"]["local"].startswith("203.0.113.7:")
    assert elsa["path"]["remote"] == told["path"]["local"]
    assert carried, "the carrier's NAT has seen nothing of it"


def test_a_lab_leaves_no_container_and_no_namespace() -> None:
    with Lab(two_nats(PROFILES["full-cone"], PROFILES["address-restricted"]), backend=DockerBackend()) as lab:
        assert len(containers_of(lab.name)) == NODE_COUNT
        assert namespaces_of(lab.name) == containers_of(lab.name)

    assert containers_of(lab.name) == []
    assert traces_of(lab.name) == []


@pytest.mark.parametrize("namespaces", [1, 4])
def test_an_interrupt_while_containers_are_made_leaves_none_behind(namespaces: int) -> None:
    name = f"nl-interrupted-docker-{namespaces}"
    process = subprocess.Popen(
        [sys.executable, "-m", "netlab", "up", "--backend", "docker", "--name", name],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert wait_until(lambda: len(namespaces_of(name)) >= namespaces, timeout=60)  # it may build the image
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=30)
    assert (process.returncode, complaint.strip().splitlines()[-1:]) == (130, ["netlab: interrupted"])
    assert containers_of(name) == []
    assert traces_of(name) == []


def test_what_a_killed_run_with_nested_routers_left_is_removed_by_clean() -> None:
    script = (
        "import time; from netlab.docker.backend import DockerBackend; from netlab.lab import Lab;"
        "from netlab.profiles import PROFILES; from netlab.topology.scenes import two_nats;"
        "pair = PROFILES['cgn-cone'], PROFILES['cgn-symmetric'];"
        "lab = Lab(two_nats(*pair), backend=DockerBackend(), prove=False);"
        "lab.up(); lab.start('elsa', ['sleep', 'infinity']); print(lab.name, flush=True); time.sleep(60)"
    )
    killed = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    name = killed.stdout.readline().strip()
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=10)
    assert len(containers_of(name)) == NODE_COUNT + 2  # each home's router is behind its carrier's

    removed, _ = clean()

    assert name in removed
    assert containers_of(name) == []
    assert traces_of(name) == []
