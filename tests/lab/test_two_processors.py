"""Packets that two processors send at once are translated as if one had come after the other."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence

import pytest

from netlab.profiles import profile
from netlab.rules import RouterFacts
from tests.lab.bare_router import (
    HOST,
    ONE_HOST,
    OTHER_HOST,
    OTHER_SERVER,
    PATIENCE,
    SERVER,
    TWO_HOSTS,
    BareRouter,
    Endpoint,
    endpoint_of,
    router_with,
    seen_by,
)

pytestmark = pytest.mark.lab

ROUNDS = 40
"""New endpoints for each case; on a router that works on every sender's processor 10 of them go wrong."""

FIRST_PORT = 20_000

SENDER = """
import mmap, os, socket, struct, sys, time
me, shared, host, port, *sockets = sys.argv[1:]
me, memory = int(me), mmap.mmap(int(shared), 4096)
processors = sorted(os.sched_getaffinity(0))
os.sched_setaffinity(0, {processors[me % len(processors)]})
deadline = time.monotonic() + 20
for number, fd in enumerate(map(int, sockets)):
    udp = socket.socket(fileno=fd)
    struct.pack_into("i", memory, 64 * me, number + 1)
    while struct.unpack_from("i", memory, 64 * (1 - me))[0] <= number:
        if time.monotonic() > deadline:
            sys.exit("the other one is not there")
    udp.sendto(struct.pack("!HH", number, me), (host, int(port)))
    udp.sendto(struct.pack("!HH", number, me), (host, int(port)))
    udp.detach()
"""


def send_at_once(
    senders: Sequence[Sequence[socket.socket]], receivers: Sequence[socket.socket]
) -> Mapping[tuple[int, int], list[Endpoint]]:
    """Has two processes send from their sockets, in step, twice from each.

    Returns where each packet seemed to come from, by the round and the process.
    """
    shared = os.memfd_create("steps")
    try:
        os.truncate(shared, 4096)
        processes = []
        for me, (sockets, receiver) in enumerate(zip(senders, receivers, strict=True)):
            address, port = endpoint_of(receiver)
            fds = [udp.fileno() for udp in sockets]
            arguments = [str(one) for one in (me, shared, address, port, *fds)]
            processes.append(
                subprocess.Popen([sys.executable, "-c", SENDER, *arguments], pass_fds=[shared, *fds])
            )
        assert [process.wait(timeout=30) for process in processes] == [0, 0]
    finally:
        os.close(shared)
    return _seen(set(receivers), count=2 * sum(map(len, senders)))


def _seen(receivers: set[socket.socket], *, count: int) -> Mapping[tuple[int, int], list[Endpoint]]:
    seen = defaultdict(list)
    for _ in range(count):
        ready = select.select(list(receivers), [], [], PATIENCE / 4)[0]
        if not ready:
            break
        data, source = ready[0].recvfrom(64)
        seen[int.from_bytes(data[:2]), int.from_bytes(data[2:4])].append(source)
    return seen


def meet(router: BareRouter) -> None:
    """Has both hosts and both servers be neighbours before anything is measured."""
    for host in (HOST, OTHER_HOST):
        for server in (SERVER, OTHER_SERVER):
            assert seen_by(router.on_internet(server), router.at_home(host)) is not None


@pytest.mark.parametrize(
    ("name", "facts"),
    [("symmetric", ONE_HOST), ("symmetric-sequential", ONE_HOST)],
)
def test_a_flow_that_begins_twice_at_once_has_one_port(name: str, facts: RouterFacts) -> None:
    with router_with(profile(name), facts) as router:
        meet(router)
        server = router.on_internet()
        sockets = [router.at_home() for _ in range(ROUNDS)]
        seen = send_at_once([sockets, sockets], [server, server])
        for number in range(ROUNDS):
            assert len(seen[number, 0]) == len(seen[number, 1]) == 2
            assert len({*seen[number, 0], *seen[number, 1]}) == 1, number


@pytest.mark.parametrize("name", ["non-preserving-cone", "eim-eif-sequential"])
def test_an_endpoint_that_sends_to_two_servers_at_once_has_one_mapping(name: str) -> None:
    with router_with(profile(name), TWO_HOSTS) as router:
        meet(router)
        servers = [router.on_internet(SERVER), router.on_internet(OTHER_SERVER)]
        sockets = [router.at_home() for _ in range(ROUNDS)]
        seen = send_at_once([sockets, sockets], servers)
        for number in range(ROUNDS):
            assert len(seen[number, 0]) == len(seen[number, 1]) == 2
            assert len({*seen[number, 0], *seen[number, 1]}) == 1, number


@pytest.mark.parametrize("name", ["port-restricted", "full-cone"])
def test_two_hosts_that_send_at_once_get_a_port_each(name: str) -> None:
    with router_with(profile(name), TWO_HOSTS) as router:
        meet(router)
        server = router.on_internet()
        hosts = [
            [router.at_home(host, FIRST_PORT + number) for number in range(ROUNDS)]
            for host in (HOST, OTHER_HOST)
        ]
        seen = send_at_once(hosts, [server, server])
        for number in range(ROUNDS):
            ports = [set(seen[number, me]) for me in (0, 1)]
            assert [len(one) for one in ports] == [1, 1], number
            assert ports[0] != ports[1], number
