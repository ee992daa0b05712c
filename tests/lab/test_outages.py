"""What breaks while it runs: a cable that is cut, a server that dies, a NAT that forgets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from netlab.lab import Lab
from netlab.process import NodeProcess
from netlab.profiles import profile
from netlab.topology.scenes import two_nats

pytestmark = pytest.mark.lab

SERVER = "198.51.100.10"


@pytest.fixture
def lab() -> Iterator[Lab]:
    nat = profile("port-restricted")
    with Lab(two_nats(nat, nat)) as lab:
        yield lab


def start_server(lab: Lab, label: str = "server") -> NodeProcess:
    server = lab.start("server", ["rendezvous", "--host", SERVER], label=label)
    server.wait_for_line("listening on")
    return server


def start_chat(lab: Lab, name: str) -> NodeProcess:
    chat = lab.start(name, ["peer", "chat", "--id", name, "--server", SERVER])
    chat.wait_for_line("registered as")
    return chat


def test_a_client_whose_cable_is_cut_is_announced_as_disconnected_within_30_s(lab: Lab) -> None:
    server = start_server(lab)
    elsa, _ = start_chat(lab, "elsa"), start_chat(lab, "anna")
    server.wait_for_line("anna Asleep")
    lab.run("nat-anna", ["ip", "link", "set", "wan0", "down"])
    server.wait_for_line("anna is disconnected", timeout=30)
    elsa.wait_for_line("anna is disconnected")


def test_an_open_channel_outlives_the_server_and_everybody_comes_back_to_the_next(lab: Lab) -> None:
    server = start_server(lab)
    elsa, anna = start_chat(lab, "elsa"), start_chat(lab, "anna")
    anna.write_line("@awake")
    anna.wait_for_line("you are Awake")
    elsa.write_line("@chat anna before")
    elsa.wait_for_line(r"delivered to anna \[before\]")
    server.stop()
    elsa.wait_for_line("the server is gone")
    elsa.write_line("@chat anna meanwhile")
    elsa.wait_for_line(r"^delivered to anna \[meanwhile\]")
    anna.wait_for_line(r"From elsa \[meanwhile\]")
    restarted = start_server(lab, "server-again")
    restarted.wait_for_line("Awake 203.0.113.", timeout=40)
    restarted.wait_for_line("Awake 203.0.113.", timeout=40)
    elsa.write_line("@chat anna after")
    elsa.wait_for_line(r"^delivered to anna \[after\]")


def test_an_endpoint_that_changed_is_noticed_and_announced() -> None:
    with Lab(two_nats(profile("symmetric"), profile("port-restricted"))) as lab:
        server = start_server(lab)
        elsa, anna = start_chat(lab, "elsa"), start_chat(lab, "anna")
        elsa.write_line("@awake")
        first = server.wait_for_line("elsa Awake")
        lab.run("nat-elsa", ["conntrack", "-D", "-p", "udp"])
        moved = server.wait_for_line("elsa Awake", timeout=20)  # with the next refresh, every 15 s
        assert moved != first
        anna.wait_for_line("elsa is Awake at another public endpoint")
        elsa.wait_for_line("you are Awake; the server sees you at " + moved.split()[-1])
