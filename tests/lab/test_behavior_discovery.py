"""Other people's tools ask our server about real NATs, and learn what each NAT is.

Once from one server with two addresses, as an operator runs it; once from two servers on two hosts that serve
as each other's alternate address.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from netlab.errors import MissingTool
from netlab.lab import Lab
from netlab.profiles import profile
from netlab.proof.opinions import (
    TOOLS,
    Tool,
    Words,
    expect_natdiscovery,
    expect_stun,
    hear_natdiscovery,
    hear_stun,
)
from netlab.proof.subject import Subject
from netlab.tools import find_tool
from netlab.topology import Host, Interface, Topology
from netlab.topology.scenes import SERVER_ADDRESSES, two_nats
from tests.lab.requirements import stop_for_want_of

pytestmark = pytest.mark.lab

FIRST, SECOND = map(str, SERVER_ADDRESSES)
PORT = "3478"
PROFILES = [
    "open",
    "full-cone",
    "address-restricted",
    "port-restricted",
    "symmetric",
    "address-dependent",
]
DISCOVERY, STUN = TOOLS
PARALLEL_LABS = 9

Heard = tuple[Words, Words]
"""What natdiscovery and stun say."""


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    for tool in TOOLS:
        try:
            find_tool(tool.program)
        except MissingTool:
            stop_for_want_of(f"{tool.program} is not installed: `make test` installs it")


@contextmanager
def one_server(name: str) -> Iterator[Lab]:
    with Lab(two_nats(profile(name), profile("open"))) as lab:
        options = ("--host", FIRST, "--alternate-ip", SECOND, "--port", PORT)
        server = lab.start("server", ["rendezvous", *options])
        server.wait_for_line("behaviour discovery: full")
        yield lab


@contextmanager
def two_servers(name: str, folder: Path) -> Iterator[Lab]:
    with Lab(with_a_host_for_each_address(two_nats(profile(name), profile("open")))) as lab:
        key = folder / "key"
        key.write_text("twenty-two characters and some more\n")
        key.chmod(0o600)
        running = []
        for host, here, there in (("server", FIRST, SECOND), ("other", SECOND, FIRST)):
            options = ("--host", here, "--port", PORT, "--alternate-server", there)
            command = ["rendezvous", *options, "--alternate-key-file", str(key)]
            running.append(lab.start(host, command))
        for server in running:
            server.wait_for_line("behaviour discovery: full")
        yield lab


def with_a_host_for_each_address(topology: Topology) -> Topology:
    server, *others = topology.hosts
    hosts = [
        replace(server, interfaces=(Interface(addresses=(SERVER_ADDRESSES[0],)),)),
        Host(name="other", interfaces=(Interface(addresses=(SERVER_ADDRESSES[1],)),)),
    ]
    return replace(topology, hosts=(*hosts, *others))


def heard_by_elsa(lab: Lab) -> Heard:
    """What natdiscovery and stun say, each question from a port of its own."""
    elsa = next(host for host in lab.topology.hosts if host.name == "elsa")
    address = str(elsa.interfaces[0].addresses[0])

    def say(tool: Tool, options: tuple[str, ...], port: int) -> str:
        command = [tool.program, *tool.arguments(FIRST, options, address, port)]
        done = lab.run("elsa", command, timeout=60)
        return done.stdout + done.stderr

    with ThreadPoolExecutor() as pool:
        mapping = pool.submit(say, DISCOVERY, ("-m",), 20000)
        filtering = pool.submit(say, DISCOVERY, ("-f",), 20010)
        classic = pool.submit(say, STUN, (), 20020)
        discovered = hear_natdiscovery("mapping", mapping.result())
        discovered |= hear_natdiscovery("filtering", filtering.result())
        padded = pool.submit(say, DISCOVERY, ("-f", "-P"), 20030)
        assert hear_natdiscovery("filtering", padded.result()).items() <= discovered.items(), "in fragments"
        return discovered, hear_stun("type", classic.result())


def expected(name: str) -> Heard:
    subject = Subject(node="nat-elsa", profile=profile(name), host="elsa")
    discovered = expect_natdiscovery(subject)
    discovered.pop("hairpinning", None)  # no server has a part in it
    return discovered, expect_stun(subject)


@dataclass(frozen=True, slots=True)
class Case:
    """Behind which profile elsa is, and how many servers she asks."""

    name: str
    servers: int


ONE_SERVER = [Case(name, servers=1) for name in PROFILES]
TWO_SERVERS = [Case(name, servers=2) for name in ("full-cone", "address-restricted", "symmetric")]


def ask(case: Case, folder: Path) -> Heard:
    with one_server(case.name) if case.servers == 1 else two_servers(case.name, folder) as lab:
        return heard_by_elsa(lab)


@pytest.fixture(scope="module")
def heard(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Case, Future[Heard]]]:
    """The tools wait for what a NAT drops, so several labs are asked in at once."""
    with ThreadPoolExecutor(PARALLEL_LABS) as pool:
        yield {
            case: pool.submit(ask, case, tmp_path_factory.mktemp("key")) for case in ONE_SERVER + TWO_SERVERS
        }


@pytest.mark.parametrize("case", ONE_SERVER, ids=lambda case: case.name)
def test_the_tools_learn_from_our_server_what_the_nat_is(
    case: Case, heard: dict[Case, Future[Heard]]
) -> None:
    assert heard[case].result() == expected(case.name)


@pytest.mark.parametrize("case", TWO_SERVERS, ids=lambda case: case.name)
def test_two_servers_show_what_one_with_two_addresses_does(
    case: Case, heard: dict[Case, Future[Heard]]
) -> None:
    assert heard[case].result() == expected(case.name)
