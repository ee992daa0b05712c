"""Two hosts behind one NAT that meet through their external endpoints, or do not (RFC 4787 section 6)."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Event

import pytest

from natcore.nat import MappingBehavior
from netlab.profiles import profile
from netlab.rules import forget_scripts, router_rules
from tests.lab.bare_router import (
    HOST,
    OTHER_HOST,
    TWO_HOSTS,
    WAN_ADDRESS,
    Endpoint,
    changed,
    endpoint_outside,
    keep_sending,
    router_with,
    seen_by,
)

pytestmark = pytest.mark.lab

LIFETIME = 1.0
"""Seconds; connection tracking counts in whole ones."""


@pytest.mark.parametrize("mapping", ["eim-apdf-preserving", "eim-adf-random", "adm-apdf-random", "symmetric"])
def test_a_nat_that_hairpins_turns_packets_around_with_external_sources(mapping: str) -> None:
    with router_with(changed(mapping, hairpinning=True)) as router:
        server = router.on_internet()
        host, other = router.at_home(HOST), router.at_home(OTHER_HOST)
        host_external, other_external = seen_by(server, host), seen_by(server, other)
        source = seen_by(other, host, other_external)
        assert source is not None
        assert source[0] == WAN_ADDRESS
        if profile(mapping).behavior.mapping is MappingBehavior.ENDPOINT_INDEPENDENT:
            assert source == host_external
        assert seen_by(host, other, source) == other_external
        assert seen_by(other, host, other_external) == source


@pytest.mark.parametrize("name", ["full-cone", "eim-eif-random", "symmetric"])
def test_without_hairpinning_what_is_sent_to_the_own_external_endpoint_ends_in_silence(name: str) -> None:
    with router_with(profile(name)) as router:
        server = router.on_internet()
        host, other = router.at_home(HOST), router.at_home(OTHER_HOST)
        external = seen_by(server, other)
        assert external is not None
        host.connect(external)  # so that an ICMP error would be told
        host.send(b"hairpin")
        assert seen_by(server, other) is not None
        host.setblocking(False)
        with pytest.raises(BlockingIOError):
            host.recv(2048)


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """A hairpinned flow, and whose mappings it must keep alive: of who began it, of who was asked.

    Ports are random, so that a mapping that is gone shows by its port.
    """

    name: str
    inbound_refresh: bool = True
    is_answered: bool
    kept: tuple[bool, bool]


TALKS = (
    Talk(name="eim-apdf-random", is_answered=True, kept=(True, True)),
    Talk(name="eim-eif-random", is_answered=True, kept=(True, True)),
    Talk(name="eim-adf-random", is_answered=True, inbound_refresh=False, kept=(True, True)),
    Talk(name="eim-apdf-random", is_answered=False, kept=(True, True)),
    Talk(name="eim-apdf-random", is_answered=False, inbound_refresh=False, kept=(True, False)),
)


def test_each_sides_packets_keep_its_own_mapping_and_the_others_where_inbound_packets_refresh() -> None:
    with ExitStack() as stack:
        scenes = []
        for talk in TALKS:
            one = changed(
                talk.name,
                hairpinning=True,
                mapping_lifetime=LIFETIME,
                inbound_refresh=talk.inbound_refresh,
            )
            router = stack.enter_context(router_with(one))
            server, asking, asked = router.on_internet(), router.at_home(HOST), router.at_home(OTHER_HOST)
            ends = endpoint_outside(server, asking), endpoint_outside(server, asked)
            assert seen_by(asked, asking, ends[1]) == ends[0], talk
            scenes.append((talk, server, (asking, asked), ends))
        questions = [(sockets[0], ends[1]) for _, _, sockets, ends in scenes]
        answers = [(sockets[1], ends[0]) for talk, _, sockets, ends in scenes if talk.is_answered]
        keep_sending([*questions, *answers], 1.6 * LIFETIME)
        for talk, server, sockets, ends in scenes:
            kept = tuple(seen_by(server, one) == end for one, end in zip(sockets, ends, strict=True))
            assert kept == talk.kept, talk


def test_a_hairpinned_flow_goes_on_after_its_router_forgot() -> None:
    """A packet that comes in between the scripts must not begin a flow that ends at the router."""
    hairpinning = changed("port-restricted", hairpinning=True)
    with router_with(hairpinning) as router, ThreadPoolExecutor(max_workers=1) as aside:
        server, host, other = router.on_internet(), router.at_home(HOST), router.at_home(OTHER_HOST)
        for scripts in (forget_scripts, router_rules):
            ends = endpoint_outside(server, host), endpoint_outside(server, other)
            is_over = Event()
            sending = aside.submit(send_until, is_over, host, ends[1])
            router.apply(scripts(hairpinning, TWO_HOSTS))
            is_over.set()
            assert sending.result() > 0
            ends = endpoint_outside(server, host), endpoint_outside(server, other)
            assert seen_by(other, host, ends[1]) == ends[0]


def send_until(is_over: Event, sender: socket.socket, destination: Endpoint) -> int:
    """Sends 5,000 packets a second; returns how many."""
    count = 0
    while not is_over.wait(0.0002):
        sender.sendto(b"still here", destination)
        count += 1
    return count
