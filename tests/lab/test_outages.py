"""What breaks while it runs: a NAT that reboots or forgets, a cable, an address, a server. No line is lost.

Most scenes wait for longer than they work, so all are played at once, and each has a test that waits for it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from netlab.lab import Lab
from netlab.process import NodeProcess
from netlab.profiles import NatProfile, profile
from netlab.topology.scenes import two_nats

pytestmark = pytest.mark.lab

SERVER = "198.51.100.10"
NOTICED_SENDING = 1.0
BACK_AFTER_NOTICE = 3.0
SLACK = 3.0
"""Seconds more for a busy machine; what is measured is printed by the benchmark, not judged here."""

ANNOUNCED = 30.0
"""Seconds in which everybody knows that a client's cable is cut."""

REFRESH_INTERVAL = 15.0
"""Seconds between refreshes of a mapping whose lifetime is not known."""

LIFETIME = 4.0
"""Seconds for which the forgetful NAT keeps a mapping."""

Scene = Callable[[], None]


# --- on the stage ------------------------------------------------------------------------------------------


@contextmanager
def two_peers(first: NatProfile | str, second: NatProfile | str) -> Iterator[Lab]:
    profiles = [one if isinstance(one, NatProfile) else profile(one) for one in (first, second)]
    with Lab(two_nats(*profiles, rtt=0.04), prove=False) as lab:
        yield lab


def start_server(lab: Lab, label: str = "server") -> NodeProcess:
    server = lab.start("server", ["rendezvous", "--host", SERVER], label=label)
    server.wait_for_line("listening on")
    return server


def start_chat(lab: Lab, name: str) -> NodeProcess:
    chat = lab.start(name, ["peer", "chat", "--id", name, "--server", SERVER])
    chat.wait_for_line("registered as")
    return chat


@contextmanager
def two_chats(first: str, second: str) -> Iterator[tuple[Lab, NodeProcess, NodeProcess, NodeProcess]]:
    """The lab, the server, and two chats that have a path."""
    with two_peers(first, second) as lab:
        server = start_server(lab)
        elsa, anna = start_chat(lab, "elsa"), start_chat(lab, "anna")
        for chat in (elsa, anna):
            chat.write_line("@awake")
            chat.wait_for_line("you are Awake")
        say_and_hear(elsa, anna, "anna", "before", within=SLACK)
        elsa.wait_for_line("^delivered to anna .before.")
        yield lab, server, elsa, anna


def say_and_hear(speaker: NodeProcess, listener: NodeProcess, to: str, text: str, *, within: float) -> None:
    speaker.write_line(f"@chat {to} {text}")
    listener.wait_for_line(f"From .* .{text}.", timeout=within)


def assert_nothing_was_lost(*chats: NodeProcess) -> None:
    assert not any("not delivered" in line for chat in chats for line in chat.lines())


# --- the scenes --------------------------------------------------------------------------------------------


def a_rebooted_nat_costs_a_moment_and_no_line(first: str = "port-restricted") -> None:
    with two_chats(first, "port-restricted") as (lab, _, elsa, anna):
        lab.events.reboot("nat-elsa")
        say_and_hear(elsa, anna, "anna", "rebooted", within=NOTICED_SENDING + BACK_AFTER_NOTICE + SLACK)
        elsa.wait_for_line("delivered to anna .rebooted.")
        say_and_hear(anna, elsa, "elsa", "welcome", within=SLACK)
        assert_nothing_was_lost(elsa, anna)


def a_rebooted_nat_that_gives_other_ports_costs_no_line_either() -> None:
    a_rebooted_nat_costs_a_moment_and_no_line("non-preserving-cone")


def a_changed_public_address_costs_a_moment_and_no_line() -> None:
    with two_chats("port-restricted", "port-restricted") as (lab, _, elsa, anna):
        lab.events.change_address("nat-elsa", IPv4Address("203.0.113.9"))
        say_and_hear(anna, elsa, "elsa", "moved", within=6.0 + BACK_AFTER_NOTICE + SLACK)
        say_and_hear(elsa, anna, "anna", "here", within=SLACK)
        assert_nothing_was_lost(elsa, anna)


def a_dead_server_takes_no_path_with_it_and_helps_again_when_it_is_back() -> None:
    with two_chats("non-preserving-cone", "port-restricted") as (lab, server, elsa, anna):
        server.stop()
        elsa.wait_for_line("the server is gone")
        say_and_hear(elsa, anna, "anna", "alone", within=SLACK)
        lab.events.reboot("nat-elsa")
        start_server(lab, "server-again")
        say_and_hear(elsa, anna, "anna", "together", within=20.0)


def everybody_comes_back_to_the_next_server() -> None:
    with two_chats("port-restricted", "port-restricted") as (lab, server, elsa, anna):
        server.stop()
        elsa.wait_for_line("the server is gone")
        again = start_server(lab, "server-again")
        for _ in (elsa, anna):
            again.wait_for_line("Awake 203.0.113.", timeout=40)
        elsa.write_line("@chat anna after")
        elsa.wait_for_line("^delivered to anna .after.")


def a_machine_that_slept_for_longer_than_a_path_lasts_goes_on_with_its_channel() -> None:
    with two_chats("non-preserving-cone", "port-restricted") as (_, _, elsa, anna):
        asleep = elsa.id
        assert asleep is not None
        os.kill(asleep.pid, signal.SIGSTOP)
        anna.wait_for_line("the path to elsa is lost", timeout=45.0)
        anna.write_line("@chat elsa slept?")
        os.kill(asleep.pid, signal.SIGCONT)
        elsa.wait_for_line("From anna .slept..", timeout=20.0)
        anna.wait_for_line("there is a path to elsa again", timeout=SLACK)
        say_and_hear(elsa, anna, "anna", "well", within=SLACK)
        assert_nothing_was_lost(elsa, anna)


def a_client_whose_cable_is_cut_is_announced_as_disconnected() -> None:
    with two_peers("port-restricted", "port-restricted") as lab:
        server = start_server(lab)
        elsa, _ = start_chat(lab, "elsa"), start_chat(lab, "anna")
        server.wait_for_line("anna Asleep")
        lab.run("nat-anna", ["ip", "link", "set", "wan0", "down"])
        server.wait_for_line("anna is disconnected", timeout=ANNOUNCED)
        elsa.wait_for_line("anna is disconnected")


def an_endpoint_that_changed_is_noticed_and_announced() -> None:
    with two_peers("symmetric", "port-restricted") as lab:
        server = start_server(lab)
        elsa, anna = start_chat(lab, "elsa"), start_chat(lab, "anna")
        elsa.write_line("@awake")
        first = server.wait_for_line("elsa Awake")
        lab.run("nat-elsa", ["conntrack", "-D", "-p", "udp"])
        moved = server.wait_for_line("elsa Awake", timeout=REFRESH_INTERVAL + SLACK)
        assert moved != first
        anna.wait_for_line("elsa is Awake at another public endpoint")
        elsa.wait_for_line("you are Awake; the server sees you at " + moved.split()[-1])


def a_mapping_is_refreshed_before_a_nat_that_forgets_soon_has_forgotten_it() -> None:
    forgetful = profile("non-preserving-cone")
    forgetful = replace(forgetful, behavior=replace(forgetful.behavior, mapping_lifetime=LIFETIME))
    with two_peers(forgetful, "port-restricted") as lab:
        server = start_server(lab)
        options = ("--id", "elsa", "--server", SERVER, "--no-port-mapping")
        elsa = lab.start("elsa", ["peer", "--log-level", "info", "listen", *options])
        server.wait_for_line("elsa Awake")
        deadline = time.monotonic() + 60.0
        while "an idle mapping lives" not in elsa.stderr.read_text():
            assert time.monotonic() < deadline, elsa.stderr.read_text()
            time.sleep(0.2)
        time.sleep(LIFETIME)  # until the first refresh that follows from it
        before = [line for line in server.lines() if line.startswith("elsa Awake")]
        time.sleep(REFRESH_INTERVAL + 1.0)  # a mapping that was forgotten would have been another one
        assert [line for line in server.lines() if line.startswith("elsa Awake")] == before


SCENES: tuple[Scene, ...] = (
    a_machine_that_slept_for_longer_than_a_path_lasts_goes_on_with_its_channel,
    a_mapping_is_refreshed_before_a_nat_that_forgets_soon_has_forgotten_it,
    a_client_whose_cable_is_cut_is_announced_as_disconnected,
    an_endpoint_that_changed_is_noticed_and_announced,
    a_rebooted_nat_costs_a_moment_and_no_line,
    a_rebooted_nat_that_gives_other_ports_costs_no_line_either,
    a_changed_public_address_costs_a_moment_and_no_line,
    a_dead_server_takes_no_path_with_it_and_helps_again_when_it_is_back,
    everybody_comes_back_to_the_next_server,
)


@pytest.fixture(scope="module")
def played() -> Iterator[dict[Scene, Future[None]]]:
    with ThreadPoolExecutor(len(SCENES)) as pool:
        yield {scene: pool.submit(scene) for scene in SCENES}


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_that(scene: Scene, played: dict[Scene, Future[None]]) -> None:
    played[scene].result()
