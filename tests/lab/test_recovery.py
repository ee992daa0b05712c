"""Two chats go on when a NAT reboots, an address changes, or the server dies, and nothing typed is lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address

import pytest

from netlab.lab import Lab
from netlab.process import NodeProcess
from netlab.profiles import profile
from netlab.topology.scenes import two_nats

pytestmark = pytest.mark.lab

SERVER = "198.51.100.10"
NOTICED_SENDING = 1.0
BACK_AFTER_NOTICE = 3.0
SLACK = 3.0
"""Seconds more for a busy machine; what is measured is printed by the benchmark, not judged here."""


@contextmanager
def two_chats(first: str, second: str) -> Iterator[tuple[Lab, NodeProcess, NodeProcess, NodeProcess]]:
    with Lab(two_nats(profile(first), profile(second), rtt=0.04), prove=False) as lab:
        server = lab.start("server", ["rendezvous", "--host", SERVER])
        server.wait_for_line("listening")
        chats = []
        for name in ("elsa", "anna"):
            chat = lab.start(name, ["peer", "chat", "--id", name, "--server", SERVER])
            chat.write_line("@awake")
            chat.wait_for_line("you are Awake")
            chats.append(chat)
        elsa, anna = chats
        elsa.write_line("@chat anna before")
        anna.wait_for_line("From elsa .before.")
        elsa.wait_for_line("delivered to anna .before.")
        yield lab, server, elsa, anna


def say_and_hear(speaker: NodeProcess, listener: NodeProcess, to: str, text: str, *, within: float) -> float:
    began_at = time.monotonic()
    speaker.write_line(f"@chat {to} {text}")
    listener.wait_for_line(f"From .* .{text}.", timeout=within)
    return time.monotonic() - began_at


@pytest.mark.parametrize("first", ["port-restricted", "non-preserving-cone"])
def test_a_rebooted_nat_costs_a_moment_and_no_line(first: str) -> None:
    with two_chats(first, "port-restricted") as (lab, _, elsa, anna):
        lab.events.reboot("nat-elsa")
        say_and_hear(elsa, anna, "anna", "rebooted", within=NOTICED_SENDING + BACK_AFTER_NOTICE + SLACK)
        elsa.wait_for_line("delivered to anna .rebooted.")
        say_and_hear(anna, elsa, "elsa", "welcome", within=SLACK)
        assert not any("not delivered" in line for line in (*elsa.lines(), *anna.lines()))


def test_a_changed_public_address_costs_a_moment_and_no_line() -> None:
    with two_chats("port-restricted", "port-restricted") as (lab, _, elsa, anna):
        lab.events.change_address("nat-elsa", IPv4Address("203.0.113.9"))
        say_and_hear(anna, elsa, "elsa", "moved", within=6.0 + BACK_AFTER_NOTICE + SLACK)
        say_and_hear(elsa, anna, "anna", "here", within=SLACK)
        assert not any("not delivered" in line for line in (*elsa.lines(), *anna.lines()))


def test_a_dead_server_takes_no_path_with_it_and_helps_again_when_it_is_back() -> None:
    with two_chats("non-preserving-cone", "port-restricted") as (lab, server, elsa, anna):
        server.stop()
        elsa.wait_for_line("the server is gone")
        say_and_hear(elsa, anna, "anna", "alone", within=SLACK)
        lab.events.reboot("nat-elsa")
        again = lab.start("server", ["rendezvous", "--host", SERVER])
        again.wait_for_line("listening")
        say_and_hear(elsa, anna, "anna", "together", within=20.0)


def test_a_machine_that_slept_for_longer_than_a_path_lasts_goes_on_with_its_channel() -> None:
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
        assert not any("not delivered" in line for line in (*elsa.lines(), *anna.lines()))
